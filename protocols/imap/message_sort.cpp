#include "protocols/imap/message_sort.hpp"

#include <algorithm>

#include "protocols/imap/response_writer.hpp"
#include "protocols/imap/search_program.hpp"
#include "protocols/mime/decoder.hpp"
#include "protocols/mime/fields.hpp"

namespace merpati::imap {

namespace {

using kind = sort_key::kind;

bool is_number(kind what) noexcept {
  return what == kind::arrival || what == kind::date || what == kind::size;
}

std::int64_t number_of(kind what, const message_item& item, const mime::summary_view& summary) {
  switch (what) {
  case kind::arrival: return item.internal_date.time_since_epoch().count();
  case kind::size: return static_cast<std::int64_t>(item.size_bytes);
  default: return sent_date(item, summary);
  }
}

std::string text_of(kind what, const mime::summary_view& summary) {
  switch (what) {
  case kind::cc: return summary.sort_mailbox(mime::address_field::cc);
  case kind::from: return summary.sort_mailbox(mime::address_field::from);
  case kind::to: return summary.sort_mailbox(mime::address_field::to);
  case kind::display_from: return summary.sort_display(mime::address_field::from);
  case kind::display_to: return summary.sort_display(mime::address_field::to);
  default: return mime::parse_base_subject(summary.subject()).text;
  }
}

} // namespace

std::int64_t sent_date(const message_item& item, const mime::summary_view& summary) {
  if (const auto sent = summary.sent_utc())
    return *sent;
  return std::chrono::floor<std::chrono::seconds>(item.internal_date).time_since_epoch().count();
}

std::string collation_key(std::string_view utf8) {
  return mime::fold_case(utf8);
}

bool message_sorter::needs_summary() const noexcept {
  return std::any_of(program_.begin(), program_.end(),
                     [](const sort_key& key) { return key.what != kind::arrival && key.what != kind::size; });
}

void message_sorter::add(std::uint32_t number, const message_item& item, const mime::summary_view& summary) {
  entry e;
  e.number = number;
  for (const auto& key : program_)
    if (is_number(key.what))
      e.numbers.push_back(number_of(key.what, item, summary));
    else
      e.texts.push_back(collation_key(text_of(key.what, summary)));
  entries_.push_back(std::move(e));
}

bool message_sorter::before(const entry& a, const entry& b) const {
  std::size_t number = 0;
  std::size_t text = 0;
  for (const auto& key : program_) {
    std::strong_ordering order = std::strong_ordering::equal;
    if (is_number(key.what)) {
      order = a.numbers[number] <=> b.numbers[number];
      ++number;
    } else {
      order = a.texts[text] <=> b.texts[text];
      ++text;
    }
    if (order != std::strong_ordering::equal)
      return key.reverse ? order == std::strong_ordering::greater : order == std::strong_ordering::less;
  }
  return false;
}

std::vector<std::uint32_t> message_sorter::sorted() && {
  std::stable_sort(entries_.begin(), entries_.end(), [this](const entry& a, const entry& b) { return before(a, b); });
  std::vector<std::uint32_t> out;
  out.reserve(entries_.size());
  for (const auto& each : entries_)
    out.push_back(each.number);
  return out;
}

namespace {

/// Runs of ascending numbers in the order given: "5,2:4".
void write_in_order(const std::vector<std::uint32_t>& numbers, std::string& out) {
  for (std::size_t at = 0; at < numbers.size();) {
    auto last = at;
    while (last + 1 < numbers.size() && numbers[last + 1] == numbers[last] + 1)
      ++last;
    if (at != 0)
      out += ',';
    write_number(numbers[at], out);
    if (last != at) {
      out += ':';
      write_number(numbers[last], out);
    }
    at = last + 1;
  }
}

void write_extended(std::string_view tag, const commands::sort& command, const std::vector<std::uint32_t>& sorted,
                    std::uint64_t highest_modseq, std::string& out) {
  if (command.returns == search_return::save) // RFC 5182 2.1: nothing is told
    return;
  out += "* ESEARCH (TAG ";
  write_string(tag, false, out);
  out += ')';
  if (command.uid)
    out += " UID";
  const auto number = [&](std::uint8_t bit, std::string_view name, std::uint64_t value) {
    if ((command.returns & bit) == 0)
      return;
    out += name;
    write_number(value, out);
  };
  if (!sorted.empty()) {
    number(search_return::min, " MIN ", sorted.front());
    number(search_return::max, " MAX ", sorted.back());
    if ((command.returns & search_return::all) != 0) {
      out += " ALL ";
      write_in_order(sorted, out);
    }
  }
  number(search_return::count, " COUNT ", sorted.size());
  if (uses_modseq(command.key) && !sorted.empty()) {
    out += " MODSEQ ";
    write_number(highest_modseq, out);
  }
  out += "\r\n";
}

} // namespace

void write_sort_result(std::string_view tag, const commands::sort& command, const std::vector<std::uint32_t>& sorted,
                       std::uint64_t highest_modseq, std::string& out) {
  if (command.extended)
    return write_extended(tag, command, sorted, highest_modseq, out);
  out += "* SORT";
  for (auto number : sorted) {
    out += ' ';
    write_number(number, out);
  }
  if (uses_modseq(command.key) && !sorted.empty()) {
    out += " (MODSEQ ";
    write_number(highest_modseq, out);
    out += ')';
  }
  out += "\r\n";
}

} // namespace merpati::imap
