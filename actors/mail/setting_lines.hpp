// The text that the store keeps for the router and the waiting list: lines of "key value", or of a key alone.
#pragma once

#include <string>
#include <string_view>

namespace merpati::mail {

/// Appends a line. Line ends inside `value` become spaces: titles come from people.
inline void put_line(std::string& out, std::string_view key, std::string_view value) {
  out.append(key) += ' ';
  for (char c : value)
    out += c == '\n' || c == '\r' ? ' ' : c;
  out += '\n';
}

/// The lines of a text one after the other.
class line_walker {
public:
  explicit line_walker(std::string_view text) : rest_(text) {}
  /// False at the end, and where a line has no end.
  bool next() {
    const auto end = rest_.find('\n');
    if (end == std::string_view::npos)
      return false;
    const auto line = rest_.substr(0, end);
    rest_.remove_prefix(end + 1);
    const auto space = line.find(' ');
    key = line.substr(0, space);
    value = space == std::string_view::npos ? std::string_view() : line.substr(space + 1);
    return true;
  }
  bool at_end() const { return rest_.empty(); }

  std::string_view key, value;

private:
  std::string_view rest_;
};

} // namespace merpati::mail
