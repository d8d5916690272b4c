#include "actors/auth/login_throttle.hpp"

#include "actors/auth/login_cache.hpp"
#include "tests/support/catch2.hpp"

using namespace merpati;
using namespace std::chrono_literals;
using auth::login_cache;
using auth::login_throttle;

namespace {

const login_throttle::clock::time_point start{1000s};

login_throttle ten_a_minute() {
  return login_throttle({10, 60s, 30s, 1000});
}

} // namespace

TEST_CASE("ten failures are free, then each try waits for its turn, then tries are refused") {
  auto throttle = ten_a_minute();
  for (int i = 0; i < 10; ++i) {
    CHECK(throttle.wait("a", start) == 0s);
    throttle.charge("a", start);
  }
  for (auto expected : {6s, 12s, 18s, 24s, 30s}) {
    CHECK(throttle.wait("a", start) == expected);
    throttle.charge("a", start);
  }
  CHECK(!throttle.wait("a", start));
  CHECK(throttle.wait("b", start) == 0s);
}

TEST_CASE("failures are forgotten at the rate of ten a minute") {
  auto throttle = ten_a_minute();
  for (int i = 0; i < 10; ++i)
    throttle.charge("a", start);
  CHECK(throttle.wait("a", start + 5s) == 1s);
  CHECK(throttle.wait("a", start + 6s) == 0s);
  throttle.charge("a", start + 6s);
  CHECK(throttle.wait("a", start + 6s) == 6s);
  // After a quiet minute all ten are free again, and no more than ten.
  auto later = start + 3600s;
  for (int i = 0; i < 10; ++i) {
    CHECK(throttle.wait("a", later) == 0s);
    throttle.charge("a", later);
  }
  CHECK(throttle.wait("a", later) == 6s);
}

TEST_CASE("over an hour an attacker gets the rate and the burst, nothing more") {
  auto throttle = ten_a_minute();
  int tries = 0;
  for (auto now = start; now < start + 3600s; now += 100ms) {
    if (throttle.wait("a", now) == 0s) {
      throttle.charge("a", now);
      ++tries;
    }
  }
  CHECK(tries <= 10 + 600);
  CHECK(tries >= 600);
}

TEST_CASE("a try that succeeds gives its place back") {
  auto throttle = ten_a_minute();
  for (int i = 0; i < 1000; ++i) {
    REQUIRE(throttle.wait("a", start) == 0s);
    throttle.charge("a", start);
    throttle.refund("a");
  }
  throttle.refund("never seen");
}

TEST_CASE("the table is bounded and drops whoever was quiet for longest") {
  login_throttle throttle({1, 60s, 300s, 3});
  for (const char* key : {"a", "b", "c"})
    throttle.charge(key, start);
  throttle.charge("a", start + 1s);
  throttle.charge("d", start + 1s);
  CHECK(throttle.size() == 3);
  CHECK(throttle.wait("b", start + 1s) == 0s); // forgotten
  CHECK(throttle.wait("a", start + 1s) == 119s);
  CHECK(throttle.wait("c", start + 1s) == 59s);
}

TEST_CASE("buckets that leaked empty do not stay in the table") {
  auto throttle = ten_a_minute();
  for (int i = 0; i < 500; ++i)
    throttle.charge("key " + std::to_string(i), start);
  CHECK(throttle.size() == 500);
  throttle.charge("late", start + 60s);
  CHECK(throttle.size() == 1);
}

TEST_CASE("the cache knows exactly what it was told") {
  login_cache cache(std::string(32, 'k'), 60s, 100);
  auto entry = cache.entry("alice@example.org", "$hash", "192.0.2.1", "secret");
  CHECK(!cache.knows(entry, start));
  cache.remember(entry, start);
  CHECK(cache.knows(entry, start + 59s));
  CHECK(!cache.knows(entry, start + 60s));
  for (auto other :
       {cache.entry("alicf@example.org", "$hash", "192.0.2.1", "secret"),
        cache.entry("alice@example.org", "$hasi", "192.0.2.1", "secret"),
        cache.entry("alice@example.org", "$hash", "192.0.2.2", "secret"),
        cache.entry("alice@example.org", "$hash", "192.0.2.1", "secreu"),
        cache.entry("alice@example.org", "$hash", "192.0.2.1s", "ecret"),
        login_cache(std::string(32, 'l'), 60s, 100).entry("alice@example.org", "$hash", "192.0.2.1", "secret")})
    CHECK(!cache.knows(other, start));
}

TEST_CASE("the cache is bounded, in entries and in what it notes about them") {
  login_cache cache(std::string(32, 'k'), 60s, 10);
  auto entry = [&](int i) { return cache.entry("a", "h", "n", std::to_string(i)); };
  for (int i = 0; i < 100; ++i)
    cache.remember(entry(i), start + std::chrono::seconds(i % 10));
  CHECK(cache.size() <= 10);
  CHECK(cache.knows(entry(99), start + 9s));
  CHECK(!cache.knows(entry(0), start + 9s));
  // One entry again and again lives once, and pushes nobody out.
  for (int i = 0; i < 1000; ++i)
    cache.remember(entry(99), start + 20s);
  CHECK(cache.knows(entry(98), start + 20s));
  CHECK(cache.knows(entry(99), start + 68s));
  CHECK(!cache.knows(entry(99), start + 69s));
  cache.remember(entry(99), start + 80s);
  CHECK(cache.knows(entry(99), start + 139s));
  cache.remember(entry(5), start + 139s);
  CHECK(cache.size() == 2);
  login_cache none(std::string(32, 'k'), 0s, 10);
  none.remember(entry(1), start);
  CHECK(none.size() == 0);
}
