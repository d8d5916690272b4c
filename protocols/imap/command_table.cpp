#include "protocols/imap/command_table.hpp"

#include <algorithm>

#include "base/ascii.hpp"

namespace merpati::imap {
namespace {

constexpr std::uint8_t any_state = in_not_authenticated | in_authenticated | in_selected;
constexpr std::uint8_t after_login = in_authenticated | in_selected;

// RFC 9051 9: command-any, command-nonauth, command-auth, command-select. Sorted by name.
constexpr verb_row verbs[] = {
    {.verb = "APPEND", .states = after_login},
    {.verb = "AUTHENTICATE", .states = in_not_authenticated, .needs_privacy = true},
    {.verb = "CAPABILITY", .states = any_state},
    {.verb = "CHECK", .states = in_selected},
    {.verb = "CLOSE", .states = in_selected, .may_expunge = false}, // RFC 9051 6.4.1: no untagged EXPUNGE
    {.verb = "COMPRESS", .states = after_login, .may_expunge = false},
    {.verb = "COPY", .states = in_selected, .takes_uid = true},
    {.verb = "CREATE", .states = after_login},
    {.verb = "DELETE", .states = after_login},
    {.verb = "ENABLE", .states = after_login},
    {.verb = "EXAMINE", .states = after_login, .may_expunge = false},
    {.verb = "EXPUNGE", .states = in_selected, .takes_uid = true},
    {.verb = "FETCH", .states = in_selected, .takes_uid = true, .may_expunge = false},
    {.verb = "GETQUOTA", .states = after_login},
    {.verb = "GETQUOTAROOT", .states = after_login},
    {.verb = "ID", .states = any_state},
    {.verb = "IDLE", .states = after_login},
    {.verb = "LIST", .states = after_login},
    {.verb = "LOGIN", .states = in_not_authenticated, .needs_privacy = true},
    {.verb = "LOGOUT", .states = any_state},
    {.verb = "LSUB", .states = after_login},
    {.verb = "MOVE", .states = in_selected, .takes_uid = true},
    {.verb = "NAMESPACE", .states = after_login},
    {.verb = "NOOP", .states = any_state},
    {.verb = "RENAME", .states = after_login},
    {.verb = "REPLACE", .states = in_selected, .takes_uid = true},
    {.verb = "SEARCH", .states = in_selected, .takes_uid = true, .may_expunge = false},
    {.verb = "SELECT", .states = after_login, .may_expunge = false},
    {.verb = "SORT", .states = in_selected, .takes_uid = true, .may_expunge = false},
    {.verb = "STARTTLS", .states = in_not_authenticated},
    {.verb = "STATUS", .states = after_login},
    {.verb = "STORE", .states = in_selected, .takes_uid = true, .may_expunge = false},
    {.verb = "SUBSCRIBE", .states = after_login},
    {.verb = "THREAD", .states = in_selected, .takes_uid = true, .may_expunge = false},
    {.verb = "UNAUTHENTICATE", .states = after_login, .may_expunge = false},
    {.verb = "UNSELECT", .states = in_selected, .may_expunge = false},
    {.verb = "UNSUBSCRIBE", .states = after_login},
};

/// What decides whether a capability is told.
struct situation {
  const engine_options& options;
  bool logged_in;
  bool private_line; ///< TLS, or the options do without
  bool tls;
  bool can_bind; ///< the TLS connection has something that SCRAM can be bound to
};

struct capability_row {
  std::string_view name;
  bool (*told)(const situation& s);
};

bool always(const situation&) {
  return true;
}

// Only what is whole is here. Programs exist that ask once, before login, so most are told in every state.
constexpr capability_row capabilities[] = {
    {"IMAP4rev1", always},
    {"IMAP4rev2", [](const situation& s) { return s.options.offer_imap4rev2; }},
    {"STARTTLS", [](const situation& s) { return !s.logged_in && !s.tls && s.options.starttls_available; }},
    {"LOGINDISABLED", [](const situation& s) { return !s.logged_in && !s.private_line; }},
    {"AUTH=PLAIN", [](const situation& s) { return !s.logged_in && s.private_line; }},
    {"AUTH=SCRAM-SHA-256", [](const situation& s) { return !s.logged_in && s.private_line; }},
    {"AUTH=SCRAM-SHA-256-PLUS", [](const situation& s) { return !s.logged_in && s.can_bind; }},
    {"SASL-IR", [](const situation& s) { return !s.logged_in; }},
    {"LITERAL+", [](const situation& s) { return s.logged_in && s.options.literal_plus; }},
    {"LITERAL-", [](const situation& s) { return !s.logged_in || !s.options.literal_plus; }},
    {"ENABLE", always},
    {"ID", always},
    {"IDLE", always},
    {"NAMESPACE", always},
    {"UNSELECT", always}, // RFC 3691
    {"UIDPLUS", always},
    {"MOVE", always},
    {"MULTIAPPEND", always}, // RFC 3502
    {"REPLACE", always},     // RFC 8508
    {"ESEARCH", always},
    {"SEARCHRES", [](const situation& s) { return s.options.offer_searchres; }},
    {"PARTIAL", always}, // RFC 9394
    {"WITHIN", always},
    {"CHILDREN", always}, // RFC 3348
    {"LIST-EXTENDED", always},
    {"LIST-STATUS", always},
    {"SPECIAL-USE", always},
    {"CREATE-SPECIAL-USE", always},
    {"STATUS=SIZE", always}, // RFC 8438
    {"CONDSTORE", [](const situation& s) { return s.options.offer_condstore; }},
    {"QRESYNC", [](const situation& s) { return s.options.offer_qresync; }},
    {"OBJECTID", [](const situation& s) { return s.options.offer_objectid; }},
    {"SAVEDATE", [](const situation& s) { return s.options.offer_savedate; }},
    {"SORT", [](const situation& s) { return s.options.offer_sort; }}, // RFC 5256
    {"SORT=DISPLAY", [](const situation& s) { return s.options.offer_sort; }},
    {"THREAD=ORDEREDSUBJECT", [](const situation& s) { return s.options.offer_sort; }},
    {"THREAD=REFERENCES", [](const situation& s) { return s.options.offer_sort; }},
    {"ESORT", [](const situation& s) { return s.options.offer_sort; }},      // RFC 5267 3
    {"PREVIEW", [](const situation& s) { return s.options.offer_preview; }}, // RFC 8970
    {"QUOTA", [](const situation& s) { return s.options.offer_quota; }},     // RFC 9208
    {"QUOTA=RES-STORAGE", [](const situation& s) { return s.options.offer_quota; }},
    {"QUOTA=RES-MESSAGE", [](const situation& s) { return s.options.offer_quota; }},
    {"UNAUTHENTICATE", [](const situation& s) { return s.logged_in && s.options.offer_unauthenticate; }},
    {"COMPRESS=DEFLATE", [](const situation& s) { return s.logged_in && s.options.offer_compress; }},
};

struct verb_of_body {
  std::string_view operator()(const commands::capability&) const { return "CAPABILITY"; }
  std::string_view operator()(const commands::noop&) const { return "NOOP"; }
  std::string_view operator()(const commands::logout&) const { return "LOGOUT"; }
  std::string_view operator()(const commands::starttls&) const { return "STARTTLS"; }
  std::string_view operator()(const commands::login&) const { return "LOGIN"; }
  std::string_view operator()(const commands::authenticate&) const { return "AUTHENTICATE"; }
  std::string_view operator()(const commands::enable&) const { return "ENABLE"; }
  std::string_view operator()(const commands::id&) const { return "ID"; }
  std::string_view operator()(const commands::get_namespace&) const { return "NAMESPACE"; }
  std::string_view operator()(const commands::select& c) const { return c.read_only ? "EXAMINE" : "SELECT"; }
  std::string_view operator()(const commands::create&) const { return "CREATE"; }
  std::string_view operator()(const commands::delete_mailbox&) const { return "DELETE"; }
  std::string_view operator()(const commands::rename&) const { return "RENAME"; }
  std::string_view operator()(const commands::subscribe&) const { return "SUBSCRIBE"; }
  std::string_view operator()(const commands::unsubscribe&) const { return "UNSUBSCRIBE"; }
  std::string_view operator()(const commands::list&) const { return "LIST"; }
  std::string_view operator()(const commands::lsub&) const { return "LSUB"; }
  std::string_view operator()(const commands::status&) const { return "STATUS"; }
  std::string_view operator()(const commands::append& c) const { return c.replaces ? "REPLACE" : "APPEND"; }
  std::string_view operator()(const commands::close&) const { return "CLOSE"; }
  std::string_view operator()(const commands::unselect&) const { return "UNSELECT"; }
  std::string_view operator()(const commands::expunge&) const { return "EXPUNGE"; }
  std::string_view operator()(const commands::search&) const { return "SEARCH"; }
  std::string_view operator()(const commands::fetch&) const { return "FETCH"; }
  std::string_view operator()(const commands::store&) const { return "STORE"; }
  std::string_view operator()(const commands::copy&) const { return "COPY"; }
  std::string_view operator()(const commands::move&) const { return "MOVE"; }
  std::string_view operator()(const commands::idle&) const { return "IDLE"; }
  std::string_view operator()(const commands::check&) const { return "CHECK"; }
  std::string_view operator()(const commands::get_quota&) const { return "GETQUOTA"; }
  std::string_view operator()(const commands::get_quota_root&) const { return "GETQUOTAROOT"; }
  std::string_view operator()(const commands::sort&) const { return "SORT"; }
  std::string_view operator()(const commands::thread&) const { return "THREAD"; }
  std::string_view operator()(const commands::compress&) const { return "COMPRESS"; }
  std::string_view operator()(const commands::unauthenticate&) const { return "UNAUTHENTICATE"; }
};

struct uid_of_body {
  template <class T>
  bool operator()(const T& c) const {
    if constexpr (requires { c.uid; })
      return c.uid;
    else
      return false;
  }
};

} // namespace

const verb_row* find_verb(std::string_view verb) noexcept {
  for (const auto& row : verbs)
    if (ascii::iequals(row.verb, verb))
      return &row;
  return nullptr;
}

std::span<const verb_row> all_verbs() noexcept {
  return verbs;
}

const verb_row& row_of(const command_body& body) noexcept {
  return *find_verb(std::visit(verb_of_body{}, body));
}

bool may_expunge(const command_body& body) noexcept {
  return row_of(body).may_expunge || std::visit(uid_of_body{}, body);
}

std::string capability_text(const engine_options& options, session_state state, bool tls_active, bool can_bind) {
  situation s{options, state != session_state::not_authenticated, tls_active || options.plaintext_login_allowed,
              tls_active, can_bind};
  std::string text;
  for (const auto& row : capabilities) {
    if (!row.told(s))
      continue;
    if (!text.empty())
      text += ' ';
    text += row.name;
  }
  if (options.offer_append_limit) // RFC 7889 2: one for all mailboxes
    text += " APPENDLIMIT=" + std::to_string(options.limits.append_bytes);
  return text;
}

} // namespace merpati::imap
