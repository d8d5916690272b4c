// LOGIN, AUTHENTICATE, ENABLE, ID.
#include <algorithm>

#include "base/ascii.hpp"
#include "protocols/imap/grammar.hpp"

namespace merpati::imap::grammar {

void parse(reader& in, commands::login& c) {
  in.space();
  c.user = in.astring("a user name");
  in.space();
  c.password = in.astring("a password");
}

void parse(reader& in, commands::authenticate& c) {
  in.space();
  c.mechanism = ascii::upper(in.atom("a SASL mechanism"));
  if (!in.accept(' '))
    return;
  auto is_base64 = [](char ch) { return ascii::is_alnum(ch) || ch == '+' || ch == '/' || ch == '='; };
  c.initial_response = std::string(in.take_while(is_base64, "an initial response in base64"));
}

void parse(reader& in, commands::compress& c) {
  in.space();
  c.mechanism = ascii::upper(in.atom("a compression mechanism"));
}

void parse(reader& in, commands::enable& c) {
  do {
    in.space();
    auto name = ascii::upper(in.atom("a capability"));
    if (in.ok() && std::find(c.capabilities.begin(), c.capabilities.end(), name) == c.capabilities.end()) {
      if (c.capabilities.size() == in.bounds().flags)
        return in.fail(errc::too_many, "Too many capabilities");
      c.capabilities.push_back(std::move(name));
    }
  } while (in.ok() && !in.at_end());
}

// RFC 2971 3.3
void parse(reader& in, commands::id& c) {
  in.space();
  if (in.accept_word("NIL"))
    return;
  in.expect('(');
  if (in.accept(')'))
    return;
  for (std::size_t pairs = 0; in.ok(); ++pairs) {
    if (pairs == in.bounds().id_pairs)
      return in.fail(errc::too_many, "ID takes at most 30 pairs");
    auto name = in.string("a field name as a string");
    in.space();
    auto value = in.nstring("a field value as a string or NIL");
    if (name.size() > in.bounds().id_name || (value && value->size() > in.bounds().id_value))
      return in.fail(errc::too_big, "ID field too long");
    if (value && in.ok())
      c.fields.emplace_back(std::move(name), *std::move(value));
    if (in.accept(')'))
      return;
    in.space();
  }
}

} // namespace merpati::imap::grammar
