#include "protocols/proxy/header_reader.hpp"

#include <random>

#include "tests/support/catch2.hpp"

using namespace merpati::proxy;
using status = header_reader::status;

namespace {

struct outcome {
  status end = status::more;
  header value;
  std::string rest; // octets behind the header
  bool operator==(const outcome&) const = default;
};

/// Feeds `octets` in pieces of `size`; what comes after the header's end is kept apart.
outcome read(std::string_view octets, std::size_t size) {
  header_reader reader;
  outcome out;
  while (!octets.empty() && out.end == status::more) {
    const auto part = octets.substr(0, size);
    out.end = reader.feed(part);
    CHECK(reader.taken() <= part.size());
    octets.remove_prefix(out.end == status::more ? part.size() : reader.taken());
  }
  out.value = reader.value();
  out.rest = octets;
  if (out.end == status::malformed)
    CHECK_FALSE(reader.why().empty());
  return out;
}

/// The same outcome whole and octet by octet.
outcome read(std::string_view octets) {
  const auto whole = read(octets, std::max<std::size_t>(octets.size(), 1));
  const auto single = read(octets, 1);
  CHECK(single.end == whole.end);
  if (whole.end == status::done)
    CHECK(single == whole);
  return whole;
}

const std::string signature("\r\n\r\n\0\r\nQUIT\n", 12);

std::string v2(char version_command, char family, const std::string& payload) {
  std::string out = signature + version_command + family;
  out += static_cast<char>(payload.size() >> 8);
  out += static_cast<char>(payload.size() & 0xff);
  return out + payload;
}

const std::string four("\xc0\x00\x02\x01\xc6\x33\x64\x02\x30\x39\x00\x19", 12); // 192.0.2.1:12345 to 198.51.100.2:25

} // namespace

TEST_CASE("version 1") {
  const auto four_line = read("PROXY TCP4 192.0.2.1 198.51.100.2 12345 25\r\nEHLO x\r\n");
  REQUIRE(four_line.end == status::done);
  CHECK(four_line.value == header{1, true, "192.0.2.1", 12345, "198.51.100.2", 25});
  CHECK(four_line.rest == "EHLO x\r\n");
  const auto six = read("PROXY TCP6 2001:db8::1 ::1 0 65535\r\n");
  REQUIRE(six.end == status::done);
  CHECK(six.value == header{1, true, "2001:db8::1", 0, "::1", 65535});
  const auto mapped = read("PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n");
  REQUIRE(mapped.end == status::done);
  CHECK(mapped.value.source_address == "192.0.2.1");
  for (std::string_view unknown : {"PROXY UNKNOWN\r\n", "PROXY UNKNOWN ::1 anything at all\r\n"}) {
    const auto got = read(unknown);
    CHECK(got.end == status::done);
    CHECK(got.value == header{1, false, "", 0, "", 0});
  }
}

