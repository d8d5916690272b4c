#include "actors/mail/waiting_details.hpp"

#include "tests/support/catch2.hpp"

using namespace merpati;
using namespace merpati::mail;

namespace {

waiting_details sample() {
  waiting_details d;
  d.message = "3f2a";
  d.accepted = timestamp(std::chrono::microseconds(1'764'000'000'123'456));
  d.sender = smtp::mailbox{"alice", "example.org"};
  d.recipient.address = smtp::mailbox{"carol smith", "example.net"};
  d.recipient.parameters.notify = 6;
  d.recipient.parameters.original_type = "rfc822";
  d.recipient.parameters.original_recipient = "carol+1@example.net";
  d.mail.body = smtp::body_type::eight_bit;
  d.mail.returned = smtp::returned_part::full;
  d.mail.envelope_id = "a b";
  return d;
}

} // namespace

TEST_CASE("the details of a recipient that waits survive being written", "[waiting]") {
  auto d = sample();
  CHECK(read_details(write_details(d)).value() == d);
  d.released = d.accepted + std::chrono::hours(5);
  d.progress.attempts = 4'000'000'000;
  d.progress.last_attempt = d.accepted;
  d.progress.status = "4.4.1";
  d.progress.remote = "mx.example.net [192.0.2.25]";
  d.progress.outcome = "451 4.7.1 come again: held";
  d.progress.encryption = "TLSv1.3, certificate not verified";
  d.progress.held = d.progress.given_up = d.progress.delay_told = true;
  CHECK(read_details(write_details(d)).value() == d);
}

TEST_CASE("what a remote server says can't add lines to the details", "[waiting]") {
  auto d = sample();
  d.progress.outcome = "550 no\r\ngiven-up\nheld";
  const auto back = read_details(write_details(d)).value();
  CHECK_FALSE(back.progress.given_up);
  CHECK_FALSE(back.progress.held);
  CHECK(back.progress.outcome == "550 no  given-up held");
}

TEST_CASE("details that nobody wrote are refused", "[waiting]") {
  for (std::string_view bad : {"x", "unknown 1\n", "attempts -1\n", "attempts 4294967296\n", "held\nheld", "from x\n"})
    CHECK(read_details(bad).error().code == errc::corrupted);
}
