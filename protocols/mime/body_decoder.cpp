// RFC 2045 6.7 (quoted-printable) and 6.8 (base64), forgiving.
#include <array>

#include "protocols/mime/char_set.hpp"
#include "protocols/mime/decoder.hpp"

namespace merpati::mime {
namespace {

constexpr std::uint8_t not_base64 = 64;

constexpr std::array<std::uint8_t, 256> base64_values = [] {
  std::array<std::uint8_t, 256> table{};
  table.fill(not_base64);
  constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (std::uint8_t i = 0; i < 64; ++i)
    table[static_cast<unsigned char>(alphabet[i])] = i;
  return table;
}();

int hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9')
    return c - '0';
  if (c >= 'A' && c <= 'F')
    return c - 'A' + 10;
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; // RFC 2045 6.7 (1) has capitals only; robust readers take both
}

} // namespace

void body_decoder::feed(std::string_view octets, std::string& out) {
  switch (encoding_) {
  case transfer_encoding::base64: feed_base64(octets, out); break;
  case transfer_encoding::quoted_printable: feed_quoted_printable(octets, out); break;
  default: out += octets; break;
  }
}

void body_decoder::finish(std::string& out) {
  if (encoding_ == transfer_encoding::base64) {
    // What a missing "=" would have ended. Six bits alone make no octet.
    if (count_ > 0)
      well_formed_ = false;
    for (std::uint8_t whole = static_cast<std::uint8_t>(count_ * 6 / 8), i = 0; i < whole; ++i)
      out += static_cast<char>(bits_ >> (count_ * 6 - 8 * (i + 1)) & 0xFF);
    count_ = 0;
    bits_ = 0;
  } else if (encoding_ == transfer_encoding::quoted_printable) {
    if (pending_.starts_with('=')) {
      if (pending_.size() > 1 && hex_digit(pending_[1]) >= 0)
        out += pending_;
      well_formed_ = false; // else a soft line break that was cut off
    }
    pending_.clear(); // white space at the end of a line was added in transport
  }
}

void body_decoder::feed_base64(std::string_view octets, std::string& out) {
  const auto start = out.size();
  out.resize(start + octets.size() / 4 * 3 + 3);
  char* to = out.data() + start;
  const char* at = octets.data();
  const char* const end = at + octets.size();
  const auto value = [](char c) { return base64_values[static_cast<unsigned char>(c)]; };
  while (at != end) {
    if (count_ == 0 && end - at >= 4) {
      const auto a = value(at[0]), b = value(at[1]), c = value(at[2]), d = value(at[3]);
      if (((a | b | c | d) & not_base64) == 0) {
        well_formed_ = well_formed_ && !padded_;
        *to++ = static_cast<char>(a << 2 | b >> 4);
        *to++ = static_cast<char>(b << 4 | c >> 2);
        *to++ = static_cast<char>(c << 6 | d);
        at += 4;
        continue;
      }
    }
    const char octet = *at++;
    const auto six = value(octet);
    if (six != not_base64) {
      well_formed_ = well_formed_ && !padded_;
      bits_ = bits_ << 6 | six;
      if (++count_ == 4) {
        *to++ = static_cast<char>(bits_ >> 16);
        *to++ = static_cast<char>(bits_ >> 8);
        *to++ = static_cast<char>(bits_);
        count_ = 0;
        bits_ = 0;
      }
    } else if (octet == '=') {
      // The quantum ends; another text may follow where two were put together.
      padded_ = true;
      well_formed_ = well_formed_ && count_ != 1;
      if (count_ >= 2)
        *to++ = static_cast<char>(bits_ >> (count_ * 6 - 8));
      if (count_ == 3)
        *to++ = static_cast<char>(bits_ >> 2);
      count_ = 0;
      bits_ = 0;
    } else if (octet != '\r' && octet != '\n' && octet != ' ' && octet != '\t') {
      well_formed_ = false;
    }
  }
  out.resize(static_cast<std::size_t>(to - out.data()));
}

// pending_ holds white space that may turn out to end a line, or "=" with what came of its escape or soft line break.
// False: it is written or dropped, and `c` is still to be looked at.
bool body_decoder::continue_pending(char c, std::string& out) {
  constexpr std::size_t longest = 1'000; // RFC 5322 2.1.1: no line is longer, so that more white space is text
  const bool white = c == ' ' || c == '\t';
  if (pending_.front() != '=') {
    if (white && pending_.size() < longest) {
      pending_ += c;
      return true;
    }
    if (c != '\n' && c != '\r') // RFC 2045 6.7 (3): at the end of a line it was added in transport
      out += pending_;
    pending_.clear();
    return false;
  }
  const int first = pending_.size() > 1 ? hex_digit(pending_[1]) : -1;
  if (first >= 0) {
    const int second = hex_digit(c);
    if (second >= 0)
      out += static_cast<char>(first * 16 + second);
    else
      repair(out);
    pending_.clear();
    return second >= 0;
  }
  if (c == '\n') { // RFC 2045 6.7 (5): a soft line break
    pending_.clear();
    return true;
  }
  if (pending_.size() < longest && (white || c == '\r' || (pending_.size() == 1 && hex_digit(c) >= 0))) {
    pending_ += c;
    return true;
  }
  repair(out);
  return false;
}

// No escape: it stays as it is.
void body_decoder::repair(std::string& out) {
  well_formed_ = false;
  out += pending_;
  pending_.clear();
}

void body_decoder::feed_quoted_printable(std::string_view octets, std::string& out) {
  while (!octets.empty()) {
    if (!pending_.empty()) {
      if (continue_pending(octets.front(), out))
        octets.remove_prefix(1);
      continue;
    }
    const auto plain = octets.substr(0, char_set("= \t").find_in(octets));
    out += plain;
    octets.remove_prefix(plain.size());
    if (octets.empty())
      break;
    if (octets.front() == '=' && octets.size() > 2 && hex_digit(octets[1]) >= 0 && hex_digit(octets[2]) >= 0) {
      out += static_cast<char>(hex_digit(octets[1]) * 16 + hex_digit(octets[2]));
      octets.remove_prefix(3);
    } else if (octets.front() != '=' && octets.size() > 1 && octets[1] > ' ') {
      out += octets.front(); // white space between words
      octets.remove_prefix(1);
    } else {
      pending_ = octets.front();
      octets.remove_prefix(1);
    }
  }
}

} // namespace merpati::mime
