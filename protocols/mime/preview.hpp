// The first words of a message, for lists of messages on small screens (RFC 8970).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace merpati::mime {

/// RFC 8970 3.1 advises 200 characters.
inline constexpr std::size_t preview_characters = 200;
/// Of a part's octets these are enough: newsletters begin with some KiB of style.
inline constexpr std::size_t preview_octets = 64 * 1024;

/// The beginning of `text` (UTF-8; of a text/plain or text/html part, which is told from its look) in one line: without
/// markup, quoted lines and repeated white space, at most preview_characters long. Empty: there are no words.
std::string preview(std::string_view text);

} // namespace merpati::mime
