#include "protocols/imap/command_parser.hpp"

#include <array>

#include "base/ascii.hpp"
#include "protocols/imap/command_table.hpp"
#include "protocols/imap/grammar.hpp"

namespace merpati::imap {
namespace {

/// Reads the arguments of a command of type T, which may come after UID.
template <class T>
command_body arguments(reader& in, [[maybe_unused]] bool uid) {
  T c;
  if constexpr (requires { c.uid; })
    c.uid = uid;
  if constexpr (std::is_same_v<T, commands::expunge>)
    if (uid)
      c.uids.emplace();
  if constexpr (requires { grammar::parse(in, c); })
    grammar::parse(in, c);
  return c;
}

command_body examine(reader& in, bool) {
  commands::select c;
  c.read_only = true;
  grammar::parse(in, c);
  return c;
}

/// A sequence number or UID of REPLACE, '*' as 0.
commands::replaced_message replaced(reader& in, bool uid) {
  commands::replaced_message out;
  out.uid = uid;
  in.space();
  if (!in.accept('*'))
    out.number = in.nz_number("a message number");
  return out;
}

/// APPEND and REPLACE come here only when their message was not announced by a literal at the end of a line.
command_body append_without_message(reader& in, bool) {
  commands::append c;
  grammar::parse(in, c);
  in.expected("the message as a literal");
  return c;
}

struct parser_row {
  std::string_view verb;
  command_body (*read)(reader& in, bool uid);
};

constexpr parser_row parsers[] = {
    {"APPEND", append_without_message},
    {"AUTHENTICATE", arguments<commands::authenticate>},
    {"CAPABILITY", arguments<commands::capability>},
    {"CHECK", arguments<commands::check>},
    {"CLOSE", arguments<commands::close>},
    {"COMPRESS", arguments<commands::compress>},
    {"COPY", arguments<commands::copy>},
    {"CREATE", arguments<commands::create>},
    {"DELETE", arguments<commands::delete_mailbox>},
    {"ENABLE", arguments<commands::enable>},
    {"EXAMINE", examine},
    {"EXPUNGE", arguments<commands::expunge>},
    {"FETCH", arguments<commands::fetch>},
    {"GETQUOTA", arguments<commands::get_quota>},
    {"GETQUOTAROOT", arguments<commands::get_quota_root>},
    {"ID", arguments<commands::id>},
    {"IDLE", arguments<commands::idle>},
    {"LIST", arguments<commands::list>},
    {"LOGIN", arguments<commands::login>},
    {"LOGOUT", arguments<commands::logout>},
    {"LSUB", arguments<commands::lsub>},
    {"MOVE", arguments<commands::move>},
    {"NAMESPACE", arguments<commands::get_namespace>},
    {"NOOP", arguments<commands::noop>},
    {"RENAME", arguments<commands::rename>},
    {"REPLACE", append_without_message},
    {"SEARCH", arguments<commands::search>},
    {"SELECT", arguments<commands::select>},
    {"SORT", arguments<commands::sort>},
    {"STARTTLS", arguments<commands::starttls>},
    {"STATUS", arguments<commands::status>},
    {"STORE", arguments<commands::store>},
    {"SUBSCRIBE", arguments<commands::subscribe>},
    {"THREAD", arguments<commands::thread>},
    {"UNAUTHENTICATE", arguments<commands::unauthenticate>},
    {"UNSELECT", arguments<commands::unselect>},
    {"UNSUBSCRIBE", arguments<commands::unsubscribe>},
};

bool is_tag_char(char c) noexcept {
  return c != '+' && is_astring_char(c);
}

} // namespace

std::string_view tag_of(std::string_view text) noexcept {
  std::size_t length = 0;
  while (length < text.size() && is_tag_char(text[length]))
    ++length;
  // a tag is followed by something, or is all there is; anything else is no command
  if (length < text.size() && text[length] != ' ')
    return {};
  return text.substr(0, length);
}

std::string_view verb_of(std::string_view text) noexcept {
  auto tag = tag_of(text);
  if (tag.empty() || text.size() <= tag.size())
    return {};
  text.remove_prefix(tag.size() + 1);
  std::size_t length = 0;
  while (length < text.size() && is_atom_char(text[length]))
    ++length;
  return text.substr(0, length);
}

std::optional<literal_mark> literal_at_end(std::string_view line) noexcept {
  if (line.size() < 3 || line.back() != '}')
    return std::nullopt;
  auto open = line.rfind('{');
  if (open == std::string_view::npos)
    return std::nullopt;
  auto digits = line.substr(open + 1, line.size() - open - 2);
  literal_mark mark;
  if (!digits.empty() && digits.back() == '+') {
    mark.synchronising = false;
    digits.remove_suffix(1);
  }
  auto size = ascii::parse_number<std::uint64_t>(digits);
  if (!size || *size > 0x7fffffffffffffffULL) // number64 has 63 bits
    return std::nullopt;
  mark.size_bytes = *size;
  mark.binary = open > 0 && line[open - 1] == '~';
  mark.text_length = line.size() - open + (mark.binary ? 1 : 0);
  return mark;
}

result<command> parse_command(std::string_view text, const parse_mode& mode, const limits& bounds) {
  command c;
  c.tag = tag_of(text);
  if (c.tag.empty())
    return fail(errc::invalid, "Expected a tag");
  reader in(text.substr(c.tag.size()), mode, bounds);
  in.space();
  auto verb = in.atom("a command");
  bool uid = ascii::iequals(verb, "UID");
  if (uid) {
    in.space();
    verb = in.atom("a command after UID");
  }
  if (!in.ok())
    return tl::unexpected(in.take_error());
  auto row = find_verb(verb);
  if (row == nullptr || (uid && !row->takes_uid))
    return fail(errc::invalid, uid ? "Unknown UID command" : "Unknown command");
  for (const auto& parser : parsers)
    if (parser.verb == row->verb) {
      c.body = parser.read(in, uid);
      break;
    }
  in.end();
  if (!in.ok())
    return tl::unexpected(in.take_error());
  return c;
}

std::optional<append_head> append_head_of(std::string_view text) noexcept {
  append_head head;
  auto verb = verb_of(text);
  head.uid = ascii::iequals(verb, "UID");
  if (head.uid) {
    text.remove_prefix(tag_of(text).size() + 1); // "UID" reads as a tag
    verb = verb_of(text);
  }
  head.replace = ascii::iequals(verb, "REPLACE");
  if (!head.replace && (head.uid || !ascii::iequals(verb, "APPEND")))
    return std::nullopt;
  head.arguments = text.substr(tag_of(text).size() + 1 + verb.size());
  return head;
}

result<command> parse_append(std::string_view text, const parse_mode& mode, const limits& bounds) {
  command c;
  c.tag = tag_of(text);
  auto head = append_head_of(text);
  if (!head)
    return fail(errc::invalid, "Expected APPEND");
  reader in(head->arguments, mode, bounds);
  commands::append append;
  if (head->replace)
    append.replaces = replaced(in, head->uid);
  // The literal at the end is the mailbox name when nothing but the space comes before it.
  auto mark = literal_at_end(in.rest());
  if (mark && !mark->binary && in.rest().size() == 1 + mark->text_length && in.rest().front() == ' ')
    return fail(errc::unavailable, "Mailbox name follows as a literal");
  grammar::parse(in, append);
  if (!in.ok())
    return tl::unexpected(in.take_error());
  c.body = std::move(append);
  return c;
}

result<commands::append> parse_further_message(std::string_view text, const parse_mode& mode, const limits& bounds) {
  reader in(text, mode, bounds);
  commands::append append;
  in.space();
  grammar::parse_message(in, append);
  if (!in.ok())
    return tl::unexpected(in.take_error());
  return append;
}

} // namespace merpati::imap
