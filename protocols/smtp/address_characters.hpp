// Character classes of RFC 5321 4.1.2 and RFC 6531 3.3, shared by the address parser and writer.
#pragma once

#include <string_view>

#include "base/ascii.hpp"

namespace merpati::smtp {

constexpr bool is_high(char c) noexcept {
  return (static_cast<unsigned char>(c) & 0x80u) != 0;
}

/// atext (RFC 5322 3.2.3); with `utf8` also UTF8-non-ascii.
constexpr bool is_atom_character(char c, bool utf8) noexcept {
  return ascii::is_alnum(c) || (utf8 && is_high(c))
         || (c != '\0' && std::string_view("!#$%&'*+-/=?^_`{|}~").find(c) != std::string_view::npos);
}

constexpr bool is_domain_character(char c, bool utf8) noexcept {
  return ascii::is_alnum(c) || c == '-' || c == '.' || (utf8 && is_high(c));
}

} // namespace merpati::smtp
