#include "protocols/smtp/message_header.hpp"

#include "tests/support/catch2.hpp"

using namespace merpati;

namespace {

struct split {
  std::string header;
  std::string body;
  bool complete = false;
  bool operator==(const split&) const = default;
};

split collect(std::string_view message, std::size_t piece) {
  smtp::header_collector collector(1'000);
  split out;
  while (!message.empty()) {
    auto octets = message.substr(0, piece);
    message.remove_prefix(octets.size());
    collector.take(octets);
    out.body += octets;
  }
  out.header = collector.header();
  out.complete = collector.is_complete();
  return out;
}

const smtp::added_fields added{"Fri, 27 Nov 2026 10:00:00 +0000", "<1@mail.example.org>", "alice@example.org"};

std::string complete(std::string_view header) {
  return smtp::complete_header(header, smtp::inspect_header(header), added);
}

} // namespace

TEST_CASE("a header ends with its first empty line, however it is cut") {
  const std::vector<std::pair<std::string, split>> cases{
      {"Subject: a\r\nTo: b\r\n\r\nbody\r\n\r\n", {"Subject: a\r\nTo: b\r\n\r\n", "body\r\n\r\n", true}},
      {"\r\nbody", {"\r\n", "body", true}},
      {"\n\nbody", {"\n", "\nbody", true}},
      {"Subject: a\n\nbody", {"Subject: a\n\n", "body", true}},
      {"Subject: a\r\n \r\nstill: here\r\n", {"Subject: a\r\n \r\nstill: here\r\n", "", false}},
      {"", {"", "", false}},
  };
  for (const auto& [message, expected] : cases)
    for (std::size_t piece = 1; piece != 40; ++piece)
      CHECK(collect(message, piece) == expected);
}

TEST_CASE("a header that never ends is not kept") {
  smtp::header_collector collector(1'000);
  for (int i = 0; i != 1'000; ++i) {
    std::string_view line = "X-Filler: some words to fill the line with\r\n";
    collector.take(line);
  }
  CHECK(collector.is_too_big());
  CHECK(collector.header().size() < 1'100);
}

TEST_CASE("what a server has to know of a header") {
  const auto facts = smtp::inspect_header("Received: from a\r\n by b\r\nreceived : from c\r\n"
                                          "Delivered-To: Alice@Example.org\r\n"
                                          "From: \"A, B\" <a@example.org>, team: b@example.org, c@example.org;\r\n"
                                          "Date: x\r\nMessage-ID: <1@x>\r\nBCC: secret@example.org\r\n\r\n"
                                          "Received: body\r\n");
  CHECK(facts.received == 2);
  CHECK(facts.delivered_to == std::vector<std::string>{"Alice@Example.org"});
  REQUIRE(facts.from.size() == 3);
  CHECK(facts.from[0] == smtp::mailbox{"a", "example.org"});
  CHECK(facts.from[2] == smtp::mailbox{"c", "example.org"});
  CHECK((facts.has_from && facts.has_date && facts.has_message_id && facts.has_bcc));
  CHECK_FALSE(facts.from_is_unreadable);
  CHECK(smtp::inspect_header("From: nobody\r\n").from_is_unreadable);
  CHECK(smtp::inspect_header("From:\r\n").from_is_unreadable);
  CHECK(smtp::inspect_header("From: undisclosed:;\r\n").from_is_unreadable);
  CHECK(smtp::inspect_header("From: a@example.org, b\r\n").from_is_unreadable);
  CHECK_FALSE(smtp::inspect_header("").has_from);
}

TEST_CASE("a submitted header is completed, and Bcc is nobody's business") {
  CHECK(complete("Subject: a\r\n\r\n")
        == "Date: Fri, 27 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@mail.example.org>\r\n"
           "From: alice@example.org\r\nSubject: a\r\n\r\n");
  CHECK(complete("From: a@b\r\ndate: x\r\nMESSAGE-ID: y\r\n\r\n") == "From: a@b\r\ndate: x\r\nMESSAGE-ID: y\r\n\r\n");
  CHECK(complete("From: a@b\r\nDate: x\r\nBcc: c@d,\r\n e@f\r\nMessage-ID: y\r\nbcc :g@h\r\n\r\n")
        == "From: a@b\r\nDate: x\r\nMessage-ID: y\r\n\r\n");
  CHECK(complete("From: a@b\r\nDate: x\r\nMessage-ID: y\r\nnot a field\r\nBcc:\r\n")
        == "From: a@b\r\nDate: x\r\nMessage-ID: y\r\nnot a field\r\n");
}
