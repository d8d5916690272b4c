#include "protocols/mime/transfer_encoder.hpp"

#include <utility>

namespace merpati::mime {
namespace {

/// RFC 2045 6.7 (5), 6.8: no line is longer.
constexpr std::size_t longest_line = 76;

constexpr char hex_digits[] = "0123456789ABCDEF";
constexpr char base64_alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

} // namespace

void transfer_encoder::feed(std::string_view octets, std::string& out) {
  if (base64_)
    return feed_base64(octets, out);
  for (const char c : octets)
    feed_printable(c, out);
}

void transfer_encoder::finish(std::string& out, bool ends_line) {
  if (base64_) {
    if (!group_.empty())
      write_group(out);
    if (ends_line && column_ != 0)
      out += "\r\n";
  } else {
    put_held_white(!held_cr_, out); // RFC 2045 6.7 (3): white space at the end would be dropped
    if (held_cr_)
      put('\r', true, out);
    if (ends_line && column_ != 0)
      out += "=\r\n";
  }
  *this = transfer_encoder(base64_ ? transfer_encoding::base64 : transfer_encoding::quoted_printable);
}

void transfer_encoder::feed_base64(std::string_view octets, std::string& out) {
  for (const char c : octets) {
    group_ += c;
    if (group_.size() == 3)
      write_group(out);
  }
}

void transfer_encoder::write_group(std::string& out) {
  if (column_ == longest_line) {
    out += "\r\n";
    column_ = 0;
  }
  const auto octet = [&](std::size_t i) { return i < group_.size() ? static_cast<unsigned char>(group_[i]) : 0u; };
  const unsigned bits = octet(0) << 16 | octet(1) << 8 | octet(2);
  out += base64_alphabet[bits >> 18];
  out += base64_alphabet[bits >> 12 & 63];
  out += group_.size() > 1 ? base64_alphabet[bits >> 6 & 63] : '=';
  out += group_.size() > 2 ? base64_alphabet[bits & 63] : '=';
  column_ += 4;
  group_.clear();
}

void transfer_encoder::feed_printable(char c, std::string& out) {
  if (held_cr_) {
    held_cr_ = false;
    if (c == '\n') {
      put_held_white(true, out);
      out += "\r\n";
      column_ = 0;
      return;
    }
    put_held_white(false, out);
    put('\r', true, out);
  }
  if (c == '\r') {
    held_cr_ = true;
    return;
  }
  put_held_white(false, out);
  if (c == ' ' || c == '\t')
    held_white_ = c;
  else
    put(c, c == '=' || c < ' ' || c == '\x7f' || static_cast<unsigned char>(c) > 0x7f, out);
}

void transfer_encoder::put(char c, bool escaped, std::string& out) {
  if (column_ + (escaped ? 3 : 1) > longest_line - 1) { // room for the "=" of a soft line break
    out += "=\r\n";
    column_ = 0;
  }
  escaped = escaped || (c == '-' && column_ == 0);
  if (escaped) {
    const auto octet = static_cast<unsigned char>(c);
    out += '=';
    out += hex_digits[octet >> 4];
    out += hex_digits[octet & 15];
  } else {
    out += c;
  }
  column_ += escaped ? 3 : 1;
}

void transfer_encoder::put_held_white(bool escaped, std::string& out) {
  if (held_white_ != '\0')
    put(std::exchange(held_white_, '\0'), escaped, out);
}

} // namespace merpati::mime
