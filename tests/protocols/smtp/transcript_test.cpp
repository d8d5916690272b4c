#include "base/ascii.hpp"
#include "tests/protocols/smtp/conversation.hpp"
#include "tests/support/catch2.hpp"
#include "tests/support/transcript.hpp"

using namespace merpati;

namespace {

smtp::server_options options_of(const test::transcript& t) {
  smtp::server_options o;
  o.hostname = "mail.example.org";
  if (t.option("kind") == "submission")
    o.kind = smtp::server_kind::submission;
  if (t.option("kind") == "lmtp")
    o.kind = smtp::server_kind::lmtp;
  if (t.option("bare_newlines") == "normalise")
    o.bare_newlines = smtp::bare_newlines::normalise;
  o.implicit_tls = t.option("implicit_tls") == "yes";
  o.plaintext_auth_allowed = t.option("plaintext_auth") == "yes";
  o.xclient_allowed = t.option("xclient") == "yes";
  o.longest_hold = std::chrono::seconds(std::stol(t.option("longest_hold", "0")));
  o.latest_release = "2027-01-01T00:00:00Z";
  o.scram_nonce = t.option("nonce", "servernonceservernonce");
  o.limits.message_bytes = std::stoull(t.option("message_bytes", "1000"));
  o.limits.recipients = std::stoull(t.option("recipients", "1000"));
  o.limits.errors = std::stoull(t.option("errors", "20"));
  return o;
}

std::string run(const test::transcript& t, test::cutting how, std::uint32_t seed = 1) {
  test::smtp_conversation session(options_of(t));
  return test::run_transcript(t, session, how, seed);
}

} // namespace

TEST_CASE("every SMTP transcript, however the input is cut") {
  for (const auto& t : test::load_transcripts("smtp")) {
    INFO(t.name);
    CHECK(run(t, test::cutting::whole) == "");
    CHECK(run(t, test::cutting::octets) == "");
    for (std::uint32_t seed = 1; seed != 31; ++seed)
      CHECK(run(t, test::cutting::random, seed) == "");
  }
}
