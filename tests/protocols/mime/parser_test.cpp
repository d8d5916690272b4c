#include "protocols/mime/parser.hpp"

#include "tests/protocols/mime/corpus.hpp"

using namespace merpati::mime;
using namespace merpati::mime::test;

namespace {

std::string crlf(std::string_view text) {
  std::string out;
  for (const char c : text)
    out += c == '\n' ? std::string("\r\n") : std::string(1, c);
  return out;
}

std::string body_of(std::string_view octets, const part& p) {
  return std::string(octets.substr(p.body_begin, p.body_octets()));
}

std::uint64_t count_lines(std::string_view s) {
  return static_cast<std::uint64_t>(std::count(s.begin(), s.end(), '\n'));
}

// Parts lie inside each other and behind each other, and their lines are what the octets have.
void check_places(const part& p, std::string_view octets, std::uint64_t from, std::uint64_t to) {
  REQUIRE(from <= p.header_begin);
  REQUIRE(p.header_begin <= p.body_begin);
  REQUIRE(p.body_begin <= p.body_end);
  REQUIRE(p.body_end <= to);
  CHECK(p.header_lines == count_lines(octets.substr(p.header_begin, p.body_begin - p.header_begin)));
  CHECK(p.body_lines == count_lines(octets.substr(p.body_begin, p.body_octets())));
  auto at = p.body_begin;
  for (const auto& child : p.children) {
    if (p.what == part::kind::multipart) {
      // A delimiter is between the children, and before the first.
      const auto between = octets.substr(at, child.header_begin - at);
      REQUIRE(between.find("--" + find(p.params, "boundary")->value) != std::string_view::npos);
    } else {
      CHECK(child.header_begin == p.body_begin);
      CHECK(child.body_end == p.body_end);
    }
    check_places(child, octets, at, p.body_end);
    at = child.body_end;
  }
  CHECK((p.what == part::kind::leaf) == p.children.empty());
}

std::vector<sample> samples() {
  auto all = corpus();
  const std::string text =
      crlf("Content-Type: multipart/mixed; boundary=b\n\npre\n--b\n\n\n--b\nSubject: x\n--b--\n--b\n\nx\n--b");
  for (std::size_t i = 0; i <= text.size(); ++i)
    all.push_back({"cut" + std::to_string(i), text.substr(0, i)});
  all.push_back(
      {"bare", "Content-Type: multipart/mixed; boundary=b\n\n--b\n\r\n-\n--\n--b\n\r--b\r\r\n--b\r\n\r\n\n--b--"});
  return all;
}

} // namespace

TEST_CASE("a message gives the same tree however it is cut") {
  numbers random(1);
  for (const auto& s : samples()) {
    INFO(s.path);
    const auto whole = describe(parse(s.octets));
    parser single;
    for (const char& c : s.octets)
      single.feed({&c, 1});
    CHECK(describe(single.finish()) == whole);
    for (int round = 0; round < 3; ++round) {
      parser pieces;
      for (std::string_view rest = s.octets; !rest.empty();) {
        const auto n = std::min(rest.size(), 1 + random.below(round == 0 ? 7 : 300));
        pieces.feed(rest.substr(0, n));
        rest.remove_prefix(n);
      }
      CHECK(describe(pieces.finish()) == whole);
    }
  }
}

TEST_CASE("places are consistent with the octets") {
  for (const auto& s : samples()) {
    INFO(s.path);
    const auto m = parse(s.octets);
    CHECK(m.octets == s.octets.size());
    CHECK(m.root.body_end == s.octets.size());
    CHECK_FALSE(m.degraded);
    check_places(m.root, s.octets, 0, s.octets.size());
  }
}

TEST_CASE("places are consistent whatever the octets are") {
  numbers random(2);
  const std::vector<std::string> words{"--b",
                                       "--b--",
                                       "\r\n",
                                       "\n",
                                       "\r",
                                       "-",
                                       "--",
                                       "--c",
                                       "--c--",
                                       "--bc",
                                       " ",
                                       "x",
                                       "Subject: s",
                                       "\r\n\r\n",
                                       "Content-Type: ",
                                       "multipart/mixed; boundary=b",
                                       "multipart/digest; boundary=c",
                                       "multipart/alternative; boundary=bc",
                                       "message/rfc822",
                                       "text/plain"};
  for (int round = 0; round < 3000; ++round) {
    std::string octets = "Content-Type: multipart/mixed; boundary=b\r\n\r\n";
    for (std::size_t n = random.below(60); n > 0; --n)
      octets += words[random.below(words.size())];
    INFO(octets);
    const auto m = parse(octets);
    check_places(m.root, octets, 0, octets.size());
    parser single;
    for (const char& c : octets)
      single.feed({&c, 1});
    CHECK(describe(single.finish()) == describe(m));
  }
}

