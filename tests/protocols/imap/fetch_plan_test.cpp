#include <chrono>

#include "protocols/imap/command_parser.hpp"
#include "protocols/imap/fetch_plan.hpp"
#include "tests/support/catch2.hpp"

using namespace merpati;
using namespace merpati::imap;

namespace {

const std::string message = "From: a@example.org\r\nSubject: parts\r\nMIME-Version: 1.0\r\n"
                            "Content-Type: multipart/mixed; boundary=b\r\n\r\npreamble\r\n"
                            "--b\r\nContent-Type: text/plain\r\n\r\nfirst part\r\n"
                            "--b\r\nContent-Type: message/rfc822\r\n\r\n"
                            "From: inner@example.org\r\nSubject: inside\r\n\r\ninner body\r\n"
                            "--b\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\nAAEC\r\n"
                            "--b\r\nContent-Transfer-Encoding: x-odd\r\n\r\n?\r\n--b--\r\n";

message_item row() {
  message_item item;
  item.id = uid(42);
  item.size_bytes = message.size();
  return item;
}

fetch_plan plan_for(const std::string& items, bool read_only = false) {
  auto c = parse_command("a FETCH 1 " + items, {}, limits{});
  REQUIRE(c);
  return {std::get<commands::fetch>(std::move(c->body)).items, false, read_only};
}

/// The response as the client gets it, body ranges filled in.
std::string response(const std::string& items, bool seen_now = false) {
  auto plan = plan_for(items);
  auto octets = mime::summarise(message);
  auto summary = mime::summary_view::open(octets);
  REQUIRE(summary);
  std::vector<fetch_piece> pieces;
  REQUIRE(plan.render(1, row(), {}, &*summary, pieces, seen_now));
  std::string out;
  for (const auto& piece : pieces) {
    if (auto text = std::get_if<text_piece>(&piece))
      out += text->octets;
    else if (auto range = std::get_if<body_piece>(&piece))
      out += message.substr(range->offset, range->length);
    else if (auto header = std::get_if<header_piece>(&piece))
      write_header_fields(*header, message.substr(header->offset, header->length), out);
    else
      write_binary(std::get<binary_piece>(piece), std::string("\0\1\2", 3), out);
  }
  return out;
}

std::string literal(const std::string& label, const std::string& octets) {
  return "* 1 FETCH (" + label + " {" + std::to_string(octets.size()) + "}\r\n" + octets + ")\r\n";
}

} // namespace

TEST_CASE("sections are the octets that they name") {
  auto header_end = message.find("\r\n\r\n") + 4;
  CHECK(response("BODY[]") == literal("BODY[]", message));
  CHECK(response("RFC822") == literal("RFC822", message));
  CHECK(response("BODY[HEADER]") == literal("BODY[HEADER]", message.substr(0, header_end)));
  CHECK(response("RFC822.HEADER") == literal("RFC822.HEADER", message.substr(0, header_end)));
  CHECK(response("BODY[TEXT]") == literal("BODY[TEXT]", message.substr(header_end)));
  CHECK(response("BODY[1]") == literal("BODY[1]", "first part"));
  CHECK(response("BODY[1.MIME]") == literal("BODY[1.MIME]", "Content-Type: text/plain\r\n\r\n"));
  CHECK(response("BODY[2.HEADER]") == literal("BODY[2.HEADER]", "From: inner@example.org\r\nSubject: inside\r\n\r\n"));
  CHECK(response("BODY[2.TEXT]") == literal("BODY[2.TEXT]", "inner body"));
  CHECK(response("BODY[2.1]") == literal("BODY[2.1]", "inner body"));
  CHECK(response("BODY[2.HEADER.FIELDS (SUBJECT)]")
        == literal("BODY[2.HEADER.FIELDS (SUBJECT)]", "Subject: inside\r\n\r\n"));
  CHECK(response("BODY[HEADER.FIELDS.NOT (From Content-Type MIME-Version)]")
        == literal("BODY[HEADER.FIELDS.NOT (From Content-Type MIME-Version)]", "Subject: parts\r\n\r\n"));
  CHECK(response("BODY[9]") == "* 1 FETCH (BODY[9] NIL)\r\n");
  CHECK(response("BODY[1.HEADER]") == "* 1 FETCH (BODY[1.HEADER] NIL)\r\n");
}

TEST_CASE("partial ranges") {
  CHECK(response("BODY[1]<0.5>") == literal("BODY[1]<0>", "first"));
  CHECK(response("BODY[1]<6.100>") == literal("BODY[1]<6>", "part"));
  CHECK(response("BODY[1]<10.1>") == literal("BODY[1]<10>", ""));
  CHECK(response("BODY[1]<9223372036854775807.9223372036854775807>") == literal("BODY[1]<9223372036854775807>", ""));
  CHECK(response("BODY[HEADER.FIELDS (SUBJECT)]<9.5>") == literal("BODY[HEADER.FIELDS (SUBJECT)]<9>", "parts"));
}

