#include "protocols/smtp/delivery_report.hpp"

#include "tests/support/catch2.hpp"

using namespace merpati;
using namespace merpati::smtp;

namespace {

delivery_report sample() {
  delivery_report r;
  r.hostname = "mail.example.org";
  r.id = "x1";
  r.now = r.accepted = timestamp(std::chrono::seconds(1'764'000'000));
  r.to = {"alice", "example.org"};
  r.recipients.push_back({{{"bob", "example.net"}, {}},
                          "5.1.1",
                          "mx.example.net [192.0.2.5]",
                          "550 5.1.1 no such user",
                          r.now,
                          std::nullopt});
  r.original = "Subject: hi\r\n\r\n";
  return r;
}

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

} // namespace

TEST_CASE("a failure report has what people and programs need", "[report]") {
  auto r = sample();
  r.parameters.envelope_id = "QQ314159";
  r.recipients[0].who.parameters.original_type = "rfc822";
  r.recipients[0].who.parameters.original_recipient = "list@example.org";
  const auto text = write_report(r);
  for (std::string_view line : {
           "From: Mail Delivery System <MAILER-DAEMON@mail.example.org>\r\n",
           "To: <alice@example.org>\r\n",
           "Auto-Submitted: auto-replied\r\n",
           "Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary=\"=_report_x1\"\r\n",
           "<bob@example.net>\r\n    mx.example.net [192.0.2.5] said: 550 5.1.1 no such user\r\n",
           "Content-Type: message/delivery-status\r\n",
           "Reporting-MTA: dns; mail.example.org\r\nOriginal-Envelope-Id: QQ314159\r\n",
           "\r\n\r\nOriginal-Recipient: rfc822; list@example.org\r\nFinal-Recipient: rfc822; bob@example.net\r\n"
           "Action: failed\r\nStatus: 5.1.1\r\nRemote-MTA: dns; mx.example.net\r\n"
           "Diagnostic-Code: smtp; 550 5.1.1 no such user\r\n",
           "Content-Type: text/rfc822-headers\r\n",
           "\r\n\r\nSubject: hi\r\n",
           "--=_report_x1--\r\n",
       })
    CHECK(has(text, line));
  CHECK_FALSE(has(text, "Content-Transfer-Encoding: 8bit"));
}

TEST_CASE("what servers and senders say adds no fields and no parts", "[report]") {
  auto r = sample();
  r.recipients[0].outcome = "550 no\r\n\r\n--=_report_x1\r\nContent-Type: text/html\xff";
  r.original = "Subject: x\r\n--=_report_x1--\r\n\r\n";
  r.parameters.envelope_id = "a\r\nAction: delivered";
  const auto text = write_report(r);
  CHECK(has(text, "boundary=\"=_report_x1_\""));
  CHECK_FALSE(has(text, "\r\nContent-Type: text/html"));
  CHECK_FALSE(has(text, "\r\nAction: delivered"));
}

TEST_CASE("reports about addresses that are not ASCII have the forms of RFC 6533", "[report]") {
  auto r = sample();
  r.recipients[0].who.address = {"b\xc3\xb6"
                                 "b",
                                 "example.net"};
  r.original = "Subject: \xc3\xb6\r\n\r\n";
  const auto text = write_report(r);
  CHECK(has(text, "Content-Type: message/global-delivery-status\r\nContent-Transfer-Encoding: 8bit\r\n"));
  CHECK(has(text, "Final-Recipient: utf-8; b\xc3\xb6"
                  "b@example.net\r\n"));
  CHECK(has(text, "Content-Type: message/global-headers\r\nContent-Transfer-Encoding: 8bit\r\n"));
}

TEST_CASE("who is told what", "[report]") {
  const reverse_path sender = mailbox{"alice", "example.org"};
  auto wants = [&](report_kind kind, std::uint8_t notify) { return wants_report(kind, sender, {notify, "", ""}); };
  CHECK(wants(report_kind::failed, 0));
  CHECK(wants(report_kind::delayed, 0));
  CHECK_FALSE(wants(report_kind::delivered, 0));
  CHECK_FALSE(wants(report_kind::failed, notify_never));
  CHECK_FALSE(wants(report_kind::failed, notify_success));
  CHECK(wants(report_kind::relayed, notify_success));
  CHECK(wants(report_kind::delivered, notify_success | notify_failure));
  CHECK_FALSE(wants_report(report_kind::failed, std::nullopt, {}));
}
