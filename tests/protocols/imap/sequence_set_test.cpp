#include <random>
#include <set>

#include "protocols/imap/sequence_set.hpp"
#include "tests/support/catch2.hpp"

using namespace merpati;
using imap::number_range;
using imap::sequence_set;

namespace {

constexpr std::size_t many = 1000;

std::string written(const sequence_set& s) {
  std::string out;
  s.write(out);
  return out;
}

std::string normal(std::string_view text) {
  auto s = sequence_set::parse(text, many);
  return s ? written(*s) : "error";
}

std::vector<std::uint32_t> numbers(const sequence_set& s, std::uint32_t count) {
  std::vector<std::uint32_t> all;
  s.for_each(count, [&](std::uint32_t n) { all.push_back(n); });
  return all;
}

} // namespace

TEST_CASE("sequence sets are read, merged and written") {
  CHECK(normal("1") == "1");
  CHECK(normal("4:2") == "2:4");
  CHECK(normal("3,1,2") == "1:3");
  CHECK(normal("2,4:7,9,12:*") == "2,4:7,9,12:*");
  CHECK(normal("*:4,5:7") == "5:7,4:*");
  CHECK(normal("*") == "*");
  CHECK(normal("*:*") == "*");
  CHECK(normal("$") == "$");
  CHECK(normal("4294967295,4294967294") == "4294967294:4294967295");
}

TEST_CASE("malformed sequence sets are refused") {
  for (auto text :
       {"", "0", "01", "1,", ",1", "1:", ":1", "1:2:3", "a", "1 2", "4294967296", "-1", "1,$", "$1", "**", "1*"})
    CHECK(normal(text) == "error");
  auto too_many = sequence_set::parse("1,3,5", 2);
  REQUIRE(!too_many);
  CHECK(too_many.error().code == errc::too_many);
}

TEST_CASE("the examples of RFC 9051 9") {
  CHECK(numbers(*sequence_set::parse("2,4:7,9,12:*", many), 15)
        == std::vector<std::uint32_t>{2, 4, 5, 6, 7, 9, 12, 13, 14, 15});
  CHECK(numbers(*sequence_set::parse("*:4,5:7", many), 10) == std::vector<std::uint32_t>{4, 5, 6, 7, 8, 9, 10});
  auto open = *sequence_set::parse("3291:*", many);
  CHECK(open.contains(7, 7)); // the last message, even if its UID is lower
  CHECK(!open.contains(6, 7));
  CHECK(!open.contains(1, 0));
}

TEST_CASE("which sequence numbers exist") {
  CHECK(sequence_set::parse("1:3", many)->fits(3));
  CHECK(!sequence_set::parse("1:4", many)->fits(3));
  CHECK(!sequence_set::parse("*", many)->fits(0));
  CHECK(sequence_set::parse("*", many)->fits(1));
}

TEST_CASE("the largest number ends iteration") {
  auto s = sequence_set::of({{4294967290U, 4294967295U}});
  CHECK(numbers(s, 4294967295U).size() == 6);
  CHECK(s.count() == 6);
}

TEST_CASE("sequence sets agree with sets of numbers") {
  std::linear_congruential_engine<std::uint32_t, 48271, 0, 2147483647> random(7);
  for (int round = 0; round < 2000; ++round) {
    std::uint32_t largest = random() % 30;
    std::string text;
    std::set<std::uint32_t> model;
    auto count = 1 + random() % 6;
    for (unsigned i = 0; i < count; ++i) {
      auto number = [&]() -> std::uint32_t { return random() % 8 == 0 ? 0 : 1 + random() % 30; };
      auto show = [](std::uint32_t n) { return n == 0 ? std::string("*") : std::to_string(n); };
      auto a = number(), b = random() % 2 == 0 ? a : number();
      text += (i > 0 ? "," : "") + (a == b ? show(a) : show(a) + ":" + show(b));
      auto low = a == 0 ? largest : a, high = b == 0 ? largest : b;
      if ((a == 0 || b == 0) && largest == 0)
        continue;
      for (auto n = std::min(low, high); n <= std::max(low, high); ++n)
        if (n <= largest)
          model.insert(n);
    }
    auto s = sequence_set::parse(text, many);
    INFO(text << " of " << largest);
    REQUIRE(s);
    CHECK(numbers(*s, largest) == std::vector<std::uint32_t>(model.begin(), model.end()));
    for (std::uint32_t n = 1; n <= largest; ++n)
      CHECK(s->contains(n, largest) == (model.count(n) == 1));
    auto again = sequence_set::parse(written(*s), many);
    REQUIRE(again);
    CHECK(*again == *s);
    sequence_set added;
    for (auto n : model)
      added.add(n);
    CHECK(added.count() == model.size());
  }
}