TEST_CASE("the example of RFC 2046 5.1.1") {
  const auto octets = crlf(R"(From: Nathaniel Borenstein <nsb@bellcore.com>
To: Ned Freed <ned@innosoft.com>
Date: Sun, 21 Mar 1993 23:56:48 -0800 (PST)
Subject: Sample message
MIME-Version: 1.0
Content-type: multipart/mixed; boundary="simple boundary"

This is the preamble.  It is to be ignored, though it
is a handy place for composition agents to include an
explanatory note to non-MIME conformant readers.

--simple boundary

This is implicitly typed plain US-ASCII text.
It does NOT end with a linebreak.
--simple boundary
Content-type: text/plain; charset=us-ascii

This is explicitly typed plain US-ASCII text.
It DOES end with a linebreak.

--simple boundary--

This is the epilogue.  It is also to be ignored.
)");
  const auto m = parse(octets);
  REQUIRE(m.root.children.size() == 2);
  CHECK(m.root.type == "multipart");
  CHECK(body_of(octets, m.root.children[0])
        == "This is implicitly typed plain US-ASCII text.\r\nIt does NOT end with a linebreak.");
  CHECK(m.root.children[0].type == "text");
  CHECK(m.root.children[0].body_lines == 1);
  CHECK(body_of(octets, m.root.children[1])
        == "This is explicitly typed plain US-ASCII text.\r\nIt DOES end with a linebreak.\r\n");
  CHECK(m.root.values->from == "Nathaniel Borenstein <nsb@bellcore.com>");
}

TEST_CASE("parts of a digest are messages (RFC 2046 5.1.5)") {
  const auto octets = crlf("Content-Type: multipart/digest; boundary=d\n\n--d\n\nSubject: one\n\nbody\n--d\n"
                           "Content-Type: text/plain\n\nx\n--d--\n");
  const auto m = parse(octets);
  REQUIRE(m.root.children.size() == 2);
  REQUIRE(m.root.children[0].what == part::kind::message);
  CHECK(m.root.children[0].children[0].values->subject == "one");
  CHECK(body_of(octets, m.root.children[0].children[0]) == "body");
  CHECK(m.root.children[1].type == "text");
}

TEST_CASE("an inner boundary that is never closed ends with the outer one") {
  const auto octets =
      crlf("Content-Type: multipart/mixed; boundary=outer\n\n--outer\n"
           "Content-Type: multipart/mixed; boundary=outer2\n\n--outer2\n\none\n--outer\n\ntwo\n--outer--\n");
  const auto m = parse(octets);
  REQUIRE(m.root.children.size() == 2);
  REQUIRE(m.root.children[0].children.size() == 1);
  CHECK(body_of(octets, m.root.children[0].children[0]) == "one");
  CHECK(body_of(octets, m.root.children[1]) == "two");
}

TEST_CASE("the same boundary inside of itself belongs to the inner multipart until that is closed") {
  const auto octets =
      crlf("Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: multipart/mixed; boundary=b\n\n"
           "--b\n\none\n--b--\n--b\n\ntwo\n--b--\n");
  const auto m = parse(octets);
  REQUIRE(m.root.children.size() == 2);
  REQUIRE(m.root.children[0].children.size() == 1);
  CHECK(body_of(octets, m.root.children[1]) == "two");
}

TEST_CASE("a message inside of a part has an envelope of its own") {
  const auto octets =
      crlf("Subject: outer\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: message/rfc822\n"
           "Subject: of the part, which doesn't count\n\nSubject: inner\n\ninner body\n\n--b--\n");
  const auto m = parse(octets);
  const auto& p = m.root.children.at(0);
  REQUIRE(p.what == part::kind::message);
  CHECK_FALSE(p.values);
  CHECK(p.children[0].values->subject == "inner");
  CHECK(body_of(octets, p) == "Subject: inner\r\n\r\ninner body\r\n");
  CHECK(body_of(octets, p.children[0]) == "inner body\r\n");
}

