// QRESYNC (RFC 7162 3.2): what a client that comes back hears, and VANISHED in place of EXPUNGE.
#include "tests/actors/session/small_site.hpp"

using namespace merpati;
using test::contains;
using test::say;
using test::small_site;

namespace {

std::string number_behind(const std::string& text, const std::string& word) {
  const auto at = text.find(word);
  REQUIRE(at != std::string::npos);
  const auto first = at + word.size();
  return text.substr(first, text.find_first_not_of("0123456789", first) - first);
}

struct mailbox_of_six {
  small_site site;
  std::unique_ptr<test::scripted_peer> other; ///< another program of the same user, without QRESYNC
  std::string validity;
  std::string modseq; ///< when all six were there and nothing had happened

  mailbox_of_six() {
    for (int i = 1; i <= 6; ++i)
      site.deliver("alice", "Subject: number " + std::to_string(i) + "\r\n\r\n");
    other = site.imap_as("alice");
    const auto selected = say(*other, "1 SELECT INBOX (CONDSTORE)");
    validity = number_behind(selected, "[UIDVALIDITY ");
    modseq = number_behind(selected, "[HIGHESTMODSEQ ");
  }
  void remove(const std::string& uids) {
    say(*other, "r UID STORE " + uids + " +FLAGS.SILENT (\\Deleted)");
    CHECK_THAT(say(*other, "s UID EXPUNGE " + uids), contains("s OK"));
  }
  std::unique_ptr<test::scripted_peer> aware() {
    auto peer = site.imap_as("alice");
    CHECK(say(*peer, "e ENABLE QRESYNC") == "* ENABLED QRESYNC\r\ne OK ENABLE completed\r\n");
    return peer;
  }
};

} // namespace

TEST_CASE("a client that comes back hears what went and what changed since") {
  mailbox_of_six box;
  box.remove("2:3,5");
  say(*box.other, "f UID STORE 4 +FLAGS.SILENT (\\Flagged)");
  box.site.deliver("alice", "Subject: new\r\n\r\n");
  auto peer = box.aware();
  const auto all = say(*peer, "1 SELECT INBOX (QRESYNC (" + box.validity + " " + box.modseq + "))");
  CHECK_THAT(all, contains("* VANISHED (EARLIER) 2:3,5\r\n* 2 FETCH (UID 4 FLAGS (\\Flagged) MODSEQ (")
                      && contains("* 4 FETCH (UID 7 FLAGS () MODSEQ (") && contains("1 OK [READ-WRITE]"));
  CHECK(all.find("UID 1 ") == std::string::npos);
  const auto some = say(*peer, "2 SELECT INBOX (QRESYNC (" + box.validity + " " + box.modseq + " 1:3 (1,3 1,3)))");
  CHECK_THAT(some, contains("* OK [CLOSED]") && contains("* VANISHED (EARLIER) 2:3\r\n2 OK"));
  const auto now = number_behind(some, "[HIGHESTMODSEQ ");
  const auto nothing = say(*peer, "3 EXAMINE INBOX (CONDSTORE QRESYNC (" + box.validity + " " + now + "))");
  CHECK(nothing.find("VANISHED") == std::string::npos);
  CHECK(nothing.find("FETCH") == std::string::npos);
  const auto other_mailbox = say(*peer, "4 SELECT INBOX (QRESYNC (4711 1))");
  CHECK(other_mailbox.find("VANISHED") == std::string::npos);
  CHECK_THAT(other_mailbox, contains("4 OK [READ-WRITE]"));
}

TEST_CASE("without ENABLE, and with wrong arguments, QRESYNC is an error") {
  mailbox_of_six box;
  auto peer = box.site.imap_as("alice");
  CHECK_THAT(say(*peer, "1 SELECT INBOX (QRESYNC (" + box.validity + " 1))"),
             contains("1 BAD QRESYNC has to be enabled"));
  say(*peer, "2 SELECT INBOX");
  CHECK_THAT(say(*peer, "3 UID FETCH 1:* FLAGS (CHANGEDSINCE 1 VANISHED)"),
             contains("3 BAD QRESYNC has to be enabled"));
  say(*peer, "4 ENABLE QRESYNC");
  for (const std::string bad : {"SELECT INBOX (QRESYNC)", "SELECT INBOX (QRESYNC (0 1))", "SELECT INBOX (QRESYNC (1))",
                                "SELECT INBOX (QRESYNC (1 1 1:*))", "SELECT INBOX (QRESYNC (1 1 (1)))",
                                "FETCH 1 FLAGS (CHANGEDSINCE 1 VANISHED)", "UID FETCH 1 FLAGS (VANISHED)"})
    CHECK_THAT(say(*peer, "5 " + bad), contains("5 BAD "));
}

