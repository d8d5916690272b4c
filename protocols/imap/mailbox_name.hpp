// Mailbox names on the wire: modified UTF-7 (RFC 3501 5.1.3) or UTF-8 (RFC 9051 5.1), and what a name may be.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "protocols/imap/limits.hpp"

namespace merpati::imap {

/// UTF-8 to modified UTF-7. Octets that are not UTF-8 become U+FFFD.
std::string encode_utf7(std::string_view utf8);
/// Modified UTF-7 to UTF-8; errc::invalid unless it is the one form that RFC 3501 5.1.3 allows.
result<std::string> decode_utf7(std::string_view text);

/// A name from the wire in its canonical form: UTF-8, INBOX (and INBOX/...) in capitals. With `utf8` the octets are
/// taken as UTF-8; else as modified UTF-7, or, when they aren't, as UTF-8 (clients send both). errc::invalid: no UTF-8,
/// control characters, empty; errc::too_big: longer or deeper than the limits.
result<std::string> canonical_mailbox_name(std::string_view wire, bool utf8, const limits& bounds);

/// Whether a mailbox of this (canonical) name may be made: no empty level, no % or *, nothing but a name.
result<void> check_new_mailbox_name(std::string_view name, const limits& bounds);

bool valid_utf8(std::string_view text) noexcept;

} // namespace merpati::imap
