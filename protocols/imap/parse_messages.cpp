// Commands that act on messages: EXPUNGE, STORE, COPY, MOVE.
#include "base/ascii.hpp"
#include "protocols/imap/grammar.hpp"

namespace merpati::imap::grammar {

void parse(reader& in, commands::expunge& c) {
  if (!c.uids)
    return;
  in.space();
  c.uids = in.set();
}

void parse(reader& in, commands::store& c) {
  in.space();
  c.set = in.set();
  in.space();
  if (in.accept('(')) { // RFC 7162 3.1.3
    if (!in.accept_word("UNCHANGEDSINCE"))
      in.expected("UNCHANGEDSINCE");
    in.space();
    c.unchanged_since = in.number64("a mod-sequence");
    in.expect(')');
    in.space();
  }
  if (in.accept('+'))
    c.how = commands::store::mode::add;
  else if (in.accept('-'))
    c.how = commands::store::mode::remove;
  c.silent = in.accept_word("FLAGS.SILENT");
  if (!c.silent && !in.accept_word("FLAGS"))
    in.expected("FLAGS or FLAGS.SILENT");
  in.space();
  if (in.peek() == '(') {
    c.flags = in.flags();
    return;
  }
  in.flag_into(c.flags);
  for (std::size_t count = 1; in.accept(' ') && in.ok(); ++count) {
    if (count == in.bounds().flags)
      return in.fail(errc::too_many, "Too many flags");
    in.flag_into(c.flags);
  }
}

void parse(reader& in, commands::copy& c) {
  in.space();
  c.set = in.set();
  in.space();
  c.mailbox = in.mailbox();
}

void parse(reader& in, commands::move& c) {
  in.space();
  c.set = in.set();
  in.space();
  c.mailbox = in.mailbox();
}

} // namespace merpati::imap::grammar
