// What a message goes through on its way in: whose it may be, what is added to it, what is a loop, and LMTP's replies.
#include "actors/mail/address_settings.hpp"
#include "actors/mail/sender_rules.hpp"
#include "tests/actors/session/small_site.hpp"

using namespace merpati;
using test::contains;
using test::small_site;

namespace {

std::unique_ptr<test::scripted_peer> submission_of_alice(small_site& site) {
  auto peer = site.smtp(smtp::server_kind::submission);
  peer->send("EHLO client.example\r\n");
  peer->send("AUTH PLAIN AGFsaWNlQGV4YW1wbGUub3JnAGFsaWNlLXNlY3JldA==\r\n");
  CHECK_THAT(peer->take(), contains("235 2.7.0"));
  return peer;
}

std::string submit(test::scripted_peer& peer, const std::string& message) {
  peer.send("MAIL FROM:<Alice@example.org>\r\n");
  peer.send("RCPT TO:<bob@example.org>\r\nDATA\r\n");
  CHECK_THAT(peer.take(), contains("354"));
  peer.send(message + ".\r\n");
  return peer.take();
}

std::string read_as(small_site& site, const std::string& user, const std::string& number = "1") {
  auto reader = site.imap_as(user);
  reader->send("1 EXAMINE INBOX\r\n2 FETCH " + number + " BODY[]\r\n");
  return reader->take();
}

} // namespace

TEST_CASE("a submitted message gets what it lacks and loses its Bcc") {
  small_site site;
  auto peer = submission_of_alice(site);
  CHECK(submit(*peer, "Subject: short\r\nBcc: carol@example.org\r\n\r\nhello\r\n").starts_with("250 2.0.0"));
  const auto text = read_as(site, "bob");
  CHECK_THAT(text, contains("\r\nDate: Mon, 21 Sep 2026 14:13:20 +0000\r\nMessage-ID: <"));
  CHECK_THAT(text, contains("@mail.example.org>\r\nFrom: Alice@example.org\r\nSubject: short\r\n\r\nhello\r\n"));
  CHECK_THAT(text, contains("with ESMTPA\r\n"));
  CHECK(text.find("Bcc") == std::string::npos);
}

TEST_CASE("who submits sends under its own addresses, in the envelope and in From") {
  small_site site;
  auto peer = submission_of_alice(site);
  peer->send("MAIL FROM:<bob@example.org>\r\n");
  CHECK(peer->take() == "550 5.7.1 The envelope sender address is not yours to send from\r\n");
  CHECK(submit(*peer, "From: Bob <bob@example.org>\r\n\r\n")
        == "550 5.7.1 The From address is not yours to send from\r\n");
  CHECK(submit(*peer, "From: alice@example.org, bob@example.org\r\n\r\n")
        == "550 5.7.1 The From address is not yours to send from\r\n");
  CHECK(submit(*peer, "From: alice\r\n\r\n") == "554 5.6.0 From has no address that can be read\r\n");
  CHECK(submit(*peer, "From: =?utf-8?q?A?= <ALICE@EXAMPLE.org>\r\n\r\n").starts_with("250 2.0.0"));
  peer->send("MAIL FROM:<>\r\n");
  CHECK(peer->take().starts_with("250 2.1.0"));
}

TEST_CASE("an address whose mail comes to nobody else is the sender's own") {
  small_site site;
  const auto put = [&](const std::string& address, std::vector<std::string> targets) {
    mail::alias_settings alias;
    alias.targets = std::move(targets);
    const storage::mutation change = storage::put_address{{address, mail::write_settings(alias)}};
    REQUIRE(site.services->store->shard(0).apply({&change, 1}).front());
  };
  put("sales@example.org", {"alice@example.org"});
  put("office@example.org", {"sales@example.org"});
  put("team@example.org", {"alice@example.org", "bob@example.org"});
  put("ring@example.org", {"ring@example.org"});
  put("away@example.org", {"alice@elsewhere.example"});
  auto peer = submission_of_alice(site);
  const auto mail_from = [&](const std::string& address) {
    peer->send("RSET\r\nMAIL FROM:<" + address + ">\r\n");
    const auto said = peer->take();
    return said.substr(said.find('\n') + 1, 3);
  };
  for (const std::string own : {"sales@example.org", "OFFICE@example.org", "alice+books@example.org"})
    CHECK(mail_from(own) == "250");
  for (const std::string other : {"team@example.org", "ring@example.org", "away@example.org", "bob+alice@example.org",
                                  "nobody@example.org", "alice@elsewhere.example"})
    CHECK(mail_from(other) == "550");
  CHECK(submit(*peer, "From: Sales <sales@example.org>\r\n\r\n").starts_with("250 2.0.0"));
}

