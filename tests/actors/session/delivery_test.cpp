// A message from an SMTP client to IMAP and POP3 clients, over whole sessions, for every way to cut the input.
#include "tests/actors/session/small_site.hpp"

using namespace merpati;
using test::contains;
using test::cutting;
using test::small_site;

namespace {
const std::string message = "From: Outside <outside@example.net>\r\n"
                            "To: alice@example.org\r\n"
                            "Subject: First light\r\n"
                            "Message-ID: <1@example.net>\r\n"
                            "\r\n"
                            "..a line that begins with a dot\r\n"
                            "the end";
}

TEST_CASE("a message goes in over SMTP and comes out over IMAP and POP3 with identical octets") {
  auto how = GENERATE(cutting::whole, cutting::octets, cutting::random);
  small_site site;
  auto sender = site.smtp();
  sender->cut(how);
  CHECK(sender->take().starts_with("220 mail.example.org"));
  sender->send("EHLO client.example\r\n");
  CHECK_THAT(sender->take(), contains("250-PIPELINING\r\n") && contains("8BITMIME"));
  sender->send("MAIL FROM:<outside@example.net> SIZE=500\r\nRCPT TO:<alice@example.org>\r\nDATA\r\n");
  auto replies = sender->take();
  CHECK_THAT(replies, contains("250 2.1.0") && contains("250 2.1.5") && contains("354"));
  sender->send(message + "\r\n.\r\nQUIT\r\n");
  replies = sender->take();
  CHECK_THAT(replies, contains("250 2.") && contains("221"));
  CHECK(sender->closed());

  auto reader = site.imap_as("alice");
  reader->cut(how);
  reader->send("1 SELECT INBOX\r\n");
  CHECK_THAT(reader->take(), contains("* 1 EXISTS\r\n") && contains("1 OK [READ-WRITE]"));
  reader->send("2 FETCH 1 (FLAGS ENVELOPE BODY.PEEK[TEXT])\r\n");
  auto fetched = reader->take();
  CHECK_THAT(fetched, contains("\"First light\"") && contains("FLAGS ()"));
  CHECK_THAT(fetched, contains("BODY[TEXT] {41}\r\n.a line that begins with a dot\r\nthe end\r\n"));
  reader->send("3 FETCH 1 BODY[]\r\n");
  fetched = reader->take();
  CHECK_THAT(fetched, contains("Return-Path: <outside@example.net>\r\nDelivered-To: alice@example.org\r\n"
                               "Received: from client.example"));
  CHECK_THAT(fetched, contains("FLAGS (\\Seen)"));

  auto pop = site.pop3();
  pop->cut(how);
  pop->send("USER alice@example.org\r\nPASS alice-secret\r\n");
  CHECK_THAT(pop->take(), contains("+OK"));
  pop->send("RETR 1\r\n");
  CHECK_THAT(pop->take(), contains("\r\n\r\n..a line that begins with a dot\r\nthe end\r\n.\r\n"));
  pop->send("DELE 1\r\nQUIT\r\n");
  CHECK_THAT(pop->take(), contains("+OK"));
  reader->send("4 NOOP\r\n");
  CHECK_THAT(reader->take(), contains("* 1 EXPUNGE\r\n") && contains("4 OK"));
}

TEST_CASE("each recipient of one message gets one copy, the null sender is taken, and strangers are refused") {
  small_site site;
  auto sender = site.smtp();
  sender->send("EHLO client.example\r\n");
  sender->send("MAIL FROM:<>\r\n");
  sender->take();
  sender->send("RCPT TO:<alice@example.org>\r\n");
  CHECK(sender->take().starts_with("250 2.1.5"));
  sender->send("RCPT TO:<ALICE@Example.ORG>\r\n");
  CHECK(sender->take().starts_with("250 2.1.5"));
  sender->send("RCPT TO:<bob@example.org>\r\n");
  CHECK(sender->take().starts_with("250 2.1.5"));
  sender->send("RCPT TO:<carol@example.org>\r\n");
  CHECK(sender->take().starts_with("550 5.1.1"));
  sender->send("RCPT TO:<someone@elsewhere.example>\r\n");
  CHECK(sender->take().starts_with("550 5.7.1"));
  sender->send("DATA\r\n");
  sender->take();
  sender->send(message + "\r\n.\r\n");
  CHECK(sender->take().starts_with("250 "));
  for (const std::string user : {"alice", "bob"}) {
    auto reader = site.imap_as(user);
    reader->send("1 STATUS INBOX (MESSAGES UIDNEXT)\r\n");
    CHECK_THAT(reader->take(), contains("MESSAGES 1 UIDNEXT 2"));
  }
}

TEST_CASE("a message that is larger than a session may hold goes through a spool file and stays the same") {
  small_site site;
  std::string body;
  while (body.size() < 3'000'000)
    body += "line " + std::to_string(body.size()) + " of a large message, and some more text to fill it up\r\n";
  site.deliver("bob", "Subject: large\r\n\r\n" + body.substr(0, body.size() - 2));
  auto reader = site.imap_as("bob");
  reader->send("1 EXAMINE INBOX\r\n");
  reader->take();
  reader->send("2 FETCH 1 BODY[TEXT]\r\n");
  CHECK_THAT(reader->take(), contains("{" + std::to_string(body.size()) + "}\r\n" + body));
}

