// TOP's share of a message (RFC 1939 7): the header, the empty line, and the first lines of the body.
#pragma once

#include <cstdint>
#include <string_view>

namespace merpati::pop3 {

class top_filter {
public:
  top_filter() = default;
  explicit top_filter(std::uint32_t body_lines) noexcept : lines_left_(body_lines) {}

  /// The beginning of `piece` that belongs to the answer: all of it until the last wanted line has ended.
  std::string_view take(std::string_view piece) noexcept;

  /// Nothing more is wanted.
  bool done() const noexcept { return done_; }

private:
  std::uint32_t lines_left_ = 0;
  bool in_body_ = false;
  bool line_empty_ = true; ///< nothing but CRs in this line so far
  bool done_ = false;
};

} // namespace merpati::pop3
