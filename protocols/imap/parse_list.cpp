// LIST with the options of RFC 5258, 5819 and 6154, and LSUB.
#include "base/ascii.hpp"
#include "protocols/imap/grammar.hpp"
#include "protocols/imap/mailbox_name.hpp"

namespace merpati::imap::grammar {
namespace {

/// list-char: what a pattern without quotes is made of.
bool is_list_char(char c) noexcept {
  return c == '%' || c == '*' || is_astring_char(c);
}

/// A reference or pattern in UTF-8. Half a name may be no whole modified UTF-7; then it is taken as it stands.
std::string name_text(reader& in, std::string wire) {
  if (!in.ok())
    return {};
  if (wire.size() > in.bounds().mailbox_name) {
    in.fail(errc::too_big, "Mailbox pattern too long");
    return {};
  }
  if (!in.mode().utf8)
    if (auto decoded = decode_utf7(wire))
      return *std::move(decoded);
  if (!valid_utf8(wire))
    in.expected("a mailbox pattern in UTF-8");
  return wire;
}

std::string pattern(reader& in) {
  auto wire =
      in.at_string() ? in.string("a mailbox pattern") : std::string(in.take_while(is_list_char, "a mailbox pattern"));
  return name_text(in, std::move(wire));
}

void selection_options(reader& in, commands::list& c) {
  in.expect('(');
  if (in.accept(')'))
    return;
  while (in.ok()) {
    if (in.accept_word("SUBSCRIBED"))
      c.select |= list_select::subscribed;
    else if (in.accept_word("REMOTE"))
      c.select |= list_select::remote;
    else if (in.accept_word("RECURSIVEMATCH"))
      c.select |= list_select::recursive_match;
    else if (in.accept_word("SPECIAL-USE"))
      c.select |= list_select::special_use;
    else
      in.expected("SUBSCRIBED, REMOTE, RECURSIVEMATCH or SPECIAL-USE");
    if (in.accept(')'))
      break;
    in.space();
  }
  // RFC 5258 3: RECURSIVEMATCH needs an option that selects by itself
  if ((c.select & list_select::recursive_match) != 0
      && (c.select & (list_select::subscribed | list_select::special_use)) == 0)
    in.expected("SUBSCRIBED beside RECURSIVEMATCH");
}

void return_options(reader& in, commands::list& c) {
  in.expect('(');
  if (in.accept(')'))
    return;
  while (in.ok()) {
    if (in.accept_word("SUBSCRIBED")) {
      c.returns |= list_return::subscribed;
    } else if (in.accept_word("CHILDREN")) {
      c.returns |= list_return::children;
    } else if (in.accept_word("SPECIAL-USE")) {
      c.returns |= list_return::special_use;
    } else if (in.accept_word("STATUS")) { // RFC 5819 2
      in.space();
      c.returns |= list_return::status;
      c.status_items |= status_items(in);
    } else {
      in.expected("SUBSCRIBED, CHILDREN, SPECIAL-USE or STATUS");
    }
    if (in.accept(')'))
      break;
    in.space();
  }
}

void patterns(reader& in, commands::list& c) {
  if (!in.accept('(')) {
    c.patterns.push_back(pattern(in));
    return;
  }
  c.extended = true;
  while (in.ok()) {
    if (c.patterns.size() == in.bounds().list_patterns)
      return in.fail(errc::too_many, "Too many patterns");
    c.patterns.push_back(pattern(in));
    if (in.accept(')'))
      break;
    in.space();
  }
}

} // namespace

void parse(reader& in, commands::list& c) {
  in.space();
  if (in.peek() == '(') {
    c.extended = true;
    selection_options(in, c);
    in.space();
  }
  c.reference = name_text(in, in.astring("a reference name"));
  in.space();
  patterns(in, c);
  if (in.accept(' ')) {
    c.extended = true;
    if (!in.accept_word("RETURN"))
      in.expected("RETURN");
    in.space();
    return_options(in, c);
  }
}

void parse(reader& in, commands::lsub& c) {
  in.space();
  c.reference = name_text(in, in.astring("a reference name"));
  in.space();
  c.pattern = pattern(in);
}

} // namespace merpati::imap::grammar