TEST_CASE("BINARY removes the transfer encoding") {
  CHECK(response("BINARY[3]") == "* 1 FETCH (BINARY[3] ~{3}\r\n" + std::string("\0\1\2", 3) + ")\r\n");
  CHECK(response("BINARY[3]<1.1>") == "* 1 FETCH (BINARY[3]<1> {1}\r\n\1)\r\n");
  CHECK(response("BINARY.SIZE[3]") == "* 1 FETCH (BINARY.SIZE[3] 3)\r\n");
  CHECK(response("BINARY[1]") == "* 1 FETCH (BINARY[1] ~{10}\r\nfirst part)\r\n");
  CHECK(response("BINARY[9]") == "* 1 FETCH (BINARY[9] NIL)\r\n");
  auto octets = mime::summarise(message);
  auto summary = mime::summary_view::open(octets);
  auto plan = plan_for("(UID BINARY[4])");
  std::vector<fetch_piece> pieces = {text_piece{"before"}};
  auto done = plan.render(1, row(), {}, &*summary, pieces);
  REQUIRE(!done);
  CHECK(done.error().code == errc::invalid);
  CHECK(pieces.size() == 1);
}

TEST_CASE("what makes a message seen") {
  auto item = row();
  for (auto items : {"BODY[]", "BODY[1]", "RFC822", "RFC822.TEXT", "BINARY[1]", "BODY[HEADER]"}) {
    CHECK(plan_for(items).sets_seen(item));
    CHECK(!plan_for(items, true).sets_seen(item));
  }
  for (auto items : {"BODY.PEEK[]", "RFC822.HEADER", "BINARY.PEEK[1]", "BINARY.SIZE[1]", "FLAGS", "BODY", "ENVELOPE"})
    CHECK(!plan_for(items).sets_seen(item));
  item.flags = flag::seen;
  CHECK(!plan_for("BODY[]").sets_seen(item));
  CHECK(response("BODY[1]<0.1>", true) == "* 1 FETCH (FLAGS () BODY[1]<0> {1}\r\nf)\r\n");
}

TEST_CASE("what is needed for an answer") {
  CHECK(!plan_for("FAST").needs_summary());
  CHECK(!plan_for("FAST").needs_body());
  CHECK(plan_for("ALL").needs_summary());
  CHECK(!plan_for("ALL").needs_body());
  CHECK(!plan_for("BODY[]").needs_summary()); // works even when the summary is damaged
  CHECK(plan_for("BODY[TEXT]").needs_summary());
  std::vector<fetch_piece> pieces;
  CHECK(plan_for("BODY[]").render(1, row(), {}, nullptr, pieces));
  std::string out;
  CHECK(plan_for("ENVELOPE").render_summary(1, row(), {}, nullptr, out).error().code == errc::corrupted);
  CHECK(out.empty());
}

TEST_CASE("a summary that names octets beyond the message is not believed") {
  auto octets = mime::summarise(message);
  auto summary = mime::summary_view::open(octets);
  auto shorter = row();
  shorter.size_bytes = 20;
  std::vector<fetch_piece> pieces;
  REQUIRE(plan_for("(BODY[1] BODY[TEXT] BODY[])").render(1, shorter, {}, &*summary, pieces));
  for (const auto& piece : pieces)
    if (auto range = std::get_if<body_piece>(&piece))
      CHECK(range->offset + range->length <= 20);
}

TEST_CASE("every attribute of a row") {
  auto item = row();
  item.flags = flag::flagged;
  item.changed = modseq(9);
  item.email = 5;
  std::string out;
  plan_for("(UID FLAGS INTERNALDATE RFC822.SIZE MODSEQ SAVEDATE EMAILID THREADID)").render_row(3, item, {}, out);
  CHECK(out
        == "* 3 FETCH (UID 42 FLAGS (\\Flagged) INTERNALDATE \"01-Jan-1970 00:00:00 +0000\" RFC822.SIZE "
               + std::to_string(message.size())
               + " MODSEQ (9) SAVEDATE \"01-Jan-1970 00:00:00 +0000\" EMAILID (M5) THREADID NIL)\r\n");
}

// Hidden: run with [.speed] and an optimised build.
TEST_CASE("speed of FETCH FLAGS and ENVELOPE", "[.speed]") {
  std::vector<message_item> items(20000, row());
  auto octets = mime::summarise(message);
  auto time = [&](const char* what, auto&& each) {
    std::string out;
    auto start = std::chrono::steady_clock::now();
    for (std::uint32_t n = 0; n < items.size(); ++n)
      each(n + 1, items[n], out);
    auto took = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
    WARN(what << ": 20,000 messages in " << took << " ms, " << out.size() << " octets");
  };
  auto flags = plan_for("FLAGS"), envelope = plan_for("ENVELOPE");
  time("FLAGS", [&](std::uint32_t n, const message_item& i, std::string& out) { flags.render_row(n, i, {}, out); });
  time("ENVELOPE", [&](std::uint32_t n, const message_item& i, std::string& out) {
    auto summary = mime::summary_view::open(octets);
    (void)envelope.render_summary(n, i, {}, &*summary, out);
  });
}
