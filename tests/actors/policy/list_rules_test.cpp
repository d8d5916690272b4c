#include "actors/policy/list_rules.hpp"

#include "tests/support/catch2.hpp"

using namespace merpati;

namespace {

ip_address address(std::string_view text) {
  auto parsed = ip_address::parse(text);
  REQUIRE(parsed);
  return *parsed;
}

config::address_list list(std::string zone, std::uint64_t weight, bool welcome = false) {
  config::address_list out;
  out.zone = std::move(zone);
  out.weight = weight;
  out.welcome = welcome;
  return out;
}

} // namespace

TEST_CASE("names of addresses in reverse zones and lists", "[policy]") {
  CHECK(policy::reverse_name(address("192.0.2.99")) == "99.2.0.192.in-addr.arpa");
  // RFC 5782 2.1 and 2.4
  CHECK(policy::list_name(address("192.0.2.99"), "bad.example.com") == "99.2.0.192.bad.example.com");
  CHECK(policy::list_name(address("2001:db8:1:2:3:4:567:89ab"), "ugly.example.com")
        == "b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2.ugly.example.com");
  CHECK(policy::reverse_name(address("::1")).size() == 64 + 8);
}

TEST_CASE("answers of a list", "[policy]") {
  auto any = list("bl.example", 1);
  CHECK(policy::is_listed(any, {"127.0.0.2"}));
  CHECK(policy::is_listed(any, {"192.0.2.1", "127.0.1.9"}));
  CHECK(!policy::is_listed(any, {}));
  CHECK(!policy::is_listed(any, {"192.0.2.1", "::1", "nonsense", ""}));
  CHECK(!policy::is_listed(any, {"127.255.255.254"})); // "you ask too much", which is no listing
  auto some = any;
  some.answers = {{0x7f000002, 0x7f000003}, {0x7f000009, 0x7f000009}};
  CHECK(policy::is_listed(some, {"127.0.0.2"}));
  CHECK(policy::is_listed(some, {"127.0.0.9"}));
  CHECK(!policy::is_listed(some, {"127.0.0.4"}));
  CHECK(policy::is_listed(some, {"127.0.0.4", "127.0.0.3"}));
}

TEST_CASE("weights add up, and a good list lifts them", "[policy]") {
  const std::vector lists{list("one.example", 1), list("two.example", 2), list("good.example", 1, true)};
  auto verdict = policy::judge(lists, {true, false, false}, 2);
  CHECK(!verdict.refused);
  CHECK(verdict.score == 1);
  verdict = policy::judge(lists, {true, true, false}, 2);
  CHECK(verdict.refused);
  CHECK(verdict.zone == "two.example");
  CHECK(verdict.score == 3);
  verdict = policy::judge(lists, {true, true, true}, 2);
  CHECK(!verdict.refused);
  CHECK(verdict.welcome);
  CHECK(verdict.zone == "good.example");
  verdict = policy::judge({}, {}, 0);
  CHECK(!verdict.refused);
  CHECK(!verdict.welcome);
}

TEST_CASE("names that may stand in a header field", "[policy]") {
  CHECK(policy::is_presentable_name("mail_1.example-2.org"));
  for (const auto* bad : {"", ".", "a..b", ".a", "a.", "a b", "a\r\nX: y", "a(b", "\xc3\xa4.example"})
    CHECK(!policy::is_presentable_name(bad));
  CHECK(!policy::is_presentable_name(std::string(64, 'a') + ".example"));
  CHECK(!policy::is_presentable_name(std::string(254, 'a')));
}
