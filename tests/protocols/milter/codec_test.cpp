#include <random>

#include "protocols/milter/filter_reply.hpp"
#include "protocols/milter/header_changes.hpp"
#include "protocols/milter/packet.hpp"
#include "tests/support/catch2.hpp"

using namespace merpati;
using namespace merpati::milter;

namespace {

using change = modification::kind;

std::string applied(std::string_view block, std::vector<modification> changes) {
  return apply_header_changes(block, changes);
}

std::string refused(std::string_view text) {
  auto parsed = parse_reply_text(text);
  return parsed ? "taken" : parsed.error().what;
}

} // namespace

TEST_CASE("packets are read as they were written, however they are cut") {
  std::mt19937 random(7);
  std::string wire;
  std::vector<packet> all;
  for (std::size_t i = 0; i < 200; ++i) {
    packet p{static_cast<char>('a' + i % 26), std::string(i * i % 300, static_cast<char>(i))};
    write_packet(p.code, p.data, wire);
    all.push_back(std::move(p));
  }
  for (std::size_t most : {std::size_t{1}, std::size_t{7}, std::size_t{100'000}}) {
    packet_reader reader(400);
    std::vector<packet> got;
    for (std::string_view rest = wire; !rest.empty();) {
      const auto size = std::min(rest.size(), 1 + random() % most);
      reader.feed(rest.substr(0, size));
      rest.remove_prefix(size);
      for (;;) {
        auto p = reader.next();
        REQUIRE(p);
        if (!*p)
          break;
        got.push_back(std::move(**p));
      }
    }
    CHECK(got == all);
    CHECK_FALSE(reader.pending());
  }
}

TEST_CASE("a packet's length is limited before it is awaited") {
  packet_reader reader(10);
  reader.feed(std::string("\0\0\0\x0a"
                          "123456789",
                          13));
  CHECK(reader.next().value() == std::nullopt);
  packet_reader other(10);
  other.feed(std::string("\0\0\0\x0b", 4));
  CHECK(other.next().error().code == errc::too_big);
}

TEST_CASE("numbers and texts end where they should") {
  std::string_view data("\x01\x02\x03\xff"
                        "ab\0c",
                        8);
  CHECK(take_number(data) == 0x010203ffu);
  CHECK(take_text(data) == "ab");
  CHECK(take_text(data) == "c");
  CHECK(take_text(data).empty());
  CHECK_FALSE(take_number(data));
}

TEST_CASE("replies of a filter's own are those of SMTP") {
  CHECK(*parse_reply_text("550 5.7.1 No spam") == smtp::reply{550, "5.7.1", "No spam"});
  CHECK(*parse_reply_text("451 4.7.1 later\r\n") == smtp::reply{451, "4.7.1", "later"});
  CHECK(*parse_reply_text("550-5.7.1 one\r\n550-5.7.1 two\r\n550 5.7.1 three")
        == smtp::reply{550, "5.7.1", "one\ntwo\nthree"});
  CHECK(*parse_reply_text("421") == smtp::reply{421, "4.7.1", ""});
  CHECK(*parse_reply_text("550 no code") == smtp::reply{550, "5.7.1", "no code"});
  CHECK(*parse_reply_text("450 5.1.1 x") == smtp::reply{450, "4.7.1", "x"});
  CHECK(*parse_reply_text("550 5.1.1 100%% sure, 5% not") == smtp::reply{550, "5.1.1", "100% sure, 5% not"});
  CHECK(*parse_reply_text("550 1.2 is a version") == smtp::reply{550, "5.7.1", "1.2 is a version"});
  CHECK(parse_reply_text("550 55.1.1 x")->text == "55.1.1 x");

  CHECK(refused("") == "a reply code that is neither 4xx nor 5xx");
  CHECK(refused("354 go on") == "a reply code that is neither 4xx nor 5xx");
  CHECK(refused("569 x") == "a reply code that is neither 4xx nor 5xx");
  CHECK(refused("5500 x") == "a reply code with a line that lacks it");
  CHECK(refused("550-a\r\n551 b") == "a reply code with a line that lacks it");
  CHECK(refused("550 a\r\n550 b") == "a reply code that goes on behind its last line");
  CHECK(refused(std::string(9'000, '5')) == "a reply code with more than 8192 octets");
  std::string lines;
  for (int i = 0; i < 33; ++i)
    lines += "550-x\n";
  CHECK(refused(lines) == "a reply code with more than 32 lines");
}

TEST_CASE("what is written as a reply is parsed as that reply") {
  for (const auto& r : {smtp::reply{550, "5.7.1", "a\nb"}, smtp::reply{451, "4.3.0", "later"}}) {
    std::string wire;
    smtp::write_reply(r, wire);
    CHECK(*parse_reply_text(wire) == r);
  }
}

TEST_CASE("a header block is split into fields") {
  CHECK(split_header_block("A: 1\r\nB:2\r\n\tmore\r\nno field\r\nC :\nD: end")
        == std::vector<header_field>{{"A", " 1"}, {"B", "2\n\tmore"}, {"C", ""}, {"D", " end"}});
  CHECK(split_header_block("").empty());
  CHECK(split_header_block(" folded\r\n: x\r\n").empty());
}

TEST_CASE("header changes keep what they do not change") {
  const std::string block = "A: 1\r\nB: 2\r\n\tmore\r\na: 3\r\n";
  CHECK(applied(block, {}) == block);
  CHECK(applied(block, {{change::add_header, 0, "X", " new"}}) == block + "X: new\r\n");
  CHECK(applied(block, {{change::insert_header, 0, "X", " new"}}) == "X: new\r\n" + block);
  CHECK(applied(block, {{change::insert_header, 2, "X", " n"}}) == "A: 1\r\nB: 2\r\n\tmore\r\nX: n\r\na: 3\r\n");
  CHECK(applied(block, {{change::insert_header, 99, "X", " new"}}) == block + "X: new\r\n");
  CHECK(applied(block, {{change::change_header, 2, "A", " z"}}) == "A: 1\r\nB: 2\r\n\tmore\r\nA: z\r\n");
  CHECK(applied(block, {{change::change_header, 0, "b", " z"}}) == "A: 1\r\nb: z\r\na: 3\r\n");
  CHECK(applied(block, {{change::change_header, 1, "B", ""}}) == "A: 1\r\na: 3\r\n");
  CHECK(applied(block, {{change::change_header, 3, "A", ""}}) == block);
  CHECK(applied(block, {{change::change_header, 3, "A", " new"}}) == block + "A: new\r\n");
  // a field that was deleted is not counted any more
  CHECK(applied(block, {{change::change_header, 1, "A", ""}, {change::change_header, 1, "A", ""}})
        == "B: 2\r\n\tmore\r\n");
  CHECK(applied("", {{change::insert_header, 0, "X", " 1"}}) == "X: 1\r\n");
  CHECK(applied("A: 1", {{change::add_header, 0, "X", " 1"}}) == "A: 1\r\nX: 1\r\n");
}

TEST_CASE("no value can begin a field of its own or end the block") {
  CHECK(applied("", {{change::add_header, 0, "X", " a\n\tb\r\n c"}}) == "X: a\r\n\tb\r\n c\r\n");
  CHECK(applied("", {{change::add_header, 0, "X", " a\nBcc: b"}}) == "X: a\r\n\tBcc: b\r\n");
  CHECK(applied("", {{change::add_header, 0, "X", " a\r\n\r\nbody\n \n"}}) == "X: a\r\n\tbody\r\n");
  CHECK(applied("", {{change::add_header, 0, "X", " a\rb"}}) == "X: a b\r\n");
}
