// A set of octets, for scanning text faster than with a list of characters.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace merpati::mime {

class char_set {
public:
  consteval explicit char_set(std::string_view members) {
    for (const char c : members)
      bits_[index(c) >> 6] |= std::uint64_t{1} << (index(c) & 63);
  }

  constexpr bool contains(char c) const noexcept { return (bits_[index(c) >> 6] >> (index(c) & 63) & 1) != 0; }

  /// Where the first member is; the size of `text` if there is none.
  constexpr std::size_t find_in(std::string_view text) const noexcept {
    std::size_t i = 0;
    while (i < text.size() && !contains(text[i]))
      ++i;
    return i;
  }

private:
  static constexpr std::size_t index(char c) noexcept { return static_cast<unsigned char>(c); }
  std::array<std::uint64_t, 4> bits_{};
};

} // namespace merpati::mime
