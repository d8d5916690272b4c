// Decodes what follows DATA (RFC 5321 4.5.2): finds the end, removes the stuffed dots, and reports what a careful
// server has to know. Works at the speed of memchr; the decoded octets are views into the input.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "protocols/smtp/message_findings.hpp"

namespace merpati::smtp {

class data_decoder {
public:
  using findings = message_findings;

  struct piece {
    std::string_view decoded; ///< view into the input (or a constant); may be empty
    std::size_t consumed = 0; ///< octets of the input that are done with; all of it unless `end` or a dot was removed
    bool end = false;         ///< CRLF.CRLF was consumed; what follows is the next command
  };

  /// Decodes the next piece of `input`; call it again with the rest while there is any and not `end`. Only CRLF "."
  /// CRLF ends the message (or "." CRLF at its very beginning); the CRLF before the dot belongs to the message. A dot
  /// that begins a line and does not end the message is dropped. CR and LF elsewhere are passed on and noted.
  piece decode(std::string_view input);

  const findings& found() const noexcept { return found_; }

  /// Ready for the next message.
  void reset() noexcept;

private:
  enum class place : std::uint8_t { line_start, after_dot, after_dot_cr, in_line, after_cr };

  const char* scan(const char* begin, const char* end) noexcept;
  void end_line(std::uint64_t cr_position) noexcept;

  findings found_;
  std::uint64_t line_start_ = 0; ///< decoded octets before the current line
  place place_ = place::line_start;
};

} // namespace merpati::smtp