TEST_CASE("the longest line of version 1 is read, a longer one is not") {
  const std::string longest = "PROXY UNKNOWN " + std::string(v1_bytes - 16, 'f') + "\r\n";
  REQUIRE(longest.size() == v1_bytes);
  CHECK(read(longest).end == status::done);
  CHECK(read("PROXY UNKNOWN " + std::string(v1_bytes - 15, 'f') + "\r\n").end == status::malformed);
  CHECK(read("PROXY UNKNOWN " + std::string(100'000, ' ')).end == status::malformed);
}

TEST_CASE("lines that are none") {
  for (std::string_view bad : {"EHLO client.example\r\n",
                               "\r\nPROXY",
                               "proxy TCP4 192.0.2.1 192.0.2.2 1 2\r\n",
                               "PROXY\r\n",
                               "PROXY \r\n",
                               "PROXY TCP4\r\n",
                               "PROXY TCP5 192.0.2.1 192.0.2.2 1 2\r\n",
                               "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n",
                               "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\rX",
                               "PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n",
                               "PROXY TCP4 192.0.2.1 192.0.2.2 1 2 \r\n",
                               "PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n",
                               "PROXY TCP4  192.0.2.1 192.0.2.2 1 2\r\n",
                               "PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n",
                               "PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n",
                               "PROXY TCP4 192.0.2.1 192.0.2.2 -1 2\r\n",
                               "PROXY TCP4 192.0.2.256 192.0.2.2 1 2\r\n",
                               "PROXY TCP4 ::1 ::1 1 2\r\n",
                               "PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n",
                               "PROXY TCP6 ::1%lo ::1 1 2\r\n",
                               "PROXY UNKNOWN \t\r\n"}) {
    INFO(bad);
    CHECK(read(bad).end == status::malformed);
  }
}

TEST_CASE("version 2") {
  const auto got = read(v2('\x21', '\x11', four) + "EHLO x\r\n");
  REQUIRE(got.end == status::done);
  CHECK(got.value == header{2, true, "192.0.2.1", 12345, "198.51.100.2", 25});
  CHECK(got.rest == "EHLO x\r\n");
  const auto with_values = read(v2('\x21', '\x11', four + std::string("\x01\x00\x02h2\x04\x00\x00", 8)));
  REQUIRE(with_values.end == status::done);
  CHECK(with_values.value == got.value);
  const header none{2, false, "", 0, "", 0};
  for (const auto& silent :
       {v2('\x20', '\x00', ""), v2('\x20', '\x11', four), v2('\x20', '\x7f', "whatever"), v2('\x21', '\x00', ""),
        v2('\x21', '\x00', "xx"), v2('\x21', '\x31', std::string(216, 'p'))}) {
    const auto quiet = read(silent + "N");
    REQUIRE(quiet.end == status::done);
    CHECK(quiet.value == none);
    CHECK(quiet.rest == "N");
  }
  CHECK(read(v2('\x20', '\x00', std::string(v2_payload_bytes, 'x'))).end == status::done);
}

TEST_CASE("headers of version 2 that are none") {
  for (const auto& bad :
       {v2('\x11', '\x11', four), v2('\x22', '\x11', four), v2('\x31', '\x11', four), v2('\x21', '\x12', four),
        v2('\x21', '\x13', four), v2('\x21', '\x41', four), v2('\x21', '\x11', four.substr(1)),
        v2('\x21', '\x21', four), v2('\x21', '\x31', std::string(215, 'p')), v2('\x21', '\x11', four + "x"),
        v2('\x21', '\x11', four + std::string("\x01\x00\x03h2", 5)),
        v2('\x21', '\x11', four + std::string("\x01\xff\xff", 3)),
        v2('\x20', '\x00', std::string(v2_payload_bytes + 1, 'x')), signature.substr(0, 11) + "X"})
    CHECK(read(bad).end == status::malformed);
}

TEST_CASE("a header that is cut off asks for more") {
  for (const auto& whole : {std::string("PROXY TCP4 192.0.2.1 198.51.100.2 12345 25\r\n"), v2('\x21', '\x11', four)})
    for (std::size_t size = 1; size < whole.size(); ++size)
      CHECK(read(whole.substr(0, size)).end == status::more);
}

TEST_CASE("what is written is read back") {
  for (const std::uint8_t version : {std::uint8_t{1}, std::uint8_t{2}})
    for (const auto& value :
         {header{version, true, "192.0.2.1", 1, "192.0.2.2", 25}, header{version, true, "2001:db8::1", 65535, "::1", 0},
          header{version, true, "192.0.2.1", 7, "2001:db8::2", 8}, header{version, false, "", 0, "", 0}}) {
      const auto got = read(write_header(value) + "rest");
      REQUIRE(got.end == status::done);
      CHECK(got.value == value);
      CHECK(got.rest == "rest");
    }
}

TEST_CASE("any octets end within the limits") {
  std::mt19937 random(7);
  for (int round = 0; round < 2000; ++round) {
    std::string octets = round % 3 == 0 ? "PROXY TCP4 " : round % 3 == 1 ? signature : "";
    for (int i = 0; i < 200; ++i)
      octets += static_cast<char>(random());
    (void)read(octets);
  }
}
