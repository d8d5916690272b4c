// The boundaries of all multiparts that are open, and which of them a line is the delimiter of.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace merpati::mime {

/// RFC 2046 5.1.1: a boundary at the beginning of a line suffices, whatever follows it. Where one open boundary is the
/// beginning of another the longer one counts, and of equal ones the innermost.
class boundary_set {
public:
  bool empty() const noexcept { return entries_.empty(); }
  void clear() noexcept { entries_.clear(); }

  void add(std::string_view boundary, std::size_t level);
  void remove(std::string_view boundary, std::size_t level);

  struct match {
    std::size_t level = 0;
    std::size_t length = 0; ///< of the boundary
  };
  /// `text` is a line without its leading "--".
  std::optional<match> find(std::string_view text) const;

private:
  struct entry {
    std::string boundary;
    std::size_t level;
    auto operator<=>(const entry&) const = default;
  };
  std::vector<entry> entries_; // sorted
};

} // namespace merpati::mime
