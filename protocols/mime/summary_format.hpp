// How a summary is laid out, shared by its writer and its reader.
//
//   version     1 octet
//   flags       1 octet: flag_attachment, flag_degraded, flag_date
//   thread key  8 octets, least significant first
//   numbers     octets, header octets, lines; with flag_date also sent UTC and zone, zigzag
//   strings     each with its length before it: ENVELOPE, BODYSTRUCTURE, part map, subject, from, to, cc, bcc,
//               message id, in-reply-to, references
//
// The part map has the parts from the front to the back, parents before their children, each as
//
//   flags       1 octet: bits 0-1 kind, 2-4 encoding, then part_text, part_charset,
//               part_message_root
//   numbers     header's distance from the end of what is before it (the sibling's body, or the parent's header),
//               header octets, body octets; of a multipart also its number of children
//   charset     with part_charset: length and octets
//
// Numbers are base 128, least significant group first, the high bit set on all but the last octet.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace merpati::mime {

inline constexpr std::uint8_t summary_version = 1;

/// Of the summary.
inline constexpr unsigned flag_attachment = 1;
inline constexpr unsigned flag_degraded = 2;
inline constexpr unsigned flag_date = 4;

/// Of a part.
inline constexpr unsigned part_text = 0x20;
inline constexpr unsigned part_charset = 0x40;
inline constexpr unsigned part_message_root = 0x80;

inline void append_varint(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7)
    out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
}

inline std::uint64_t zigzag(std::int64_t value) noexcept {
  return static_cast<std::uint64_t>(value) << 1 ^ static_cast<std::uint64_t>(value >> 63);
}
inline std::int64_t unzigzag(std::uint64_t value) noexcept {
  return static_cast<std::int64_t>(value >> 1) ^ -static_cast<std::int64_t>(value & 1);
}

/// Reads what the functions above wrote. Past the end or where a number is too long everything gives nothing.
class summary_reader {
public:
  explicit summary_reader(std::string_view octets) noexcept : rest_(octets) {}

  bool empty() const noexcept { return rest_.empty(); }
  std::optional<std::uint8_t> octet() noexcept {
    if (rest_.empty())
      return std::nullopt;
    const auto value = static_cast<std::uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    return value;
  }
  std::optional<std::uint64_t> number() noexcept {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < rest_.size() && i < 10; ++i) {
      const auto group = static_cast<std::uint8_t>(rest_[i]);
      if (i == 9 && group > 1)
        break;
      value |= static_cast<std::uint64_t>(group & 0x7F) << (7 * i);
      if ((group & 0x80) == 0) {
        rest_.remove_prefix(i + 1);
        return value;
      }
    }
    return std::nullopt;
  }
  std::optional<std::string_view> octets(std::uint64_t count) noexcept {
    if (count > rest_.size())
      return std::nullopt;
    const auto text = rest_.substr(0, static_cast<std::size_t>(count));
    rest_.remove_prefix(text.size());
    return text;
  }
  std::optional<std::string_view> string() noexcept {
    const auto length = number();
    return length ? octets(*length) : std::nullopt;
  }

private:
  std::string_view rest_;
};

} // namespace merpati::mime
