// The tokens of IMAP's grammar over one complete command. The first error sticks: after it every read gives an empty
// value, and ok() is false, so that grammar functions read straight on and check at loops and at the end.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "protocols/imap/command_parser.hpp"

namespace merpati::imap {

/// RFC 9051 9: ATOM-CHAR and ASTRING-CHAR.
bool is_atom_char(char c) noexcept;
inline bool is_astring_char(char c) noexcept {
  return c == ']' || is_atom_char(c);
}

class reader {
public:
  reader(std::string_view text, const parse_mode& mode, const limits& bounds)
      : text_(text), mode_(mode), bounds_(bounds) {}

  const parse_mode& mode() const noexcept { return mode_; }
  const limits& bounds() const noexcept { return bounds_; }

  bool ok() const noexcept { return !error_; }
  /// Keeps the first error.
  void fail(errc code, std::string what);
  /// "Expected <what>".
  void expected(std::string_view what);
  error take_error() { return std::move(*error_); }

  bool at_end() const noexcept { return position_ >= text_.size(); }
  std::string_view rest() const noexcept { return text_.substr(position_); }
  /// The next octet; NUL at the end and after an error.
  char peek() const noexcept { return ok() && position_ < text_.size() ? text_[position_] : '\0'; }

  /// Takes `c` if it is next.
  bool accept(char c) noexcept;
  /// Takes `word` if it is next in any case and no atom goes on after it.
  bool accept_word(std::string_view word) noexcept;
  void expect(char c);
  void space() { expect(' '); }
  /// Nothing may follow.
  void end();

  /// The octets for which `wanted` holds; at least one, else "Expected <what>".
  template <class F>
  std::string_view take_while(F&& wanted, std::string_view what) {
    auto start = position_;
    while (position_ < text_.size() && wanted(text_[position_]))
      ++position_;
    if (!ok() || position_ == start) {
      position_ = start;
      expected(what);
      return {};
    }
    return text_.substr(start, position_ - start);
  }

  std::string_view atom(std::string_view what);
  std::string astring(std::string_view what);
  /// string = quoted / literal
  std::string string(std::string_view what);
  /// nstring: nothing for NIL.
  std::optional<std::string> nstring(std::string_view what);
  bool at_string() const noexcept { return peek() == '"' || peek() == '{'; }

  std::uint64_t number64(std::string_view what);
  std::uint32_t nz_number(std::string_view what);
  /// partial-range (RFC 9394 4): "1:500", or "-1:-100" from the end; either order.
  result_range partial_range();
  sequence_set set();
  /// A mailbox name in its canonical form.
  std::string mailbox();
  /// A flag list in parentheses.
  flag_list flags();
  /// One flag into `into`.
  void flag_into(flag_list& into);
  /// date-time, in quotes.
  timestamp date_time();
  /// date, with or without quotes.
  std::chrono::sys_days date();

private:
  std::string quoted();
  std::string literal();

  std::string_view text_;
  const parse_mode& mode_;
  const limits& bounds_;
  std::size_t position_ = 0;
  std::optional<error> error_;
};

} // namespace merpati::imap
