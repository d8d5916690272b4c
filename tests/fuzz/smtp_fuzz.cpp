// SMTP server engine: the first octet chooses the kind of session, how far it has come and how the input is cut; the
// rest is what the client sends. Whole and cut input must have the same outcome, replies must be well-formed.
#include <cstdint>
#include <cstdlib>

#include "tests/protocols/smtp/conversation.hpp"

using namespace merpati;

namespace {

smtp::server_options options_for(unsigned choice) {
  smtp::server_options o;
  o.hostname = "h.example";
  o.kind = (choice & 1u) != 0 ? smtp::server_kind::submission : smtp::server_kind::mx;
  if (choice >= 224)
    o.kind = smtp::server_kind::lmtp;
  if ((choice & 32u) != 0)
    o.bare_newlines = smtp::bare_newlines::normalise;
  o.plaintext_auth_allowed = true;
  o.xclient_allowed = (choice & 64u) != 0;
  o.limits.command_line_bytes = 200;
  o.limits.auth_line_bytes = 300;
  o.limits.message_bytes = 400;
  o.limits.recipients = 3;
  return o;
}

std::string_view opening(unsigned choice) {
  switch ((choice >> 1u) & 3u) {
  case 0: return "";
  case 1: return (choice & 8u) != 0 ? "MAIL FROM:<>\r\nRCPT TO:<alice@example.org>\r\nBDAT 5\r\nab\r\nc" : "";
  case 2: return "MAIL FROM:<>\r\nRCPT TO:<alice@example.org>\r\n";
  default: return "MAIL FROM:<>\r\nRCPT TO:<alice@example.org>\r\nDATA\r\n";
  }
}

struct outcome {
  std::string said;
  std::vector<std::string> events;
  bool closed = false;
  bool operator==(const outcome&) const = default;
};

outcome run(unsigned choice, std::string_view input, std::size_t cut) {
  test::smtp_conversation session(options_for(choice));
  outcome out;
  session.start();
  if ((choice & 6u) != 0)
    session.feed(choice >= 224 ? "LHLO a\r\n" : "EHLO a\r\n");
  if ((choice & 6u) != 0 && (choice & 1u) != 0)
    session.feed("AUTH PLAIN AGFsaWNlAHNlY3JldA==\r\n");
  session.feed(opening(choice));
  for (; !input.empty(); input.remove_prefix(std::min(cut, input.size())))
    out.said += session.feed(input.substr(0, cut));
  out.events = session.events();
  out.closed = session.closed();
  return out;
}

void check_replies(std::string_view said) {
  while (!said.empty()) {
    const auto end = said.find("\r\n");
    const auto line = said.substr(0, end);
    if (end == std::string_view::npos || line.size() < 4 || line[0] < '2' || line[0] > '5'
        || (line[3] != ' ' && line[3] != '-') || line.find_first_of("\r\n") != std::string_view::npos)
      std::abort();
    said.remove_prefix(end + 2);
  }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0)
    return 0;
  const unsigned choice = data[0];
  const std::string_view input(reinterpret_cast<const char*>(data + 1), size - 1);
  const auto single = run(choice, input, 1);
  const auto cut = run(choice, input, 2 + (choice >> 3u));
  const auto whole = run(choice, input, input.size() + 1);
  check_replies(single.said);
  check_replies(whole.said);
  // Cut differently, a session may be ended for pipelining, but until then all is the same.
  auto agree = [](const outcome& a, const outcome& b) {
    return a == b || a.said.find("554 5.5.0") != std::string::npos || b.said.find("554 5.5.0") != std::string::npos
           || a.events.size() + b.events.size() == 0;
  };
  // TLS starts at once in this world, and what came in the same piece is dropped or refused.
  const bool tls = input.find("TARTTLS") != std::string_view::npos;
  if (!tls && (!agree(single, cut) || !agree(single, whole)))
    std::abort();
  return 0;
}
