#include "protocols/mime/boundary_set.hpp"

#include <algorithm>

namespace merpati::mime {

void boundary_set::add(std::string_view boundary, std::size_t level) {
  entry e{std::string(boundary), level};
  entries_.insert(std::upper_bound(entries_.begin(), entries_.end(), e), std::move(e));
}

void boundary_set::remove(std::string_view boundary, std::size_t level) {
  const entry e{std::string(boundary), level};
  if (auto at = std::lower_bound(entries_.begin(), entries_.end(), e); at != entries_.end() && *at == e)
    entries_.erase(at);
}

std::optional<boundary_set::match> boundary_set::find(std::string_view text) const {
  // [low, high) are the entries that begin with the first `length` octets of `text`, as in a trie.
  auto low = entries_.begin();
  auto high = entries_.end();
  std::optional<match> best;
  for (std::size_t length = 0;; ++length) {
    for (; low != high && low->boundary.size() == length; ++low)
      best = match{low->level, length};
    if (low == high || length == text.size())
      return best;
    if (high - low == 1)
      return text.substr(length).starts_with(std::string_view(low->boundary).substr(length))
                 ? match{low->level, low->boundary.size()}
                 : best;
    const auto c = static_cast<unsigned char>(text[length]);
    const auto octet = [length](const entry& e) { return static_cast<unsigned char>(e.boundary[length]); };
    if (octet(*low) == c && octet(*(high - 1)) == c)
      continue;
    low = std::partition_point(low, high, [&](const entry& e) { return octet(e) < c; });
    high = std::partition_point(low, high, [&](const entry& e) { return octet(e) == c; });
  }
}

} // namespace merpati::mime
