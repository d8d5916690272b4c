// Writes a message as a multi-line text that ends with a line of one dot: SMTP DATA on the way out (RFC 5321 4.5.2)
// and POP3's RETR and TOP (RFC 1939 3). Streaming: the message may be cut at any octet.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace merpati::text {

/// What becomes of a CR or LF that is not part of CRLF.
enum class bare_newlines : std::uint8_t {
  to_crlf, ///< each becomes CRLF, so that no reader can see an end of text which isn't one
  keep,    ///< passed on as it is
};

class dot_stuffing_writer {
public:
  explicit dot_stuffing_writer(bare_newlines how = bare_newlines::to_crlf) noexcept : how_(how) {}

  /// Appends the next piece to `out`, with a second dot before a dot that begins a line.
  void write(std::string_view piece, std::string& out);

  /// Appends CRLF unless the text ended with one (or was empty), and the line with the dot. Ready for the next text.
  void finish(std::string& out);

private:
  bare_newlines how_;
  bool at_line_start_ = true;
  bool after_cr_ = false;
};

} // namespace merpati::text