TEST_CASE("delegated addresses are its own too") {
  mail::sender_delegations delegations;
  REQUIRE(delegations.add("Alice@Example.org", "Info@BÜCHER.example"));
  REQUIRE(delegations.add("alice@example.org", "@example.com"));
  CHECK_FALSE(delegations.add("alice@example.org", "@"));
  CHECK_FALSE(delegations.add("alice", "x@example.com"));
  const std::string alice = "alice@example.org";
  CHECK(mail::may_send_as(alice, {"alice", "example.org"}, delegations));
  CHECK(mail::may_send_as(alice, {"info", "xn--bcher-kva.example"}, delegations));
  CHECK(mail::may_send_as(alice, {"anybody", "EXAMPLE.com"}, delegations));
  CHECK_FALSE(mail::may_send_as(alice, {"info", "example.org"}, delegations));
  CHECK_FALSE(mail::may_send_as("bob@example.org", {"anybody", "example.com"}, delegations));
  CHECK_FALSE(mail::may_send_as(alice, {"postmaster", ""}, delegations));
}

TEST_CASE("mail from outside keeps its header as it is, and one that went in circles ends here") {
  small_site site;
  const std::string plain = "Bcc: x@example.org\r\nSubject: a\r\n\r\nhello";
  site.deliver("alice", plain);
  CHECK_THAT(read_as(site, "alice"), contains("+0000\r\n" + plain + "\r\n"));
  std::string hops;
  for (int i = 0; i != 51; ++i)
    hops += "Received: from a.example by b.example; Mon, 23 Nov 2026 14:31:02 +0000\r\n";
  auto peer = site.smtp();
  peer->send("EHLO c.example\r\n");
  peer->send("MAIL FROM:<x@c.example>\r\n");
  peer->send("RCPT TO:<alice@example.org>\r\nDATA\r\n");
  peer->take();
  peer->send(hops + "\r\n.\r\n");
  CHECK(peer->take() == "554 5.4.6 Mail loop detected\r\n");
}

TEST_CASE("a header that never ends is refused, and the session goes on") {
  small_site site;
  auto peer = site.smtp();
  peer->send("HELO c.example\r\n");
  peer->send("MAIL FROM:<x@c.example>\r\nRCPT TO:<alice@example.org>\r\nDATA\r\n");
  peer->take();
  for (int i = 0; i != 300; ++i)
    peer->send("X-Filler: " + std::string(1'000, 'x') + "\r\n");
  peer->send("\r\n.\r\nNOOP\r\n");
  CHECK(peer->take() == "552 5.3.4 Message header exceeds the size limit\r\n250 2.0.0 Ok\r\n");
}

TEST_CASE("a message in chunks arrives whole, and one that was reset does not arrive") {
  small_site site;
  auto peer = site.smtp();
  peer->send("EHLO c.example\r\n");
  peer->send("MAIL FROM:<x@c.example>\r\nRCPT TO:<alice@example.org>\r\nBDAT 14\r\nSubject: one\r\n");
  peer->send("RSET\r\nMAIL FROM:<x@c.example> BODY=BINARYMIME\r\nRCPT TO:<alice@example.org>\r\n");
  peer->send("BDAT 15\r\nSubject: two\r\n\r");
  peer->send(std::string("BDAT 7 LAST\r\n\n.\0\n.\r\n", 20));
  CHECK_THAT(peer->take(), contains("250 2.0.0 15 octets received\r\n250 2.0.0 Ok: stored as "));
  CHECK_THAT(read_as(site, "alice"),
             contains("* 1 EXISTS") && contains(std::string("Subject: two\r\n\r\n.\0\n.\r\n", 22)));
}

TEST_CASE("over LMTP each recipient has its own reply") {
  small_site site;
  auto view = site.services->store->read(0);
  auto bob = view->account("bob@example.org").value();
  bob.quota_messages = 1;
  view = fail(errc::internal, "closed");
  storage::put_account change{bob};
  REQUIRE(site.services->store->shard(0).apply(std::vector<storage::mutation>{change}).front());
  auto peer = site.smtp(smtp::server_kind::lmtp);
  auto other = site.smtp(smtp::server_kind::lmtp);
  const std::string opening = "LHLO front.example\r\n";
  const std::string transaction =
      "MAIL FROM:<x@c.example>\r\nRCPT TO:<bob@example.org>\r\nRCPT TO:<alice@example.org>\r\n"
      "RCPT TO:<bob@example.org>\r\nDATA\r\n";
  for (auto* each : {peer.get(), other.get()}) {
    each->send(opening);
    each->send(transaction);
    CHECK_THAT(each->take(), contains("354"));
  }
  peer->send("Subject: first\r\n\r\n.\r\n");
  const auto all = peer->take();
  CHECK(std::count(all.begin(), all.end(), '\n') == 3);
  CHECK(all.find("452") == std::string::npos);
  other->send("Subject: second\r\n\r\n.\r\n");
  const auto some = other->take();
  CHECK(some.starts_with("452 4.2.2 Mailbox full\r\n250 2.0.0 Ok: stored as "));
  CHECK(some.ends_with("\r\n452 4.2.2 Mailbox full\r\n"));
  CHECK_THAT(read_as(site, "alice", "1:*"), contains("* 2 EXISTS") && contains("with LMTP\r\n"));
}
