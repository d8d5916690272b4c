#include "protocols/compress/deflate_layer.hpp"

#include <random>
#include <string>

#include "tests/support/catch2.hpp"

using namespace merpati;
using compress::deflate_layer;

namespace {

std::string_view view(const std::vector<char>& octets) {
  return {octets.data(), octets.size()};
}

/// Everything that can be read now, in pieces of `step`.
std::string read_all(deflate_layer& from, std::size_t step) {
  std::string out;
  for (;;) {
    std::vector<char> piece;
    REQUIRE(from.read(step, piece));
    CHECK(piece.size() <= step);
    if (piece.empty())
      return out;
    out.append(view(piece));
  }
}

} // namespace

TEST_CASE("what one side writes the other one reads, however it is cut") {
  std::mt19937 random(7);
  deflate_layer here;
  deflate_layer there;
  for (std::size_t length : {1u, 10u, 5'000u, 200'000u}) {
    std::string text;
    while (text.size() < length)
      text += "* " + std::to_string(random() % 100) + " FETCH (FLAGS (\\Seen))\r\n";
    std::vector<char> wire;
    here.write(text, wire);
    if (length > 1'000)
      CHECK(wire.size() * 4 < text.size());
    std::string got;
    for (std::size_t at = 0; at < wire.size();) {
      const auto part = std::min<std::size_t>(1 + random() % 700, wire.size() - at);
      there.feed(view(wire).substr(at, part));
      got += read_all(there, 1 + random() % 5'000);
      at += part;
    }
    CHECK(got == text);
  }
}

TEST_CASE("a small message that inflates to a large one is read a piece at a time") {
  deflate_layer here;
  std::vector<char> wire;
  here.write(std::string(10'000'000, 'x'), wire);
  CHECK(wire.size() < 20'000);
  deflate_layer there;
  there.feed(view(wire));
  std::vector<char> piece;
  REQUIRE(there.read(65'536, piece));
  CHECK(piece.size() == 65'536);
  CHECK(65'536 + read_all(there, 65'536).size() == 10'000'000);
}

TEST_CASE("what is no DEFLATE, and a stream that ends, are errors") {
  deflate_layer there;
  std::vector<char> out;
  there.feed("\xff\xff\xff\xff");
  CHECK(there.read(100, out).error().code == errc::invalid);
  deflate_layer other;
  other.feed(std::string_view("\x03\x00", 2)); // an empty last block
  CHECK(other.read(100, out).error().code == errc::invalid);
}
