// POP3 server engine: the first octet chooses the kind of session, whether somebody is logged in and how the input is
// cut; the rest is what the client sends. Whole and cut input must have the same outcome.
#include <cstdint>
#include <cstdlib>

#include "tests/protocols/pop3/conversation.hpp"

using namespace merpati;

namespace {

struct outcome {
  std::string said;
  std::vector<std::string> events;
  bool closed = false;
  bool operator==(const outcome&) const = default;
};

outcome run(unsigned choice, std::string_view input, std::size_t cut) {
  pop3::server_options o;
  o.hostname = "h.example";
  o.implicit_tls = (choice & 1u) != 0;
  o.plaintext_login_allowed = (choice & 2u) != 0;
  o.limits.auth_line_bytes = 300;
  o.limits.output_bytes = 300;
  test::pop3_conversation session(o);
  outcome out;
  session.start();
  if ((choice & 4u) != 0)
    session.feed("USER alice\r\nPASS secret\r\n");
  for (; !input.empty(); input.remove_prefix(std::min(cut, input.size())))
    out.said += session.feed(input.substr(0, cut));
  out.events = session.events();
  out.closed = session.closed();
  return out;
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
  // Cut differently, a session may be ended for pipelining behind STLS or AUTH.
  auto synchronised = [](const outcome& a) { return a.said.find("ahead of this") == std::string::npos; };
  if (!single.said.empty() && !single.said.ends_with("\r\n"))
    std::abort();
  if (synchronised(cut) && !(single == cut))
    std::abort();
  if (synchronised(whole) && !(single == whole))
    std::abort();
  return 0;
}