TEST_CASE("FETCH tells what vanished among the UIDs that were asked for") {
  mailbox_of_six box;
  box.remove("2:3,6");
  auto peer = box.aware();
  say(*peer, "1 SELECT INBOX");
  CHECK_THAT(say(*peer, "2 UID FETCH 3:* FLAGS (CHANGEDSINCE " + box.modseq + " VANISHED)"),
             contains("* VANISHED (EARLIER) 3,6\r\n2 OK"));
  CHECK_THAT(say(*peer, "3 UID FETCH 1:2 FLAGS (VANISHED CHANGEDSINCE 1)"),
             contains("* VANISHED (EARLIER) 2\r\n* 1 FETCH (UID 1 FLAGS () MODSEQ ("));
}

TEST_CASE("who has enabled it hears VANISHED, others EXPUNGE") {
  mailbox_of_six box;
  auto peer = box.aware();
  say(*peer, "1 SELECT INBOX");
  box.remove("2,4");
  CHECK_THAT(say(*peer, "2 FETCH 1 UID"), !contains("VANISHED"));
  CHECK(say(*peer, "3 NOOP") == "* VANISHED 2,4\r\n3 OK NOOP completed\r\n");
  say(*peer, "4 IDLE");
  box.remove("6");
  CHECK_THAT(peer->take(), contains("* VANISHED 6\r\n"));
  CHECK_THAT(say(*peer, "DONE"), contains("4 OK"));
  say(*box.other, "f UID STORE 1 +FLAGS (\\Seen)");
  CHECK_THAT(say(*peer, "5 NOOP"), contains("* 1 FETCH (UID 1 FLAGS (\\Seen) MODSEQ ("));
  CHECK_THAT(say(*peer, "6 STORE 2 +FLAGS (\\Deleted)"), contains("* 2 FETCH (UID 3 FLAGS (\\Deleted) MODSEQ ("));
  const auto expunged = say(*peer, "7 EXPUNGE");
  CHECK_THAT(expunged, contains("* VANISHED 3\r\n7 OK [HIGHESTMODSEQ "));
  CHECK_THAT(say(*peer, "8 EXPUNGE"), contains("8 OK EXPUNGE completed"));
  const auto status = say(*peer, "9 STATUS INBOX (HIGHESTMODSEQ)");
  CHECK(number_behind(expunged, "[HIGHESTMODSEQ ") == number_behind(status, "(HIGHESTMODSEQ "));
  say(*peer, "10 CREATE away");
  CHECK_THAT(say(*peer, "11 MOVE 1 away"),
             contains("* OK [COPYUID ") && contains("* VANISHED 1\r\n11 OK [HIGHESTMODSEQ "));
  CHECK_THAT(say(*box.other, "12 NOOP"), contains(" EXPUNGE\r\n"));
  say(*peer, "13 STORE 1 +FLAGS.SILENT (\\Deleted)");
  CHECK(say(*peer, "14 CLOSE") == "14 OK CLOSE completed\r\n");
}

TEST_CASE("while removals can't be told, changes after them are not told either") {
  mailbox_of_six box;
  auto peer = box.aware();
  say(*peer, "1 SELECT INBOX");
  box.remove("2");
  say(*box.other, "f UID STORE 4 +FLAGS.SILENT (\\Flagged)");
  CHECK(say(*peer, "2 FETCH 1 UID") == "* 1 FETCH (UID 1)\r\n2 OK FETCH completed\r\n");
  CHECK_THAT(say(*peer, "3 NOOP"), contains("* VANISHED 2\r\n* 3 FETCH (UID 4 FLAGS (\\Flagged) MODSEQ ("));
}

TEST_CASE("a silent STORE tells what the client can't know") {
  mailbox_of_six box;
  auto peer = box.aware();
  say(*peer, "1 SELECT INBOX");
  box.remove("2");
  say(*box.other, "f UID STORE 4 +FLAGS.SILENT (\\Flagged)");
  CHECK_THAT(say(*peer, "2 STORE 4 +FLAGS.SILENT (\\Seen)"),
             contains("* 4 FETCH (UID 4 FLAGS (\\Seen \\Flagged) MODSEQ (") && contains("2 OK STORE completed"));
  const auto known = say(*peer, "3 STORE 5 +FLAGS.SILENT (\\Seen)");
  CHECK_THAT(known, contains("* 5 FETCH (UID 5 MODSEQ ("));
  CHECK(known.find("FLAGS (") == std::string::npos);
  CHECK(say(*peer, "4 STORE 2 +FLAGS.SILENT (\\Seen)") == "4 OK [EXPUNGEISSUED] Some of the messages are gone\r\n");
}
