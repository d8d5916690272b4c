// Extensions of IMAP that the engine leaves to the session: quota, saved searches, logging out without hanging up.
#include "tests/actors/session/small_site.hpp"

using namespace merpati;
using test::contains;
using test::say;
using test::small_site;

namespace {

void set_quota(small_site& site, std::uint64_t bytes, std::uint64_t messages) {
  auto row = site.services->store->read(0)->account("alice@example.org").value();
  row.quota_bytes = bytes;
  row.quota_messages = messages;
  const storage::mutation change = storage::put_account{row};
  REQUIRE(site.services->store->shard(0).apply({&change, 1}).front());
}

} // namespace

TEST_CASE("QUOTA tells what an account has and may have (RFC 9208)") {
  small_site site;
  site.deliver("alice", "Subject: one\r\n\r\n" + std::string(3'000, 'x') + "\r\n");
  auto peer = site.imap_as("alice");
  CHECK_THAT(say(*peer, "1 CAPABILITY"), contains(" QUOTA QUOTA=RES-STORAGE QUOTA=RES-MESSAGE ")
                                             && contains(" APPENDLIMIT=") && contains(" SEARCHRES "));
  CHECK(say(*peer, "2 GETQUOTAROOT INBOX")
        == "* QUOTAROOT INBOX \"account\"\r\n* QUOTA \"account\" ()\r\n2 OK GETQUOTAROOT completed\r\n");
  set_quota(site, 10 * 1024, 0);
  CHECK(say(*peer, "3 GETQUOTA account") == "* QUOTA \"account\" (STORAGE 4 10)\r\n3 OK GETQUOTA completed\r\n");
  set_quota(site, 10 * 1024, 1);
  CHECK(say(*peer, "4 GETQUOTAROOT \"not there\"")
        == "* QUOTAROOT \"not there\" \"account\"\r\n* QUOTA \"account\" (STORAGE 4 10 MESSAGE 1 1)\r\n"
           "4 OK GETQUOTAROOT completed\r\n");
  CHECK(say(*peer, "5 GETQUOTA other") == "5 NO [NONEXISTENT] There is no such quota root\r\n");
  peer->send("6 APPEND INBOX {5+}\r\n\r\nabc\r\n");
  CHECK_THAT(peer->take(), contains("6 NO [OVERQUOTA]"));
}

TEST_CASE("STATUS tells what EXPUNGE would free, and how large a message may be (RFC 9208 4.1.4, RFC 7889)") {
  small_site site;
  site.deliver("alice", "Subject: one\r\n\r\n");
  site.deliver("alice", "Subject: two\r\n\r\n");
  auto peer = site.imap_as("alice");
  const auto status = [&](const std::string& items) { return say(*peer, "s STATUS INBOX (" + items + ")"); };
  CHECK_THAT(status("DELETED DELETED-STORAGE"), contains("(DELETED 0 DELETED-STORAGE 0)"));
  say(*peer, "1 SELECT INBOX");
  const auto sizes = say(*peer, "2 FETCH 1 RFC822.SIZE");
  const auto size = sizes.substr(sizes.find("SIZE ") + 5, sizes.find(')') - sizes.find("SIZE ") - 5);
  say(*peer, "3 STORE 1 +FLAGS (\\Deleted)");
  CHECK_THAT(status("DELETED DELETED-STORAGE"), contains("(DELETED 1 DELETED-STORAGE " + size + ")"));
  CHECK_THAT(status("APPENDLIMIT"), contains("(APPENDLIMIT 52428800)"));
  CHECK_THAT(say(*peer, "4 LIST \"\" INBOX RETURN (STATUS (DELETED-STORAGE))"),
             contains("STATUS INBOX (DELETED-STORAGE " + size + ")"));
}

TEST_CASE("a saved search is used by later commands until the mailbox changes hands (RFC 5182)") {
  small_site site;
  for (const std::string subject : {"a", "b", "a", "c"})
    site.deliver("alice", "Subject: " + subject + "\r\n\r\n");
  auto peer = site.imap_as("alice");
  say(*peer, "1 SELECT INBOX");
  CHECK(say(*peer, "2 SEARCH RETURN (SAVE) SUBJECT a") == "2 OK SEARCH completed\r\n");
  CHECK_THAT(say(*peer, "3 FETCH $ UID"), contains("* 1 FETCH (UID 1)\r\n* 3 FETCH (UID 3)\r\n3 OK"));
  CHECK_THAT(say(*peer, "4 UID SEARCH $ 3:*"), contains("* SEARCH 3\r\n"));
  say(*peer, "5 STORE 1 +FLAGS.SILENT (\\Deleted)");
  say(*peer, "6 EXPUNGE");
  CHECK_THAT(say(*peer, "7 UID FETCH $ UID"), contains("* 2 FETCH (UID 3)\r\n7 OK"));
  CHECK_THAT(say(*peer, "8 SEARCH RETURN (SAVE MIN) ALL"), contains("MIN 1\r\n"));
  CHECK_THAT(say(*peer, "9 SEARCH RETURN (COUNT) $"), contains("COUNT 1\r\n"));
  say(*peer, "10 SEARCH RETURN (SAVE) SUBJECT nowhere");
  CHECK(say(*peer, "11 FETCH $ UID") == "11 OK FETCH completed\r\n");
  say(*peer, "12 SEARCH RETURN (SAVE) ALL");
  say(*peer, "13 SELECT INBOX");
  CHECK(say(*peer, "14 FETCH $ UID") == "14 OK FETCH completed\r\n");
}

TEST_CASE("UNAUTHENTICATE goes back to the state before login, for another user (RFC 8437)") {
  small_site site;
  site.deliver("alice", "Subject: alice's\r\n\r\n");
  auto peer = site.imap_as("alice");
  CHECK_THAT(say(*peer, "1 CAPABILITY"), contains(" UNAUTHENTICATE"));
  say(*peer, "2 SELECT INBOX");
  CHECK(say(*peer, "3 UNAUTHENTICATE") == "3 OK UNAUTHENTICATE completed\r\n");
  CHECK_THAT(say(*peer, "4 FETCH 1 UID"), contains("4 BAD "));
  site.deliver("alice", "Subject: nobody hears of it\r\n\r\n");
  CHECK(say(*peer, "5 NOOP") == "5 OK NOOP completed\r\n");
  CHECK_THAT(say(*peer, "6 LOGIN bob@example.org bob-secret"), contains("6 OK "));
  CHECK_THAT(say(*peer, "7 STATUS INBOX (MESSAGES)"), contains("MESSAGES 0"));
  CHECK_THAT(say(*peer, "8 EXAMINE INBOX"), contains("* 0 EXISTS"));
}

TEST_CASE("objects have ids that last (RFC 8474)") {
  small_site site;
  site.deliver("alice", "Message-ID: <one@example.net>\r\nSubject: one\r\n\r\n");
  site.deliver("alice", "Message-ID: <two@example.net>\r\nIn-Reply-To: <one@example.net>\r\nSubject: Re: one\r\n\r\n");
  auto peer = site.imap_as("alice");
  const auto created = say(*peer, "1 CREATE box");
  const auto id =
      created.substr(created.find("[MAILBOXID (") + 12, created.find(")]") - created.find("[MAILBOXID (") - 12);
  CHECK_THAT(say(*peer, "2 RENAME box other"), contains("2 OK"));
  CHECK_THAT(say(*peer, "3 STATUS other (MAILBOXID)"), contains("MAILBOXID (" + id + ")"));
  CHECK_THAT(say(*peer, "4 SELECT other"), contains("* OK [MAILBOXID (" + id + ")]"));
  say(*peer, "5 SELECT INBOX");
  const auto value = [&](const std::string& number, const std::string& item) {
    const auto said = say(*peer, "f FETCH " + number + " " + item);
    const auto at = said.find(item + " (") + item.size() + 2;
    return said.substr(at, said.find(')', at) - at);
  };
  const auto email = value("1", "EMAILID");
  CHECK(value("2", "EMAILID") != email);
  CHECK(value("1", "THREADID") == value("2", "THREADID"));
  CHECK_THAT(say(*peer, "6 SEARCH EMAILID " + email), contains("* SEARCH 1\r\n"));
  CHECK_THAT(say(*peer, "7 SEARCH THREADID " + value("1", "THREADID")), contains("* SEARCH 1 2\r\n"));
  say(*peer, "8 COPY 1 other");
  say(*peer, "9 SELECT other");
  CHECK(value("1", "EMAILID") == email);
}

TEST_CASE("a copy has the time when it was made (RFC 8514)") {
  small_site site;
  site.deliver("alice", "Subject: one\r\n\r\n");
  auto peer = site.imap_as("alice");
  say(*peer, "1 SELECT INBOX");
  CHECK_THAT(say(*peer, "2 FETCH 1 (INTERNALDATE SAVEDATE)"), contains("SAVEDATE \"21-Sep-2026 14:13:20 +0000\""));
  site.clock.advance(std::chrono::hours(48));
  say(*peer, "3 CREATE later");
  say(*peer, "4 COPY 1 later");
  say(*peer, "5 SELECT later");
  CHECK_THAT(say(*peer, "6 FETCH 1 (INTERNALDATE SAVEDATE)"),
             contains("INTERNALDATE \"21-Sep-2026 14:13:20 +0000\"")
                 && contains("SAVEDATE \"23-Sep-2026 14:13:20 +0000\""));
  CHECK_THAT(say(*peer, "7 SEARCH SAVEDSINCE 22-Sep-2026"), contains("* SEARCH 1\r\n"));
  CHECK_THAT(say(*peer, "8 SEARCH SAVEDBEFORE 22-Sep-2026"), contains("* SEARCH\r\n"));
  CHECK_THAT(say(*peer, "9 SEARCH SAVEDATESUPPORTED"), contains("* SEARCH 1\r\n"));
}

TEST_CASE("of two sessions that change a message, the second one hears that it was too late (RFC 7162 3.1)") {
  small_site site;
  for (int i = 0; i != 3; ++i)
    site.deliver("alice", "Subject: one\r\n\r\n");
  auto first = site.imap_as("alice");
  auto second = site.imap_as("alice");
  const auto selected = say(*first, "1 SELECT INBOX (CONDSTORE)");
  const auto at = selected.find("[HIGHESTMODSEQ ") + 15;
  const auto known = selected.substr(at, selected.find(']', at) - at);
  say(*second, "1 SELECT INBOX");
  say(*second, "2 STORE 2 +FLAGS (\\Flagged)");
  CHECK_THAT(say(*first, "2 STORE 1:3 (UNCHANGEDSINCE " + known + ") +FLAGS (\\Seen)"),
             contains("2 OK [MODIFIED 2]") && contains("* 1 FETCH (FLAGS (\\Seen) MODSEQ (")
                 && contains("* 2 FETCH (FLAGS (\\Flagged) MODSEQ ("));
  CHECK_THAT(say(*first, "3 FETCH 1:* (FLAGS) (CHANGEDSINCE " + known + ")"),
             contains("* 1 FETCH ") && contains("* 2 FETCH ") && contains("* 3 FETCH "));
  CHECK_THAT(say(*first, "4 SEARCH MODSEQ " + known + " UNFLAGGED"), contains("* SEARCH 1 3 (MODSEQ "));
  CHECK_THAT(say(*second, "3 NOOP"), contains("* 1 FETCH (FLAGS (\\Seen))"));
}

TEST_CASE("IMAP4rev2 once it is enabled (RFC 9051)") {
  small_site site;
  site.deliver("alice", "Subject: one\r\n\r\nbody\r\n");
  auto peer = site.imap_as("alice");
  CHECK_THAT(say(*peer, "1 ENABLE IMAP4rev2"), contains("* ENABLED IMAP4rev2"));
  say(*peer, "2 CREATE \"B\xC3\xBC"
             "cher\"");
  CHECK_THAT(say(*peer, "3 LIST \"\" *"), contains("\"B\xC3\xBC"
                                                   "cher\""));
  const auto selected = say(*peer, "4 SELECT INBOX");
  CHECK(selected.find("RECENT") == std::string::npos);
  CHECK(selected.find("UNSEEN") == std::string::npos);
  CHECK_THAT(selected, contains("* LIST () \"/\" INBOX\r\n"));
  CHECK_THAT(say(*peer, "5 SEARCH ALL"), contains("* ESEARCH (TAG \"5\") ALL 1\r\n"));
  CHECK_THAT(say(*peer, "6 FETCH 1 BINARY.SIZE[]"), contains("BINARY.SIZE[] "));
}

TEST_CASE("SORT and THREAD over a mailbox (RFC 5256)") {
  small_site site;
  const auto deliver = [&](const std::string& id, const std::string& rest) {
    site.deliver("alice", "Message-ID: <" + id + "@x>\r\n" + rest + "\r\n\r\nwords of " + id + "\r\n");
  };
  deliver("a", "From: b@x\r\nSubject: pigeons\r\nDate: Mon, 23 Nov 2026 12:00:00 +0000");
  deliver("b", "From: c@x\r\nSubject: Re: pigeons\r\nReferences: <a@x>\r\nDate: Mon, 23 Nov 2026 11:00:00 +0000");
  deliver("c", "From: a@x\r\nSubject: apples\r\nDate: Mon, 23 Nov 2026 10:00:00 +0000");
  auto peer = site.imap_as("alice");
  say(*peer, "1 SELECT INBOX");
  say(*peer, "2 STORE 1 +FLAGS.SILENT (\\Deleted)");
  CHECK(say(*peer, "3 SORT (DATE) UTF-8 ALL") == "* SORT 3 2 1\r\n3 OK SORT completed\r\n");
  CHECK(say(*peer, "4 SORT (REVERSE FROM) US-ASCII NOT DELETED") == "* SORT 2 3\r\n4 OK SORT completed\r\n");
  CHECK(say(*peer, "5 SORT (ARRIVAL) UTF-8 BODY \"words of c\"") == "* SORT 3\r\n5 OK SORT completed\r\n");
  CHECK_THAT(say(*peer, "6 SORT (DATE) X-NO-SUCH ALL"), contains("6 NO [BADCHARSET"));
  CHECK_THAT(say(*peer, "7 SORT (DATE NONSENSE) UTF-8 ALL"), contains("7 BAD "));
  CHECK_THAT(say(*peer, "8 THREAD REFERENCES UTF-8 ALL"), contains("* THREAD (3)(1 2)\r\n"));
  CHECK_THAT(say(*peer, "9 THREAD ORDEREDSUBJECT UTF-8 ALL"), contains("* THREAD (3)(2 1)\r\n"));
  say(*peer, "10 EXPUNGE");
  CHECK_THAT(say(*peer, "11 UID SORT (SUBJECT) UTF-8 ALL"), contains("* SORT 3 2\r\n"));
  CHECK_THAT(say(*peer, "12 UID THREAD REFERENCES UTF-8 ALL"), contains("* THREAD (3)(2)\r\n"));
  CHECK_THAT(say(*peer, "13 SORT RETURN (COUNT MIN) (DATE) UTF-8 ALL"),
             contains("* ESEARCH (TAG \"13\") MIN 2 COUNT 2\r\n"));
  CHECK(say(*peer, "14 SORT RETURN (SAVE) (DATE) UTF-8 SUBJECT apples") == "14 OK SORT completed\r\n");
  CHECK_THAT(say(*peer, "15 FETCH $ UID"), contains("* 2 FETCH (UID 3)\r\n"));
}

TEST_CASE("PREVIEW shows the first words of the first text (RFC 8970)") {
  small_site site;
  site.deliver("alice", "Subject: plain\r\n\r\nDear Alice,\r\nhow are you?\r\n");
  site.deliver(
      "alice",
      "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: image/png\r\n"
      "Content-Transfer-Encoding: base64\r\n\r\nAAAA\r\n--b\r\nContent-Type: text/html; charset=iso-8859-1\r\n"
      "Content-Transfer-Encoding: quoted-printable\r\n\r\n<html><b>Gr=FC=DFe</b> an alle</html>\r\n--b--\r\n");
  site.deliver("alice", "Subject: nothing\r\n\r\n");
  auto peer = site.imap_as("alice");
  CHECK_THAT(say(*peer, "1 EXAMINE INBOX"), contains("1 OK"));
  CHECK_THAT(say(*peer, "2 FETCH 1:3 (UID PREVIEW)"),
             contains("* 1 FETCH (UID 1 PREVIEW \"Dear Alice, how are you?\")\r\n")
                 && contains("PREVIEW {15}\r\nGr\xC3\xBC\xC3\x9F"
                             "e an alle)\r\n")
                 && contains("* 3 FETCH (UID 3 PREVIEW \"\")\r\n"));
  CHECK_THAT(say(*peer, "3 FETCH 1 PREVIEW (LAZY)"), contains("* 1 FETCH (PREVIEW \"Dear Alice"));
  CHECK_THAT(say(*peer, "4 FETCH 1 (PREVIEW (LAZY) FLAGS)"), contains("FLAGS ()") && contains("PREVIEW \"Dear"));
  CHECK_THAT(say(*peer, "5 FETCH 1 PREVIEW (CHANGEDSINCE 1)"), contains("PREVIEW \"Dear"));
}

TEST_CASE("one APPEND adds several messages, all or none (RFC 3502)") {
  small_site site;
  auto peer = site.imap_as("alice");
  peer->send(
      "1 APPEND INBOX (\\Seen one) {5+}\r\n\r\nabc \"01-Feb-2026 10:00:00 +0000\" {5+}\r\n\r\ndef (two) {300000+}\r\n"
      + std::string(300'000, 'x') + " {4+}\r\n\r\ngh\r\n");
  CHECK_THAT(peer->take(), contains(" 1:4] APPEND completed"));
  set_quota(site, 0, 5);
  peer->send("2 APPEND INBOX {5+}\r\n\r\nabc {5+}\r\n\r\ndef\r\n");
  CHECK_THAT(peer->take(), contains("2 NO [OVERQUOTA]"));
  CHECK_THAT(say(*peer, "3 STATUS INBOX (MESSAGES UIDNEXT)"), contains("(MESSAGES 4 UIDNEXT 5)"));
  say(*peer, "4 SELECT INBOX");
  CHECK_THAT(say(*peer, "5 FETCH 1:4 (FLAGS RFC822.SIZE)"),
             contains("* 1 FETCH (FLAGS (\\Seen one) RFC822.SIZE 5)") && contains("* 2 FETCH (FLAGS () RFC822.SIZE 5)")
                 && contains("* 3 FETCH (FLAGS (two) RFC822.SIZE 300000)")
                 && contains("* 4 FETCH (FLAGS () RFC822.SIZE 4)"));
  CHECK_THAT(say(*peer, "6 FETCH 2 INTERNALDATE"), contains("01-Feb-2026 10:00:00 +0000"));
}

TEST_CASE("REPLACE puts a message in the place of another, in one step (RFC 8508)") {
  small_site site;
  site.deliver("alice", "Subject: one\r\n\r\n");
  site.deliver("alice", "Subject: two\r\n\r\n");
  auto peer = site.imap_as("alice");
  CHECK_THAT(say(*peer, "0 REPLACE 1 INBOX {5}"), contains("0 BAD"));
  peer = site.imap_as("alice");
  say(*peer, "1 CREATE Other");
  say(*peer, "2 SELECT INBOX");
  peer->send("3 REPLACE 1 INBOX (\\Seen) {5+}\r\n\r\nabc\r\n");
  auto told = peer->take();
  CHECK_THAT(told, contains("* OK [APPENDUID ") && contains(" 3] Replacement is there\r\n")
                       && contains("* 2 EXISTS\r\n") && contains("* 1 EXPUNGE\r\n")
                       && contains("3 OK REPLACE completed\r\n"));
  CHECK(told.find("APPENDUID") < told.find("EXPUNGE"));
  peer->send("4 UID REPLACE 2 Other {5+}\r\n\r\ndef\r\n");
  CHECK_THAT(peer->take(), contains(" 1] Replacement is there") && contains("* 1 EXPUNGE") && contains("4 OK"));
  CHECK_THAT(say(*peer, "5 UID SEARCH ALL"), contains("* SEARCH 3\r\n"));
  CHECK_THAT(say(*peer, "6 STATUS Other (MESSAGES)"), contains("(MESSAGES 1)"));
  peer->send("7 UID REPLACE 2 INBOX {5+}\r\n\r\nabc\r\n");
  CHECK_THAT(peer->take(), contains("7 NO [NONEXISTENT]"));
  peer->send("8 REPLACE 2 INBOX {5+}\r\n\r\nabc\r\n");
  CHECK_THAT(peer->take(), contains("8 BAD "));
  set_quota(site, 0, 1); // what is not replaced stays
  peer->send("9 REPLACE * INBOX {5+}\r\n\r\nabc\r\n");
  CHECK_THAT(peer->take(), contains("9 NO [OVERQUOTA]"));
  CHECK_THAT(say(*peer, "a UID SEARCH ALL"), contains("* SEARCH 3\r\n"));
  say(*peer, "b EXAMINE INBOX");
  peer->send("c REPLACE 1 INBOX {5+}\r\n\r\nabc\r\n");
  CHECK_THAT(peer->take(), contains("c NO [READ-ONLY]"));
}

TEST_CASE("PARTIAL takes some of the results of SEARCH, and of the messages of UID FETCH (RFC 9394)") {
  small_site site;
  for (const std::string subject : {"a", "b", "a", "a", "c", "a"})
    site.deliver("alice", "Subject: " + subject + "\r\n\r\n");
  auto peer = site.imap_as("alice");
  say(*peer, "1 SELECT INBOX");
  const auto found = [&](const std::string& options) {
    auto answer = say(*peer, "s UID SEARCH RETURN (" + options + ") SUBJECT a");
    return answer.substr(0, answer.find("\r\n"));
  };
  CHECK(found("PARTIAL 1:2") == "* ESEARCH (TAG \"s\") UID PARTIAL (1:2 1,3)");
  CHECK(found("PARTIAL 4:2 COUNT") == "* ESEARCH (TAG \"s\") UID PARTIAL (2:4 3:4,6) COUNT 4");
  CHECK(found("PARTIAL -1:-3") == "* ESEARCH (TAG \"s\") UID PARTIAL (-1:-3 3:4,6)");
  CHECK(found("PARTIAL -4:-100 MIN") == "* ESEARCH (TAG \"s\") UID MIN 1 PARTIAL (-4:-100 1)");
  CHECK(found("PARTIAL 5:9") == "* ESEARCH (TAG \"s\") UID PARTIAL (5:9 NIL)");
  CHECK(found("PARTIAL 4:4294967295") == "* ESEARCH (TAG \"s\") UID PARTIAL (4:4294967295 6)");
  for (const std::string wrong :
       {"PARTIAL 0:1", "PARTIAL 1:*", "PARTIAL -1:2", "PARTIAL 1", "ALL PARTIAL 1:2", "PARTIAL 1:2 PARTIAL 3:4"})
    CHECK_THAT(found(wrong), contains("s BAD "));
  const auto saved = [&](const std::string& options) {
    found("SAVE " + options);
    return say(*peer, "u UID SEARCH $");
  };
  CHECK_THAT(saved("PARTIAL 2:3"), contains("* SEARCH 3 4\r\n"));
  CHECK_THAT(saved("PARTIAL 2:3 MIN MAX"), contains("* SEARCH 1 3 4 6\r\n"));
  CHECK_THAT(saved("PARTIAL 2:3 MAX COUNT"), contains("* SEARCH 1 3 4 6\r\n"));
  CHECK_THAT(saved("PARTIAL 9:10"), contains("* SEARCH\r\n"));
  CHECK(say(*peer, "2 UID FETCH 2:6 (UID) (PARTIAL -1:-2)")
        == "* 5 FETCH (UID 5)\r\n* 6 FETCH (UID 6)\r\n2 OK FETCH completed\r\n");
  CHECK(say(*peer, "3 UID FETCH 1:* (UID) (PARTIAL 7:9)") == "3 OK FETCH completed\r\n");
  CHECK_THAT(say(*peer, "4 FETCH 1:* (UID) (PARTIAL 1:2)"), contains("4 BAD "));
}
