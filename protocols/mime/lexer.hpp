// The small pieces that structured header fields consist of (RFC 5322 3.2, RFC 2045 5.1).
#pragma once

#include <string>
#include <string_view>

#include "protocols/mime/char_set.hpp"

namespace merpati::mime {

constexpr bool is_white(char c) noexcept {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/// A position in an unfolded value. The take functions move it on and never past the end.
class lexer {
public:
  explicit lexer(std::string_view text) noexcept : rest_(text) {}

  bool empty() const noexcept { return rest_.empty(); }
  char peek() const noexcept { return rest_.empty() ? '\0' : rest_.front(); }
  std::string_view rest() const noexcept { return rest_; }
  void skip(std::size_t count = 1) noexcept { rest_.remove_prefix(count < rest_.size() ? count : rest_.size()); }
  bool skip_if(char c) noexcept {
    if (rest_.empty() || rest_.front() != c)
      return false;
    rest_.remove_prefix(1);
    return true;
  }

  void skip_white() noexcept {
    while (!rest_.empty() && is_white(rest_.front()))
      rest_.remove_prefix(1);
  }

  /// White space and comments. The text of the last comment goes to `comment` if there is one.
  void skip_cfws(std::string* comment = nullptr) {
    for (skip_white(); peek() == '('; skip_white())
      take_comment(comment);
  }

  /// Octets up to, not including, the first one of `stops`.
  std::string_view take_until(const char_set& stops) noexcept {
    const auto text = rest_.substr(0, stops.find_in(rest_));
    rest_.remove_prefix(text.size());
    return text;
  }

  /// A quoted string that begins here; without the quotes and backslashes. One that isn't closed goes to the end.
  std::string take_quoted() {
    std::string out;
    for (skip(); !rest_.empty();) {
      const auto plain = take_until(char_set("\"\\"));
      out += plain;
      if (skip_if('"'))
        break;
      if (skip_if('\\') && !rest_.empty()) {
        out += rest_.front();
        skip();
      }
    }
    return out;
  }

  /// A comment that begins here, with those inside of it (RFC 5322 3.2.2); the text without outer parentheses.
  void take_comment(std::string* text) {
    std::string out;
    std::size_t depth = 0;
    while (!rest_.empty()) {
      const char c = rest_.front();
      skip();
      if (c == '\\' && !rest_.empty()) {
        if (text != nullptr)
          out += rest_.front();
        skip();
        continue;
      }
      if (c == ')' && --depth == 0)
        break;
      if (text != nullptr && (c != '(' || depth > 0))
        out += c;
      depth += c == '(' ? 1 : 0;
    }
    if (text != nullptr)
      *text = std::move(out);
  }

private:
  std::string_view rest_;
};

} // namespace merpati::mime