TEST_CASE("who is in IDLE hears of a delivery and of another session's changes at once") {
  small_site site;
  auto watcher = site.imap_as("alice");
  watcher->send("1 SELECT INBOX\r\n2 IDLE\r\n");
  CHECK_THAT(watcher->take(), contains("* 0 EXISTS") && contains("+ "));
  site.deliver("alice", message);
  CHECK_THAT(watcher->take(), contains("* 1 EXISTS\r\n"));

  auto other = site.imap_as("alice");
  other->send("1 SELECT INBOX\r\n");
  other->take();
  other->send("2 STORE 1 +FLAGS (\\Flagged $Label1)\r\n");
  CHECK_THAT(other->take(), contains("* 1 FETCH (FLAGS (\\Flagged $Label1))") && contains("2 OK"));
  CHECK_THAT(watcher->take(), contains("$Label1") && contains("* 1 FETCH (FLAGS (\\Flagged $Label1)"));
  other->send("3 STORE 1 +FLAGS.SILENT (\\Deleted)\r\n");
  CHECK(other->take().starts_with("3 OK"));
  other->send("4 EXPUNGE\r\n");
  CHECK_THAT(other->take(), contains("* 1 EXPUNGE\r\n") && contains("4 OK"));
  CHECK_THAT(watcher->take(), contains("* 1 EXPUNGE\r\n"));
  watcher->send("DONE\r\n");
  CHECK_THAT(watcher->take(), contains("2 OK"));
}

TEST_CASE("APPEND, COPY, MOVE and SEARCH work on what is stored") {
  small_site site;
  auto client = site.imap_as("alice");
  client->send("1 APPEND Drafts (\\Draft) \"01-Feb-2026 10:00:00 +0000\" {" + std::to_string(message.size()) + "}\r\n");
  CHECK_THAT(client->take(), contains("+ "));
  client->send(message + "\r\n");
  CHECK_THAT(client->take(), contains("1 OK [APPENDUID ") && contains(" 1]"));
  client->send(
      "2 SELECT Drafts\r\n3 SEARCH SUBJECT light\r\n4 SEARCH TEXT \"BEGINS WITH A DOT\"\r\n5 SEARCH BODY nothing\r\n");
  CHECK_THAT(client->take(),
             contains("* SEARCH 1\r\n3 OK") && contains("* SEARCH 1\r\n4 OK") && contains("* SEARCH\r\n5 OK"));
  client->send("6 COPY 1 Archive\r\n7 MOVE 1 Trash\r\n8 FETCH 1 FLAGS\r\n");
  CHECK_THAT(client->take(), contains("6 OK [COPYUID ") && contains("* OK [COPYUID ") && contains("* 1 EXPUNGE\r\n7 OK")
                                 && contains("8 BAD"));
  client->send("9 COPY 1:* Missing\r\n10 STATUS Trash (MESSAGES)\r\n11 STATUS Archive (MESSAGES)\r\n");
  CHECK_THAT(client->take(), contains("9 NO [TRYCREATE]") && contains("STATUS Trash (MESSAGES 1)")
                                 && contains("STATUS Archive (MESSAGES 1)"));
}

TEST_CASE("a second POP3 session is told that the maildrop is in use, until the first one ends") {
  small_site site;
  auto first = site.pop3();
  first->send("USER alice@example.org\r\nPASS alice-secret\r\n");
  first->take();
  auto second = site.pop3();
  second->send("USER alice@example.org\r\nPASS alice-secret\r\n");
  CHECK_THAT(second->take(), contains("-ERR [IN-USE]"));
  first->send("QUIT\r\n");
  site.system.run();
  second->send("USER alice@example.org\r\nPASS alice-secret\r\n");
  CHECK(second->take().find("-ERR") == std::string::npos);
}

TEST_CASE("wrong passwords are refused in each protocol, and the selected mailbox's end is told with BYE") {
  small_site site;
  auto imap = site.imap();
  imap->send("1 LOGIN alice@example.org wrong\r\n");
  CHECK_THAT(imap->take(), contains("1 NO [AUTHENTICATIONFAILED]"));
  auto pop = site.pop3();
  pop->send("USER nobody@example.org\r\nPASS wrong\r\n");
  CHECK_THAT(pop->take(), contains("-ERR [AUTH]"));
  auto smtp = site.smtp(smtp::server_kind::submission);
  smtp->send("EHLO client.example\r\n");
  smtp->send("AUTH PLAIN AGFsaWNlQGV4YW1wbGUub3JnAHdyb25n\r\n");
  CHECK_THAT(smtp->take(), contains("535 5.7.8"));
  smtp->send("MAIL FROM:<alice@example.org>\r\n");
  CHECK_THAT(smtp->take(), contains("530 5.7.0"));

  auto victim = site.imap_as("alice");
  victim->send("1 CREATE Short\r\n2 SELECT Short\r\n");
  victim->take();
  auto other = site.imap_as("alice");
  other->send("1 DELETE Short\r\n");
  CHECK(other->take().starts_with("1 OK"));
  CHECK_THAT(victim->take(), contains("* BYE"));
}

TEST_CASE("an ordered stop says goodbye in each protocol") {
  small_site site;
  auto smtp = site.smtp();
  auto imap = site.imap_as("alice");
  auto pop = site.pop3();
  smtp->take();
  pop->take();
  for (auto* peer : {smtp.get(), imap.get(), pop.get()})
    caf::anon_send(peer->session(), runtime::stop_request{});
  site.system.run();
  CHECK(smtp->take().starts_with("421 4.3.2"));
  CHECK_THAT(imap->take(), contains("* BYE [UNAVAILABLE]"));
  CHECK_THAT(pop->take(), contains("-ERR [SYS/TEMP]"));
}
