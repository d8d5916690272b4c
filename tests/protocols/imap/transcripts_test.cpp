// The transcripts of tests/transcripts/imap, against engine, parser, fetch, search and snapshots together.
#include "tests/protocols/imap/fake_server.hpp"
#include "tests/support/catch2.hpp"

using namespace merpati;
using namespace merpati::test;

namespace {

std::string check(const transcript& t, cutting how, std::uint32_t seed) {
  auto world = std::make_shared<fake_world>();
  imap::engine_options options;
  options.tls_active = t.option("tls", "yes") == "yes";
  options.starttls_available = t.option("starttls", "no") == "yes";
  options.plaintext_login_allowed = t.option("plaintext", "no") == "yes";
  options.scram_nonce = t.option("nonce");
  options.literal_plus = t.option("literal_plus", "yes") == "yes";
  options.offer_imap4rev2 = t.option("rev2", "no") == "yes";
  options.offer_condstore = t.option("condstore", "no") == "yes";
  options.offer_searchres = t.option("searchres", "no") == "yes";
  if (auto limit = t.option("append_limit"); !limit.empty())
    options.limits.append_bytes = std::stoul(limit);
  fake_session session(world, options);
  return run_transcript(t, session, how, seed);
}

} // namespace

TEST_CASE("imap transcripts") {
  for (const auto& t : load_transcripts("imap")) {
    INFO(t.name);
    auto problem = check(t, cutting::whole, 1);
    if (problem.empty())
      problem = check(t, cutting::octets, 1);
    for (std::uint32_t seed = 1; seed <= 10 && problem.empty(); ++seed)
      problem = check(t, cutting::random, seed);
    if (problem.empty() && t.option("pipelined", "yes") == "yes")
      problem = check(t, cutting::pipelined, 1);
    CHECK(problem == "");
  }
}
