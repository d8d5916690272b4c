#include "protocols/text/utf8.hpp"

#include <cstdint>
#include <cstring>

#include <unicode/utf8.h>

namespace merpati::text {

bool is_ascii(std::string_view text) noexcept {
  constexpr std::uint64_t high_bits = 0x8080808080808080u;
  auto word_at = [](const char* p) {
    std::uint64_t word;
    std::memcpy(&word, p, sizeof word);
    return word;
  };
  const char* p = text.data();
  auto left = text.size();
  for (; left >= 64; p += 64, left -= 64) {
    std::uint64_t all = 0;
    for (int i = 0; i != 8; ++i)
      all |= word_at(p + 8 * i);
    if (all & high_bits)
      return false;
  }
  for (; left >= 8; p += 8, left -= 8)
    if (word_at(p) & high_bits)
      return false;
  for (; left != 0; ++p, --left)
    if (static_cast<unsigned char>(*p) & 0x80u)
      return false;
  return true;
}

bool is_utf8(std::string_view text) noexcept {
  if (is_ascii(text))
    return true;
  const auto* octets = reinterpret_cast<const std::uint8_t*>(text.data());
  for (std::size_t i = 0, n = text.size(); i < n;) {
    UChar32 c = 0;
    U8_NEXT(octets, i, n, c);
    if (c < 0)
      return false;
  }
  return true;
}

} // namespace merpati::text
