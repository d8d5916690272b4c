// Commands that take a mailbox: SELECT, EXAMINE, CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE, STATUS, APPEND,
// GETQUOTAROOT; and GETQUOTA.
#include "base/ascii.hpp"
#include "protocols/imap/grammar.hpp"

namespace merpati::imap::grammar {
namespace {

struct named_bit {
  std::string_view name;
  std::uint32_t bit;
};

constexpr named_bit status_names[] = {
    {"MESSAGES", status_item::messages},
    {"UIDNEXT", status_item::uid_next},
    {"UIDVALIDITY", status_item::uid_validity},
    {"UNSEEN", status_item::unseen},
    {"DELETED", status_item::deleted},
    {"SIZE", status_item::size},
    {"RECENT", status_item::recent},
    {"HIGHESTMODSEQ", status_item::highest_modseq},
    {"MAILBOXID", status_item::mailbox_id},
    {"DELETED-STORAGE", status_item::deleted_storage},
    {"APPENDLIMIT", status_item::append_limit},
};

constexpr named_bit special_uses[] = {
    {"Archive", special_use::archive}, {"Drafts", special_use::drafts},       {"Flagged", special_use::flagged},
    {"Junk", special_use::junk},       {"Sent", special_use::sent},           {"Trash", special_use::trash},
    {"All", special_use::all},         {"Important", special_use::important},
};

template <std::size_t N>
std::uint32_t bit_of(const named_bit (&table)[N], std::string_view name) {
  for (const auto& row : table)
    if (ascii::iequals(row.name, name))
      return row.bit;
  return 0;
}

sequence_set known_numbers(reader& in) {
  auto set = in.set();
  if (set.has_star() || set.is_saved_result())
    in.expected("numbers without * and $"); // RFC 7162 7: known-uids
  return set;
}

/// RFC 7162 3.2.5: (uidvalidity modseq [known-uids] [(known-sequence-set known-uid-set)])
commands::known_mailbox known(reader& in) {
  commands::known_mailbox out;
  in.space();
  in.expect('(');
  out.uid_validity = in.nz_number("a UIDVALIDITY");
  in.space();
  out.modseq = in.number64("a mod-sequence");
  bool more = in.accept(' ');
  if (more && in.peek() != '(') {
    out.uids = known_numbers(in);
    more = in.accept(' ');
  }
  if (more) {
    in.expect('(');
    (void)known_numbers(in);
    in.space();
    (void)known_numbers(in);
    in.expect(')');
  }
  in.expect(')');
  return out;
}

} // namespace

std::uint32_t special_use_attribute(reader& in) {
  in.expect('\\');
  auto bit = bit_of(special_uses, in.atom("a special use"));
  if (bit == 0)
    in.expected("a special use of RFC 6154");
  return bit;
}

std::uint32_t status_items(reader& in) {
  std::uint32_t items = 0;
  in.expect('(');
  while (in.ok()) {
    auto bit = bit_of(status_names, in.atom("a STATUS item"));
    if (bit == 0)
      in.expected("a STATUS item such as MESSAGES");
    items |= bit;
    if (in.accept(')'))
      break;
    in.space();
  }
  return items;
}

void parse(reader& in, commands::select& c) {
  in.space();
  c.mailbox = in.mailbox();
  if (!in.accept(' '))
    return;
  // RFC 4466 2.1 select-params
  in.expect('(');
  while (in.ok()) {
    if (in.accept_word("CONDSTORE"))
      c.condstore = true;
    else if (!c.known && in.accept_word("QRESYNC"))
      c.known = known(in);
    else
      in.expected("CONDSTORE or QRESYNC");
    if (in.accept(')'))
      break;
    in.space();
  }
}

void parse(reader& in, commands::create& c) {
  in.space();
  c.mailbox = in.mailbox();
  // RFC 9051 6.3.4: a trailing delimiter only says that names below will be made
  if (c.mailbox.size() > 1 && c.mailbox.back() == '/')
    c.mailbox.pop_back();
  if (!in.accept(' '))
    return;
  // RFC 6154 3: CREATE mailbox (USE (\Drafts))
  in.expect('(');
  if (!in.accept_word("USE"))
    in.expected("USE");
  in.space();
  in.expect('(');
  if (!in.accept(')')) {
    while (in.ok()) {
      c.special_use |= special_use_attribute(in);
      if (in.accept(')'))
        break;
      in.space();
    }
  }
  in.expect(')');
}

void parse(reader& in, commands::delete_mailbox& c) {
  in.space();
  c.mailbox = in.mailbox();
}

void parse(reader& in, commands::rename& c) {
  in.space();
  c.from = in.mailbox();
  in.space();
  c.to = in.mailbox();
}

void parse(reader& in, commands::get_quota& c) {
  in.space();
  c.root = in.astring("a quota root");
}

void parse(reader& in, commands::get_quota_root& c) {
  in.space();
  c.mailbox = in.mailbox();
}

void parse(reader& in, commands::subscribe& c) {
  in.space();
  c.mailbox = in.mailbox();
}

void parse(reader& in, commands::unsubscribe& c) {
  in.space();
  c.mailbox = in.mailbox();
}

void parse(reader& in, commands::status& c) {
  in.space();
  c.mailbox = in.mailbox();
  in.space();
  c.items = status_items(in);
}

void parse(reader& in, commands::append& c) {
  in.space();
  c.mailbox = in.mailbox();
  in.space();
  parse_message(in, c);
}

void parse_message(reader& in, commands::append& c) {
  if (in.peek() == '(') {
    c.flags = in.flags();
    in.space();
  }
  if (in.peek() == '"') {
    c.internal_date = in.date_time();
    in.space();
  }
  if (!in.ok())
    return;
  auto mark = literal_at_end(in.rest());
  if (!mark || mark->text_length != in.rest().size())
    return in.expected("flags, a date or the message as a literal");
  c.size_bytes = mark->size_bytes;
  c.binary = mark->binary;
}

} // namespace merpati::imap::grammar
