// Lists and forwards over whole sessions: what each reader gets, and what waits to go on.
#include "actors/mail/address_book.hpp"
#include "actors/mail/waiting_details.hpp"
#include "tests/actors/session/small_site.hpp"

using namespace merpati;
using test::contains;
using test::small_site;

namespace {

void put(small_site& site, const std::string& address, const mail::address_settings& settings) {
  const storage::mutation change = storage::put_address{{address, mail::write_settings(settings)}};
  REQUIRE(site.services->store->shard(0).apply({&change, 1}).front());
}

std::string read_as(small_site& site, const std::string& user) {
  auto reader = site.imap_as(user);
  reader->send("1 EXAMINE INBOX\r\n2 FETCH 1:* (ENVELOPE BODY[])\r\n");
  return reader->take();
}

std::vector<storage::waiting_row> waiting(small_site& site) {
  std::vector<storage::waiting_row> out;
  site.services->store->read(0)->waiting_by_due({}, [&](const auto& row) {
    out.push_back(row);
    return true;
  });
  return out;
}

std::string octets_of(small_site& site, body_id id) {
  auto& shard = site.services->store->shard(0);
  auto reader = shard.open_body(shard.read()->body(id).value()).value();
  std::string out(reader.size_bytes(), '\0');
  REQUIRE(reader.read(0, out).value() == out.size());
  return out;
}

std::string send(small_site& site, const std::string& commands, const std::string& message) {
  auto peer = site.smtp();
  peer->send("EHLO client.example\r\n");
  peer->send(commands);
  peer->take();
  peer->send("DATA\r\n");
  CHECK_THAT(peer->take(), contains("354"));
  peer->send(message + "\r\n.\r\n");
  return peer->take();
}

} // namespace

TEST_CASE("members of a list get the list's fields, those elsewhere through the waiting list") {
  small_site site;
  mail::list_settings list;
  list.members = {"alice@example.org", "bob@example.org", "x@elsewhere.example"};
  put(site, "all@example.org", list);
  CHECK(send(site,
             "MAIL FROM:<outside@example.net> RET=HDRS\r\nRCPT TO:<all@example.org> NOTIFY=NEVER\r\n"
             "RCPT TO:<bob@example.org>\r\n",
             "Subject: to all\r\n\r\nhello")
            .starts_with("250 2.0.0"));
  for (const std::string user : {"alice", "bob"}) {
    const auto text = read_as(site, user);
    CHECK_THAT(text, contains("* 1 EXISTS") && contains("\"to all\""));
    CHECK_THAT(text, contains("Return-Path: <all-bounces@example.org>\r\nDelivered-To: all@example.org\r\n"
                              "List-Id: <all.example.org>\r\n"));
    CHECK_THAT(text, contains("Precedence: list\r\nReceived: from client.example"));
  }
  const auto rows = waiting(site);
  REQUIRE(rows.size() == 1);
  CHECK(rows[0].destination == "elsewhere.example");
  const auto details = mail::read_details(rows[0].details).value();
  CHECK(smtp::write_path(details.sender) == "<all-bounces@example.org>");
  CHECK(smtp::write_path(details.recipient.address) == "<x@elsewhere.example>");
  CHECK(details.recipient.parameters == smtp::rcpt_parameters());
  const auto octets = octets_of(site, rows[0].body);
  CHECK(octets.starts_with("Delivered-To: all@example.org\r\nList-Id: "));
  CHECK(octets.ends_with("Subject: to all\r\n\r\nhello\r\n"));
}

TEST_CASE("a message that comes back to the list that sent it ends there") {
  small_site site;
  mail::list_settings list;
  list.members = {"alice@example.org"};
  put(site, "all@example.org", list);
  CHECK(send(site, "MAIL FROM:<a@example.net>\r\nRCPT TO:<all@example.org>\r\n",
             "Delivered-To: All@EXAMPLE.org\r\nSubject: again\r\n\r\n")
        == "554 5.4.6 Mail loop detected\r\n");
  CHECK(send(site, "MAIL FROM:<a@example.net>\r\nRCPT TO:<alice@example.org>\r\n",
             "Delivered-To: alice@example.org\r\nSubject: a mailbox ends every loop\r\n\r\n")
            .starts_with("250"));
}

TEST_CASE("who logged in may send elsewhere: the message waits with all that was asked") {
  small_site site;
  auto peer = site.smtp(smtp::server_kind::submission);
  peer->send("EHLO client.example\r\n");
  peer->send("AUTH PLAIN AGFsaWNlQGV4YW1wbGUub3JnAGFsaWNlLXNlY3JldA==\r\n");
  peer->send("MAIL FROM:<alice@example.org> ENVID=q1 MT-PRIORITY=3 BY=600;R BODY=8BITMIME\r\n"
             "RCPT TO:<x@BÜCHER.example>\r\n");
  CHECK_THAT(peer->take(), contains("553 5.6.7"));
  peer->send("RCPT TO:<x@Elsewhere.example> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;y@z.example\r\n"
             "RCPT TO:<bob@example.org>\r\nDATA\r\n");
  CHECK_THAT(peer->take(), contains("354"));
  peer->send("Subject: out\r\n\r\n.\r\n");
  CHECK_THAT(peer->take(), contains("250 2.0.0"));
  const auto rows = waiting(site);
  REQUIRE(rows.size() == 1);
  CHECK(rows[0].destination == "elsewhere.example");
  CHECK(rows[0].next_due == site.clock.now());
  const auto d = mail::read_details(rows[0].details).value();
  CHECK(smtp::write_path(d.sender) == "<alice@example.org>");
  CHECK(d.recipient.parameters
        == smtp::rcpt_parameters{smtp::notify_success | smtp::notify_failure, "rfc822", "y@z.example"});
  CHECK((d.mail.envelope_id == "q1" && d.mail.priority == 3 && d.mail.body == smtp::body_type::eight_bit));
  CHECK(d.mail.deliver == smtp::deliver_by{std::chrono::seconds(600), true, false});
  const auto octets = octets_of(site, rows[0].body);
  CHECK(octets.starts_with("Received: from client.example"));
  CHECK_THAT(read_as(site, "bob"), contains("Return-Path: <alice@example.org>\r\nDelivered-To: bob@example.org\r\n"));
}

TEST_CASE("a list that is closed, a list for members, and an alias in circles at RCPT") {
  small_site site;
  mail::list_settings list;
  list.posting = mail::posting_rule::members;
  list.members = {"alice@example.org"};
  put(site, "all@example.org", list);
  put(site, "a@example.org", mail::alias_settings{{"a@example.org"}});
  auto peer = site.smtp();
  peer->send("EHLO client.example\r\n");
  peer->take();
  peer->send("MAIL FROM:<outside@example.net>\r\nRCPT TO:<all@example.org>\r\nRCPT TO:<a@example.org>\r\n");
  CHECK(peer->take()
        == "250 2.1.0 Ok\r\n550 5.7.2 This list does not take mail from you\r\n554 5.4.6 Mail loop detected\r\n");
  peer->send("RSET\r\nMAIL FROM:<alice@example.org>\r\nRCPT TO:<all@example.org>\r\n");
  CHECK(peer->take() == "250 2.0.0 Ok\r\n250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n");
}
