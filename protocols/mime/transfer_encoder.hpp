// Writes a part's octets so that they pass as lines of ASCII: quoted-printable (RFC 2045 6.7) or base64 (6.8).
// Streaming: holds a few octets only, and the same text results from any cut.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "protocols/mime/message.hpp"

namespace merpati::mime {

class transfer_encoder {
public:
  /// `how` is quoted_printable or base64.
  explicit transfer_encoder(transfer_encoding how) noexcept : base64_(how == transfer_encoding::base64) {}

  /// Appends what is complete by now. In quoted-printable a CRLF stays the end of a line; a CR or LF of its own is
  /// an octet like others. No line that was not there begins with a hyphen, so that none looks like a boundary.
  void feed(std::string_view octets, std::string& out);
  /// Appends the rest. `ends_line`: the last line gets a line end that means nothing (of a part it is the boundary's).
  void finish(std::string& out, bool ends_line);

private:
  void feed_base64(std::string_view octets, std::string& out);
  void write_group(std::string& out);
  void feed_printable(char c, std::string& out);
  void put(char c, bool escaped, std::string& out);
  void put_held_white(bool escaped, std::string& out);

  bool base64_;
  std::size_t column_ = 0;
  std::string group_;      ///< base64: less than three octets
  char held_white_ = '\0'; ///< it may turn out to end a line
  bool held_cr_ = false;
};

} // namespace merpati::mime
