// UTF-8, one character at a time (RFC 3629: no surrogates, no overlong forms, up to U+10FFFF).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace merpati::mime {

inline constexpr std::string_view replacement_character = "\xEF\xBF\xBD"; // U+FFFD

/// What the beginning of some octets is.
struct utf8_step {
  enum class kind : std::uint8_t { good, bad, incomplete };
  kind what;
  std::uint8_t length; ///< of the character; of a bad one the octets to pass over
  char32_t value;      ///< of a good one
};

/// `octets` is not empty.
inline utf8_step next_character(std::string_view octets) noexcept {
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(octets[i]); };
  const auto first = at(0);
  if (first < 0x80)
    return {utf8_step::kind::good, 1, first};
  const std::uint8_t length = first >= 0xC2 && first <= 0xDF   ? 2
                              : first >= 0xE0 && first <= 0xEF ? 3
                              : first >= 0xF0 && first <= 0xF4 ? 4
                                                               : 0;
  if (length == 0)
    return {utf8_step::kind::bad, 1, 0};
  char32_t value = first & (0x7Fu >> length);
  for (std::uint8_t i = 1; i < length; ++i) {
    if (i == octets.size())
      return {utf8_step::kind::incomplete, i, 0};
    const auto c = at(i);
    const auto low = i == 1 && first == 0xE0 ? 0xA0 : i == 1 && first == 0xF0 ? 0x90 : 0x80;
    const auto high = i == 1 && first == 0xED ? 0x9F : i == 1 && first == 0xF4 ? 0x8F : 0xBF;
    if (c < low || c > high)
      return {utf8_step::kind::bad, i, 0};
    value = value << 6 | (c & 0x3Fu);
  }
  return {utf8_step::kind::good, length, value};
}

inline void append_utf8(std::string& out, char32_t c) {
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xC0 | c >> 6);
    out += static_cast<char>(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    out += static_cast<char>(0xE0 | c >> 12);
    out += static_cast<char>(0x80 | (c >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (c & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | c >> 18);
    out += static_cast<char>(0x80 | (c >> 12 & 0x3F));
    out += static_cast<char>(0x80 | (c >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (c & 0x3F));
  }
}

/// Length of the ASCII that `octets` begins with.
inline std::size_t ascii_prefix(std::string_view octets) noexcept {
  std::size_t i = 0;
  for (; i + 16 <= octets.size(); i += 16) {
    unsigned char any = 0;
    for (std::size_t j = 0; j < 16; ++j)
      any |= static_cast<unsigned char>(octets[i + j]);
    if ((any & 0x80) != 0)
      break;
  }
  while (i < octets.size() && static_cast<unsigned char>(octets[i]) < 0x80)
    ++i;
  return i;
}

} // namespace merpati::mime
