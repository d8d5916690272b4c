// Tagged and untagged status responses (RFC 9051 7.1) and the one table from a failure to its IMAP reply.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "protocols/imap/sequence_set.hpp"

namespace merpati::imap {

enum class reply_status : std::uint8_t { ok, no, bad };

/// A status response: "OK [code] text". `code` without brackets, may be empty; `text` empty: a default one.
struct reply {
  reply_status status = reply_status::ok;
  std::string code;
  std::string text;
};

reply ok(std::string text = {});
reply ok_code(std::string code, std::string text = {});
reply no(std::string code, std::string text);
reply bad(std::string text);

/// The NO or BAD for a failure, with the response code of RFC 5530:
/// not_found NONEXISTENT, already_exists ALREADYEXISTS, invalid CANNOT, too_big TOOBIG, too_many LIMIT, over_quota
/// OVERQUOTA, disk_full and unavailable and shutting_down UNAVAILABLE, in_use INUSE, not_permitted NOPERM, auth_failed
/// AUTHENTICATIONFAILED, corrupted CORRUPTION, internal SERVERBUG. Texts of our own faults are not shown to the client.
reply reply_for(const error& e);

/// As reply_for, for a command whose target mailbox may be missing (APPEND, COPY, MOVE): not_found is TRYCREATE.
reply reply_for_target(const error& e);

/// Appends "tag OK [code] text" CRLF. Octets that would end the line or are not text become '?'.
void write_tagged(std::string_view tag, const reply& r, std::string& out);
/// Appends "* OK [code] text" CRLF.
void write_untagged(const reply& r, std::string& out);
/// Appends "* BYE [code] text" CRLF.
void write_bye(std::string_view code, std::string_view text, std::string& out);

/// "APPENDUID validity uids" (RFC 9051 7.1).
std::string append_uid_code(std::uint32_t uid_validity, const sequence_set& ids);

} // namespace merpati::imap
