// What a client can ask for, as values: the command parser makes them, the session carries them out.
// Mailbox names are UTF-8 here whatever the client sent; INBOX is always in capitals (RFC 9051 5.1).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/clock.hpp"
#include "protocols/imap/sequence_set.hpp"

namespace merpati::imap {

/// System flags as bits (RFC 9051 2.3.2); the same numbers are on disk.
namespace flag {
inline constexpr std::uint8_t seen = 1;
inline constexpr std::uint8_t answered = 2;
inline constexpr std::uint8_t flagged = 4;
inline constexpr std::uint8_t deleted = 8;
inline constexpr std::uint8_t draft = 16;
inline constexpr std::uint8_t all = 31;
} // namespace flag

/// Flags as a client names them. \Recent is accepted and dropped; other unknown \flags are refused by the parser.
struct flag_list {
  std::uint8_t system = 0;           ///< bits of namespace flag
  std::vector<std::string> keywords; ///< as written, unique but for case, at most limits::flags
  bool operator==(const flag_list&) const = default;
};

/// Special uses as bits (RFC 6154); the same numbers are on disk.
namespace special_use {
inline constexpr std::uint32_t archive = 1;
inline constexpr std::uint32_t drafts = 2;
inline constexpr std::uint32_t flagged = 4;
inline constexpr std::uint32_t junk = 8;
inline constexpr std::uint32_t sent = 16;
inline constexpr std::uint32_t trash = 32;
inline constexpr std::uint32_t all = 64;
inline constexpr std::uint32_t important = 128;
} // namespace special_use

// ---- FETCH ----

/// Which octets of a message BODY[...] names (RFC 9051 6.4.5.1).
struct body_section {
  enum class kind : std::uint8_t { whole, header, header_fields, header_fields_not, text, mime };
  std::vector<std::uint32_t> part; ///< empty: the message itself
  kind what = kind::whole;
  std::vector<std::string> fields; ///< for header_fields*, as the client wrote them
  bool operator==(const body_section&) const = default;
};

/// "<offset.length>" of a FETCH; length is never 0.
struct partial_range {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  bool operator==(const partial_range&) const = default;
};

/// One item of a FETCH that needs the stored octets, or a part's size.
struct body_item {
  enum class form : std::uint8_t {
    body,          ///< BODY[...] or BODY.PEEK[...]
    rfc822,        ///< RFC822: BODY[] under another name (RFC 3501 6.4.5)
    rfc822_header, ///< RFC822.HEADER: BODY.PEEK[HEADER]
    rfc822_text,   ///< RFC822.TEXT: BODY[TEXT]
    binary,        ///< BINARY[...] or BINARY.PEEK[...]: transfer encoding removed
    binary_size,   ///< BINARY.SIZE[...]
    preview,       ///< PREVIEW (RFC 8970), with or without LAZY: it is always made
  };
  form name = form::body;
  bool peek = false; ///< true: \Seen is left as it is
  body_section section;
  std::optional<partial_range> partial;
  bool operator==(const body_item&) const = default;
};

/// Items that a row or a stored summary answers, as bits.
namespace fetch_attribute {
inline constexpr std::uint32_t flags = 1;
inline constexpr std::uint32_t uid = 2;
inline constexpr std::uint32_t internal_date = 4;
inline constexpr std::uint32_t size = 8;
inline constexpr std::uint32_t envelope = 16;
inline constexpr std::uint32_t body = 32; ///< BODY: structure without extension data
inline constexpr std::uint32_t body_structure = 64;
inline constexpr std::uint32_t modseq = 128;     ///< RFC 7162
inline constexpr std::uint32_t save_date = 256;  ///< RFC 8514
inline constexpr std::uint32_t email_id = 512;   ///< RFC 8474
inline constexpr std::uint32_t thread_id = 1024; ///< RFC 8474
} // namespace fetch_attribute

struct fetch_items {
  std::uint32_t attributes = 0; ///< bits of namespace fetch_attribute
  std::vector<body_item> bodies;
  bool operator==(const fetch_items&) const = default;
};

// ---- SEARCH ----

/// A search criterion (RFC 9051 6.4.4); a tree, at most limits::search_depth deep.
struct search_key {
  enum class kind : std::uint8_t {
    all,
    none,       ///< RECENT and NEW: no message is \Recent here
    sequence,   ///< set of sequence numbers
    uids,       ///< set of UIDs
    flag,       ///< `number` is the bit of namespace flag that must be set
    no_flag,    ///< ... that must be clear
    keyword,    ///< `text`
    no_keyword, ///< `text`
    before,     ///< internal date; `date`
    on,
    since,
    sent_before, ///< Date: field; `date`
    sent_on,
    sent_since,
    saved_before, ///< save date (RFC 8514); `date`
    saved_on,
    saved_since,
    save_date_supported,
    older, ///< RFC 5032; `number` of seconds
    younger,
    larger, ///< `number` of octets
    smaller,
    from, ///< `text` within a header field
    to,
    cc,
    bcc,
    subject,
    header,    ///< `text` within field `field`; empty text: the field is there
    body,      ///< `text` within the body
    text,      ///< `text` within header or body
    modseq,    ///< `number` or higher (RFC 7162 3.1.5)
    email_id,  ///< `text`
    thread_id, ///< `text`
    not_,      ///< one child
    or_,       ///< two children
    and_,      ///< any number of children
  };
  kind what = kind::all;
  std::uint64_t number = 0;
  std::chrono::sys_days date{};
  std::string field;
  std::string text; ///< UTF-8
  sequence_set set;
  std::vector<search_key> children;
  bool operator==(const search_key&) const = default;
};

/// What ESEARCH is asked to return, as bits (RFC 9051 6.4.4). 0 in `commands::search::returns` with
/// `extended` false is the plain SEARCH response of RFC 3501.
namespace search_return {
inline constexpr std::uint8_t min = 1;
inline constexpr std::uint8_t max = 2;
inline constexpr std::uint8_t all = 4;
inline constexpr std::uint8_t count = 8;
inline constexpr std::uint8_t save = 16;
inline constexpr std::uint8_t partial = 32; ///< with commands::search::partial
} // namespace search_return

/// Some of a list of results (RFC 9394 4): from `first` to `last`, both from 1 on, first <= last; counted from the end
/// when `from_end`.
struct result_range {
  bool from_end = false;
  std::uint32_t first = 0;
  std::uint32_t last = 0;
  bool operator==(const result_range&) const = default;
};

/// Where `range` begins in a list of `count` results, and how many of its results are there.
struct result_slice {
  std::size_t begin = 0;
  std::size_t length = 0;
};
constexpr result_slice slice_of(const result_range& range, std::size_t count) noexcept {
  if (range.first > count)
    return {};
  const std::size_t last = range.last < count ? range.last : count;
  return {range.from_end ? count - last : range.first - 1, last - range.first + 1};
}

// ---- SORT and THREAD (RFC 5256, RFC 5957) ----

struct sort_key {
  enum class kind : std::uint8_t { arrival, cc, date, display_from, display_to, from, size, subject, to };
  kind what = kind::arrival;
  bool reverse = false;
  bool operator==(const sort_key&) const = default;
};

enum class thread_algorithm : std::uint8_t { ordered_subject, references };

// ---- LIST and STATUS ----

/// STATUS data items as bits (RFC 9051 6.3.11, RFC 7162, RFC 7889, RFC 8474, RFC 9208, RFC 3501).
namespace status_item {
inline constexpr std::uint32_t messages = 1;
inline constexpr std::uint32_t uid_next = 2;
inline constexpr std::uint32_t uid_validity = 4;
inline constexpr std::uint32_t unseen = 8;
inline constexpr std::uint32_t deleted = 16;
inline constexpr std::uint32_t size = 32;
inline constexpr std::uint32_t recent = 64; ///< RFC 3501; always 0 here
inline constexpr std::uint32_t highest_modseq = 128;
inline constexpr std::uint32_t mailbox_id = 256;
inline constexpr std::uint32_t deleted_storage = 512; ///< RFC 9208 4.1.4; octets
inline constexpr std::uint32_t append_limit = 1024;   ///< RFC 7889 3
} // namespace status_item

/// Options before the reference of LIST, as bits (RFC 5258 3, RFC 6154 3).
namespace list_select {
inline constexpr std::uint32_t subscribed = 1;
inline constexpr std::uint32_t remote = 2;
inline constexpr std::uint32_t recursive_match = 4;
inline constexpr std::uint32_t special_use = 8;
} // namespace list_select

/// Options after RETURN of LIST, as bits.
namespace list_return {
inline constexpr std::uint32_t subscribed = 1;
inline constexpr std::uint32_t children = 2;
inline constexpr std::uint32_t special_use = 4;
inline constexpr std::uint32_t status = 8; ///< with commands::list::status_items
} // namespace list_return

// ---- the commands ----

namespace commands {

struct capability {
  bool operator==(const capability&) const = default;
};
struct noop {
  bool operator==(const noop&) const = default;
};
struct logout {
  bool operator==(const logout&) const = default;
};
struct starttls {
  bool operator==(const starttls&) const = default;
};
struct login {
  std::string user;
  std::string password;
  bool operator==(const login&) const = default;
};
struct authenticate {
  std::string mechanism;                       ///< upper case
  std::optional<std::string> initial_response; ///< base64 as sent; "=" is an empty one (RFC 4959 3)
  bool operator==(const authenticate&) const = default;
};
struct enable {
  std::vector<std::string> capabilities; ///< upper case
  bool operator==(const enable&) const = default;
};
struct id {
  std::vector<std::pair<std::string, std::string>> fields; ///< NIL values are left out
  bool operator==(const id&) const = default;
};
struct get_namespace {
  bool operator==(const get_namespace&) const = default;
};
/// What a client remembers of a mailbox (RFC 7162 3.2.5). The pairs of sequence numbers and UIDs that it may add are
/// for servers that forget tombstones, and are not kept.
struct known_mailbox {
  std::uint32_t uid_validity = 0;
  std::uint64_t modseq = 0;
  std::optional<sequence_set> uids; ///< without '*'; nothing: all
  bool operator==(const known_mailbox&) const = default;
};
struct select {
  std::string mailbox;
  bool read_only = false;             ///< EXAMINE
  bool condstore = false;             ///< RFC 7162 3.1.8
  std::optional<known_mailbox> known; ///< QRESYNC
  bool operator==(const select&) const = default;
};
struct create {
  std::string mailbox;           ///< a trailing '/' is taken off
  std::uint32_t special_use = 0; ///< RFC 6154 3
  bool operator==(const create&) const = default;
};
struct delete_mailbox {
  std::string mailbox;
  bool operator==(const delete_mailbox&) const = default;
};
struct rename {
  std::string from;
  std::string to;
  bool operator==(const rename&) const = default;
};
struct subscribe {
  std::string mailbox;
  bool operator==(const subscribe&) const = default;
};
struct unsubscribe {
  std::string mailbox;
  bool operator==(const unsubscribe&) const = default;
};
struct list {
  std::uint32_t select = 0; ///< bits of namespace list_select
  std::string reference;
  std::vector<std::string> patterns; ///< with % and *; one empty pattern asks for the hierarchy delimiter
  std::uint32_t returns = 0;         ///< bits of namespace list_return
  std::uint32_t status_items = 0;    ///< bits of namespace status_item
  bool extended = false;             ///< written with LIST-EXTENDED's syntax
  bool operator==(const list&) const = default;
};
struct lsub {
  std::string reference;
  std::string pattern;
  bool operator==(const lsub&) const = default;
};
struct status {
  std::string mailbox;
  std::uint32_t items = 0; ///< bits of namespace status_item
  bool operator==(const status&) const = default;
};
/// Which message of the open mailbox gives way to the new one (RFC 8508).
struct replaced_message {
  bool uid = false;         ///< `number` is a UID
  std::uint32_t number = 0; ///< 0: the last message ("*")
  bool operator==(const replaced_message&) const = default;
};
/// Everything of APPEND or REPLACE before the message's octets.
struct append {
  std::optional<replaced_message> replaces; ///< REPLACE
  std::string mailbox;
  flag_list flags;
  std::optional<timestamp> internal_date;
  std::uint64_t size_bytes = 0;
  bool binary = false; ///< literal8: the message may hold NUL (RFC 3516 4.4)
  bool operator==(const append&) const = default;
};
struct close {
  bool operator==(const close&) const = default;
};
struct unselect {
  bool operator==(const unselect&) const = default;
};
struct expunge {
  std::optional<sequence_set> uids; ///< UID EXPUNGE (RFC 4315 2.1)
  bool operator==(const expunge&) const = default;
};
struct search {
  bool uid = false;         ///< answers are UIDs
  bool extended = false;    ///< RETURN was given, or IMAP4rev2 is enabled: answer with ESEARCH
  std::uint8_t returns = 0; ///< bits of namespace search_return; ALL when RETURN () was empty
  std::optional<result_range> partial;
  search_key key; ///< strings already in UTF-8
  bool operator==(const search&) const = default;
};
struct sort {
  bool uid = false;
  bool extended = false;    ///< RETURN was given (RFC 5267 3): answer with ESEARCH
  std::uint8_t returns = 0; ///< as of search
  std::vector<sort_key> by; ///< at least one
  search_key key;
  bool operator==(const sort&) const = default;
};
struct thread {
  bool uid = false;
  thread_algorithm how = thread_algorithm::references;
  search_key key;
  bool operator==(const thread&) const = default;
};
struct fetch {
  bool uid = false; ///< `set` holds UIDs
  sequence_set set;
  fetch_items items;                          ///< has the UID bit when `uid`
  std::optional<std::uint64_t> changed_since; ///< RFC 7162 3.1.4.1
  bool vanished = false;                      ///< those that are gone since then too (RFC 7162 3.2.6)
  std::optional<result_range> partial;        ///< of UID FETCH: some of the messages named (RFC 9394 3.3)
  bool operator==(const fetch&) const = default;
};
struct store {
  enum class mode : std::uint8_t { replace, add, remove };
  bool uid = false;
  sequence_set set;
  mode how = mode::replace;
  bool silent = false;
  flag_list flags;
  std::optional<std::uint64_t> unchanged_since; ///< RFC 7162 3.1.3
  bool operator==(const store&) const = default;
};
struct copy {
  bool uid = false;
  sequence_set set;
  std::string mailbox;
  bool operator==(const copy&) const = default;
};
struct move {
  bool uid = false;
  sequence_set set;
  std::string mailbox;
  bool operator==(const move&) const = default;
};
struct idle {
  bool operator==(const idle&) const = default;
};
struct check {
  bool operator==(const check&) const = default;
};
struct get_quota { ///< RFC 9208 4.1.1
  std::string root;
  bool operator==(const get_quota&) const = default;
};
struct get_quota_root { ///< RFC 9208 4.1.2
  std::string mailbox;
  bool operator==(const get_quota_root&) const = default;
};
struct compress {        ///< RFC 4978
  std::string mechanism; ///< upper case
  bool operator==(const compress&) const = default;
};
struct unauthenticate { ///< RFC 8437
  bool operator==(const unauthenticate&) const = default;
};

} // namespace commands

using command_body =
    std::variant<commands::capability, commands::noop, commands::logout, commands::starttls, commands::login,
                 commands::authenticate, commands::enable, commands::id, commands::get_namespace, commands::select,
                 commands::create, commands::delete_mailbox, commands::rename, commands::subscribe,
                 commands::unsubscribe, commands::list, commands::lsub, commands::status, commands::append,
                 commands::close, commands::unselect, commands::expunge, commands::search, commands::fetch,
                 commands::store, commands::copy, commands::move, commands::idle, commands::check, commands::get_quota,
                 commands::get_quota_root, commands::compress, commands::unauthenticate, commands::sort,
                 commands::thread>;

struct command {
  std::string tag;
  command_body body;
  bool operator==(const command&) const = default;
};

} // namespace merpati::imap