TEST_CASE("an encoded message inside of a part is not looked into") {
  const auto m = parse(crlf("Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nU3ViamVjdDogeAo=\n"));
  CHECK(m.root.what == part::kind::leaf);
  CHECK(m.root.opaque);
}

TEST_CASE("a multipart without parts or without a boundary is readable text") {
  for (const auto* octets :
       {"Content-Type: multipart/mixed\r\n\r\nhello\r\n", "Content-Type: multipart/mixed; boundary=\"\"\r\n\r\n--\r\n",
        "Content-Type: multipart/mixed; boundary=x\r\n\r\nhello\r\n--x--\r\n"}) {
    const auto m = parse(octets);
    CHECK(m.root.what == part::kind::leaf);
    CHECK(m.root.opaque);
    CHECK(m.root.readable);
  }
}

TEST_CASE("destination fields add up, of others the first counts") {
  const auto m =
      parse("To: a@x\r\nSubject: 1\r\nTo: b@x\r\nSubject: 2\r\nContent-Type: text/html\r\nContent-Type: a/b\r\n\r\n");
  CHECK(m.root.values->to == "a@x, b@x");
  CHECK(m.root.values->subject == "1");
  CHECK(m.root.subtype == "html");
}

TEST_CASE("past the limit of depth a multipart is one opaque part") {
  limits bounds;
  bounds.depth = 5;
  std::string octets;
  for (int i = 0; i < 20; ++i)
    octets +=
        "Content-Type: multipart/mixed; boundary=b" + std::to_string(i) + "x\r\n\r\n--b" + std::to_string(i) + "x\r\n";
  const auto m = parse(octets, bounds);
  CHECK(m.degraded);
  const part* p = &m.root;
  int depth = 1;
  for (; !p->children.empty(); ++depth)
    p = &p->children.front();
  CHECK(depth == 5);
  CHECK(p->opaque);
  CHECK(p->body_end == octets.size());
  check_places(m.root, octets, 0, octets.size());
}

TEST_CASE("past the limit of parts the rest is one opaque part") {
  limits bounds;
  bounds.parts = 10;
  std::string octets = "Content-Type: multipart/mixed; boundary=b\r\n\r\n";
  for (int i = 0; i < 50; ++i)
    octets += "--b\r\n\r\nx\r\n";
  const auto m = parse(octets, bounds);
  CHECK(m.degraded);
  REQUIRE(m.root.children.size() == 9);
  CHECK(m.root.children.back().opaque);
  CHECK(m.root.children.back().body_end == octets.size());
  std::string nested;
  for (int i = 0; i < 50; ++i)
    nested += "Content-Type: message/rfc822\r\n\r\n";
  CHECK(parse(nested, bounds).degraded);
}

TEST_CASE("headers past their limits count as absent") {
  limits bounds;
  bounds.field_octets = 100;
  const auto cut = parse("Subject: " + std::string(500, 'a') + "\r\nTo: x@y\r\n\r\nbody", bounds);
  CHECK(cut.degraded);
  CHECK(cut.root.values->subject.size() <= 100);
  CHECK(cut.root.values->to == "x@y");
  bounds = {};
  bounds.header_octets = 50;
  const auto few = parse("Subject: a\r\nX: " + std::string(100, 'a') + "\r\nTo: x@y\r\n\r\nbody", bounds);
  CHECK(few.degraded);
  CHECK(few.root.values->subject == "a");
  CHECK(few.root.values->to.empty());
  CHECK(few.root.body_octets() == 4);
  bounds = {};
  bounds.kept_octets = 30;
  const auto kept = parse("Subject: " + std::string(28, 'a') + "\r\nTo: x@y\r\n\r\nbody", bounds);
  CHECK(kept.degraded);
  CHECK(kept.root.values->subject.size() == 28);
  CHECK(kept.root.values->to.empty());
}

TEST_CASE("a header of ten million octets is parsed in linear time") {
  std::string octets = "To: ";
  while (octets.size() < 10'000'000)
    octets += "a,";
  octets += "\r\nSubject: still there\r\n\r\nbody";
  const auto m = parse(octets);
  CHECK(m.degraded);
  CHECK(m.root.values->to.size() <= limits{}.field_octets);
  CHECK(m.root.body_octets() == 4);
}
