#include "actors/policy/greylist_rules.hpp"

#include "tests/support/catch2.hpp"

using namespace merpati;
using namespace std::chrono_literals;

namespace {

const timestamp start{std::chrono::hours(24 * 365 * 50)};
const std::string net = "192.0.2.0/24";

policy::greylist_rules make(policy::greylist_rules::limits l = {}) {
  return policy::greylist_rules(l);
}

} // namespace

TEST_CASE("the first try waits, an early one too, a later one passes", "[policy]") {
  auto rules = make();
  CHECK(rules.check(net, "a@example.com", "b@example.org", start) == 60s);
  CHECK(rules.check(net, "a@example.com", "b@example.org", start + 20s) == 40s);
  CHECK(rules.check(net, "a@example.com", "b@example.org", start + 59s + 1us) == 1s);
  CHECK(rules.check(net, "A@example.COM", "B@example.org", start + 60s) == 0s);
  CHECK(rules.check(net, "a@example.com", "b@example.org", start + 61s) == 0s);
  CHECK(rules.check(net, "a@example.com", "c@example.org", start + 61s) == 60s);
  CHECK(rules.check(net, "", "b@example.org", start + 61s) == 60s);
  CHECK(rules.check("192.0.3.0/24", "a@example.com", "b@example.org", start + 61s) == 60s);
}

TEST_CASE("whoever comes again after the window begins anew", "[policy]") {
  auto rules = make();
  rules.check(net, "a@example.com", "b@example.org", start);
  CHECK(rules.check(net, "a@example.com", "b@example.org", start + 48h - 1us) == 0s);
  rules.check(net, "x@example.com", "b@example.org", start);
  CHECK(rules.check(net, "x@example.com", "b@example.org", start + 48h) == 60s);
}

TEST_CASE("a network with enough passed triplets is known until it is quiet for long", "[policy]") {
  auto rules = make();
  auto now = start;
  for (int i = 0; i < 5; ++i) {
    const auto sender = std::to_string(i) + "@example.com";
    CHECK(rules.check(net, sender, "b@example.org", now) == 60s);
    now += 2min;
    CHECK(rules.check(net, sender, "b@example.org", now) == 0s);
    CHECK(rules.check(net, sender, "b@example.org", now) == 0s); // the same again teaches nothing
  }
  CHECK(rules.check(net, "new@example.com", "b@example.org", now) == 0s);
  now += 34 * 24h;
  CHECK(rules.check(net, "newer@example.com", "b@example.org", now) == 0s);
  now += 34 * 24h;
  CHECK(rules.check(net, "newest@example.com", "b@example.org", now) == 0s);
  now += 35 * 24h;
  CHECK(rules.check(net, "late@example.com", "b@example.org", now) == 60s);
}

TEST_CASE("what is saved is known again", "[policy]") {
  policy::greylist_rules::limits l;
  l.known_after = 1;
  auto rules = make(l);
  rules.check(net, "a@example.com", "b@example.org", start);
  rules.check("2001:db8::/64", "a@example.com", "b@example.org", start);
  rules.check(net, "a@example.com", "b@example.org", start + 61s);
  auto again = make(l);
  CHECK(again.restore(rules.save(), start + 62s) == 0);
  CHECK(again.save() == rules.save());
  CHECK(again.check(net, "other@example.com", "b@example.org", start + 62s) == 0s);
  CHECK(again.check("2001:db8::/64", "a@example.com", "b@example.org", start + 62s) == 0s);
  // Months later nothing of it is left.
  auto late = make(l);
  CHECK(late.restore(rules.save(), start + 24h * 365) == 0);
  CHECK(late.save().empty());
  // Knowledge from before meets tries from after the start: the first try counts.
  auto merged = make(l);
  merged.check("2001:db8::/64", "a@example.com", "b@example.org", start + 70s);
  merged.restore(rules.save(), start + 70s);
  CHECK(merged.check("2001:db8::/64", "a@example.com", "b@example.org", start + 71s) == 0s);
}

TEST_CASE("lines that can't be read are counted and left out", "[policy]") {
  auto rules = make();
  const std::string hostile = "\n\nn\nn  5 5\nx a 1 1\nn 192.0.2.0/24 99999999999999999999 1\nn 192.0.2.0/24 1 -1\n"
                              "t short 1 1\nn a b c d e f\nn 192.0.2.0/24 1 1 \nn "
                              + std::string(100'000, 'a') + " 1 1";
  CHECK(rules.restore(hostile, start) == 11);
  CHECK(rules.restore("n future 9223372036854775807 5\nn past -9223372036854775808 5\n", start) == 0);
  CHECK(rules.networks() == 0);
  CHECK(rules.triplets() == 0);
}

TEST_CASE("memory is bounded", "[policy]") {
  policy::greylist_rules::limits l;
  l.triplets = 50;
  l.networks = 20;
  l.known_after = 1;
  auto rules = make(l);
  for (int i = 0; i < 500; ++i)
    rules.check(net, std::to_string(i), "b@example.org", start);
  CHECK(rules.triplets() <= 51);
  for (int i = 0; i < 100; ++i) {
    rules.check(std::to_string(i), "a", "b", start);
    rules.check(std::to_string(i), "a", "b", start + 61s);
  }
  CHECK(rules.networks() <= 21);
}

TEST_CASE("a client's network is its /24 or /64", "[policy]") {
  CHECK(policy::greylist_network(*ip_address::parse("192.0.2.77")) == "192.0.2.0/24");
  CHECK(policy::greylist_network(*ip_address::parse("2001:db8:1:2:3:4:5:6")) == "2001:db8:1:2::/64");
}
