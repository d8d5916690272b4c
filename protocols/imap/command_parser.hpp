// One complete command, with its literals in place, to a value (RFC 9051 9, RFC 3501 9 and the extensions offered).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "protocols/imap/command.hpp"
#include "protocols/imap/limits.hpp"

namespace merpati::imap {

/// How text is to be understood.
struct parse_mode {
  bool utf8 = false; ///< UTF-8 in quoted strings and mailbox names instead of modified UTF-7
  bool rev2 = false; ///< IMAP4rev2 is enabled: SEARCH answers with ESEARCH
};

/// Reads `text`: everything from the tag to the last octet before the final CRLF, literals as "{n}" CRLF octets.
/// errc::invalid: BAD, the text names what was expected; errc::too_big, errc::too_many: a limit;
/// errc::not_found: NO [BADCHARSET].
result<command> parse_command(std::string_view text, const parse_mode& mode, const limits& bounds);

/// The beginning of an APPEND or REPLACE up to the announcement of its message's literal: `text` ends with "{n}" or
/// "{n+}", without CRLF. errc::unavailable: the literal at the end isn't the message but the mailbox name. Else as
/// parse_command.
result<command> parse_append(std::string_view text, const parse_mode& mode, const limits& bounds);

/// How an APPEND, REPLACE or UID REPLACE begins.
struct append_head {
  bool replace = false;
  bool uid = false;
  std::string_view arguments; ///< what is behind the verb
};
/// Nothing when `text` begins another command.
std::optional<append_head> append_head_of(std::string_view text) noexcept;

/// What stands before a further message of an APPEND (RFC 3502): " (flags) date {n}"; the mailbox is left empty. Errors
/// as of parse_command.
result<commands::append> parse_further_message(std::string_view text, const parse_mode& mode, const limits& bounds);

/// The tag that `text` begins with; empty when there is none.
std::string_view tag_of(std::string_view text) noexcept;
/// The command's name after the tag, as sent; empty when there is none.
std::string_view verb_of(std::string_view text) noexcept;

/// The announcement of a literal at the end of a line: "{n}", "{n+}" or "~{n}".
struct literal_mark {
  std::uint64_t size_bytes = 0;
  bool synchronising = true;
  bool binary = false;
  std::size_t text_length = 0; ///< octets of the announcement
};

/// The announcement at the end of `line` (without CRLF), if there is one.
std::optional<literal_mark> literal_at_end(std::string_view line) noexcept;

} // namespace merpati::imap
