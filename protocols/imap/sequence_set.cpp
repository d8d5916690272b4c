#include "protocols/imap/sequence_set.hpp"

#include <charconv>
#include <limits>
#include <optional>

#include "base/ascii.hpp"

namespace merpati::imap {
namespace {

constexpr auto largest_number = std::numeric_limits<std::uint32_t>::max();

/// A seq-number at the front of `text`, which is shortened by it; 0 stands for '*'.
std::optional<std::uint32_t> take_number(std::string_view& text) {
  if (!text.empty() && text.front() == '*') {
    text.remove_prefix(1);
    return 0;
  }
  std::uint32_t value = 0;
  // nz-number: no leading zero, so that "0" and "01" are refused alike
  if (text.empty() || text.front() < '1' || text.front() > '9')
    return std::nullopt;
  auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (ec != std::errc{})
    return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return value;
}

void write_decimal(std::uint32_t value, std::string& out) {
  char buffer[10];
  auto end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
  out.append(buffer, end);
}

} // namespace

result<sequence_set> sequence_set::parse(std::string_view text, std::size_t max_ranges) {
  sequence_set set;
  if (text == "$") {
    set.saved_ = true;
    return set;
  }
  auto malformed = [] { return fail(errc::invalid, "Expected a sequence set such as 1,3:5,7:*"); };
  for (std::size_t count = 1;; ++count) {
    if (count > max_ranges)
      return fail(errc::too_many, "Too many ranges in a sequence set");
    auto first = take_number(text);
    if (!first)
      return malformed();
    auto last = first;
    if (!text.empty() && text.front() == ':') {
      text.remove_prefix(1);
      last = take_number(text);
      if (!last)
        return malformed();
    }
    if (*first != 0 && *last != 0) {
      set.ranges_.push_back({std::min(*first, *last), std::max(*first, *last)});
    } else {
      auto from = std::max(*first, *last); // the one that isn't '*'
      if (from == 0)
        from = largest_number;
      set.star_from_ = set.star_from_ == 0 ? from : std::min(set.star_from_, from);
    }
    if (text.empty())
      break;
    if (text.front() != ',')
      return malformed();
    text.remove_prefix(1);
  }
  set.normalise();
  return set;
}

sequence_set sequence_set::of(std::vector<number_range> ranges) {
  sequence_set set;
  set.ranges_ = std::move(ranges);
  set.normalise();
  return set;
}

void sequence_set::normalise() {
  auto by_first = [](number_range a, number_range b) { return a.first < b.first; };
  if (!std::is_sorted(ranges_.begin(), ranges_.end(), by_first))
    std::sort(ranges_.begin(), ranges_.end(), by_first);
  std::size_t kept = 0;
  for (auto range : ranges_) {
    if (kept > 0 && (ranges_[kept - 1].last == largest_number || range.first <= ranges_[kept - 1].last + 1))
      ranges_[kept - 1].last = std::max(ranges_[kept - 1].last, range.last);
    else
      ranges_[kept++] = range;
  }
  ranges_.resize(kept);
}

void sequence_set::add(std::uint32_t number) {
  add(number_range{number, number});
}

void sequence_set::add(number_range range) {
  if (ranges_.empty() || range.first > ranges_.back().last) {
    if (!ranges_.empty() && range.first == ranges_.back().last + 1)
      ranges_.back().last = range.last;
    else
      ranges_.push_back(range);
    return;
  }
  ranges_.push_back(range);
  normalise();
}

bool sequence_set::fits(std::uint32_t count) const noexcept {
  if (star_from_ != 0 && count == 0)
    return false;
  return ranges_.empty() || ranges_.back().last <= count;
}

std::vector<number_range> sequence_set::resolve(std::uint32_t largest) const {
  if (star_from_ == 0 || largest == 0)
    return ranges_;
  auto with_star = ranges_;
  with_star.push_back({std::min(star_from_, largest), largest});
  return of(std::move(with_star)).ranges_;
}

bool sequence_set::contains(std::uint32_t number, std::uint32_t largest) const noexcept {
  if (star_from_ != 0 && number <= largest && number >= std::min(star_from_, largest) && number != 0)
    return true;
  auto after = std::upper_bound(ranges_.begin(), ranges_.end(), number,
                                [](std::uint32_t n, number_range r) { return n < r.first; });
  return after != ranges_.begin() && number <= std::prev(after)->last;
}

std::uint64_t sequence_set::count() const noexcept {
  std::uint64_t total = 0;
  for (auto range : ranges_)
    total += std::uint64_t{range.last} - range.first + 1;
  return total;
}

void sequence_set::write(std::string& out) const {
  if (saved_) {
    out += '$';
    return;
  }
  bool first = true;
  auto separate = [&] {
    if (!first)
      out += ',';
    first = false;
  };
  for (auto range : ranges_) {
    separate();
    write_decimal(range.first, out);
    if (range.last != range.first) {
      out += ':';
      write_decimal(range.last, out);
    }
  }
  if (star_from_ != 0) {
    separate();
    if (star_from_ != largest_number) {
      write_decimal(star_from_, out);
      out += ':';
    }
    out += '*';
  }
}

} // namespace merpati::imap
