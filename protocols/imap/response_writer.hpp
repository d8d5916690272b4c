// Pieces of IMAP responses (RFC 9051 9): strings in their proper encoding, flags, mailbox data. Everything appends to
// one std::string.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "protocols/imap/command.hpp"
#include "protocols/imap/mailbox_snapshot.hpp"
#include "protocols/imap/sequence_set.hpp"

namespace merpati::imap {

void write_number(std::uint64_t n, std::string& out);

/// A quoted string where its octets allow it, else a literal. `utf8`: UTF-8 may be quoted (after ENABLE IMAP4rev2 or
/// UTF8=ACCEPT). NUL octets are left out: no string can hold them.
void write_string(std::string_view text, bool utf8, std::string& out);
/// An atom where possible, else as write_string.
void write_astring(std::string_view text, bool utf8, std::string& out);
/// A mailbox name given in UTF-8: modified UTF-7 unless `utf8` (RFC 3501 5.1.3).
void write_mailbox_name(std::string_view name, bool utf8, std::string& out);

/// "(\Seen $Junk)"; keyword bits without a name are left out.
void write_flags(std::uint8_t system, std::uint64_t keyword_bits, const std::vector<std::string>& keywords,
                 std::string& out);
/// "dd-Mon-yyyy hh:mm:ss +0000" in quotes.
void write_date_time(timestamp t, std::string& out);

/// "* FLAGS (...)" and, unless `read_only`, "* OK [PERMANENTFLAGS (... \*)]"; `\*` only while keywords can be added.
void write_flags_response(const std::vector<std::string>& keywords, bool read_only, std::string& out);

/// What SELECT and EXAMINE tell before the tagged OK (RFC 9051 6.3.2): FLAGS, PERMANENTFLAGS, EXISTS, UIDVALIDITY,
/// UIDNEXT, HIGHESTMODSEQ with `condstore`, MAILBOXID (RFC 8474) and the LIST of rev2; RECENT and UNSEEN for rev1.
void write_select_responses(const mailbox_snapshot& box, std::string_view name, bool read_only, bool rev2, bool utf8,
                            bool condstore, std::string& out);

/// One mailbox of a LIST or LSUB response.
struct list_entry {
  std::string name;       ///< UTF-8
  bool exists = true;     ///< false: \NonExistent
  bool selectable = true; ///< false: \Noselect
  bool no_inferiors = false;
  std::optional<bool> has_children; ///< nothing: not told
  bool subscribed = false;
  std::uint32_t special_use = 0;
  /// RECURSIVEMATCH: a subscribed mailbox below matches (RFC 9051 6.3.9.6, CHILDINFO).
  bool child_subscribed = false;
};

/// What of a list_entry is told.
struct list_style {
  bool lsub = false;
  bool utf8 = false;
  bool tell_subscribed = false;
  bool tell_special_use = true; ///< RFC 6154 2 allows it in any LIST
};

void write_list(const list_entry& entry, const list_style& style, std::string& out);
/// The answer to LIST "" "": the hierarchy delimiter.
void write_list_delimiter(bool lsub, std::string& out);

/// The counters behind STATUS.
struct status_values {
  std::uint32_t messages = 0;
  std::uint32_t uid_next = 0;
  std::uint32_t uid_validity = 0;
  std::uint32_t unseen = 0;
  std::uint32_t deleted = 0;
  std::uint64_t size_bytes = 0;
  std::uint64_t highest_modseq = 0;
  std::uint64_t mailbox_id = 0;
  std::uint64_t deleted_bytes = 0;
  std::uint64_t append_limit_bytes = 0;
};

void write_status(std::string_view name, std::uint32_t items, const status_values& values, bool utf8, std::string& out);

/// One resource of a quota root (RFC 9208 5): "STORAGE" in units of 1,024 octets, "MESSAGE".
struct quota_resource {
  std::string_view name;
  std::uint64_t used = 0;
  std::uint64_t limit = 0;
};
void write_quota(std::string_view root, std::span<const quota_resource> resources, std::string& out);
void write_quota_root(std::string_view mailbox, std::string_view root, bool utf8, std::string& out);

/// RFC 7162 3.2.10. `earlier`: the client asked what is gone since it was here last. Nothing for an empty set.
void write_vanished(const sequence_set& uids, bool earlier, std::string& out);

void write_exists(std::uint32_t count, std::string& out);

/// "COPYUID validity source destination" as a response code (RFC 9051 7.1). Both lists in the order of copying, equally
/// long; empty when nothing was copied.
std::string copy_uid_code(std::uint32_t uid_validity, std::span<const std::uint32_t> from,
                          std::span<const std::uint32_t> to);

/// "M<number>" and the like: object ids of RFC 8474 from our numbers, one letter for each kind.
void write_object_id(char kind, std::uint64_t number, std::string& out);

} // namespace merpati::imap
