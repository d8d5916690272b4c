// UTF-8 as protocols need it: is it any (RFC 3629)?
#pragma once

#include <string_view>

namespace merpati::text {

/// True for well-formed UTF-8: no overlong forms, no surrogates, nothing above U+10FFFF.
bool is_utf8(std::string_view text) noexcept;

/// True when every octet is below 0x80.
bool is_ascii(std::string_view text) noexcept;

} // namespace merpati::text
