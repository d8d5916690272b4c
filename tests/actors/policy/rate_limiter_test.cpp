#include "actors/policy/rate_limiter.hpp"

#include "tests/support/catch2.hpp"

using namespace merpati;
using namespace std::chrono_literals;

namespace {

using clock_type = policy::rate_limiter::clock;

policy::rate_limiter make(std::uint64_t count, std::chrono::nanoseconds window, std::size_t keys = 1000) {
  policy::rate_limiter::limits l;
  l.count = count;
  l.window = window;
  l.keys = keys;
  return policy::rate_limiter(l);
}

} // namespace

TEST_CASE("a bucket gives what it holds at once and then one for each interval", "[policy]") {
  auto limiter = make(6, 60s);
  clock_type::time_point now{1h};
  for (int i = 0; i < 6; ++i)
    CHECK(limiter.take("a", 1, now) == 0ns);
  CHECK(limiter.take("a", 1, now) == 10s);
  CHECK(limiter.take("a", 1, now + 9s) == 1s);
  CHECK(limiter.take("a", 1, now + 10s) == 0ns);
  CHECK(limiter.take("a", 1, now + 10s) == 10s);
  CHECK(limiter.take("b", 1, now) == 0ns); // somebody else's bucket is full
}

TEST_CASE("over a long time no more passes than the rate allows", "[policy]") {
  auto limiter = make(10, 60s);
  int passed = 0;
  for (int i = 0; i < 3600; ++i)
    passed += limiter.take("a", 1, clock_type::time_point{1h} + std::chrono::seconds(i)) == 0ns ? 1 : 0;
  CHECK(passed == 10 + 599);
}

TEST_CASE("a refused act costs nothing, and a big one passes when the bucket is full", "[policy]") {
  auto limiter = make(10, 10s);
  clock_type::time_point now{1h};
  CHECK(limiter.take("a", 4, now) == 0ns);
  CHECK(limiter.take("a", 10, now) == 4s);
  CHECK(limiter.take("a", 6, now) == 0ns);
  CHECK(limiter.take("big", 30, now) == 0ns);
  CHECK(limiter.take("big", 1, now) == 21s); // its debt is paid first
}

TEST_CASE("numbers without measure overflow nothing", "[policy]") {
  auto limiter = make(1'000'000, 24h);
  clock_type::time_point now{1h};
  CHECK(limiter.take("a", UINT64_MAX, now) == 0ns);
  CHECK(limiter.take("a", UINT64_MAX, now) <= 241h);
  for (int i = 0; i < 100; ++i)
    limiter.charge("a", UINT64_MAX, now);
  CHECK(limiter.wait("a", 1, now) <= 240h);
}

TEST_CASE("no limit is no limit", "[policy]") {
  auto limiter = make(0, 60s);
  for (int i = 0; i < 1000; ++i)
    REQUIRE(limiter.take("a", 1000, clock_type::time_point{1h}) == 0ns);
  CHECK(limiter.size() == 0);
}

TEST_CASE("buckets are bounded, and full ones are forgotten", "[policy]") {
  auto limiter = make(1, 60s, 100);
  clock_type::time_point now{1h};
  for (int i = 0; i < 1000; ++i)
    limiter.charge(std::to_string(i), 1, now);
  CHECK(limiter.size() == 100);
  CHECK(limiter.wait("999", 1, now) == 60s);
  CHECK(limiter.wait("0", 1, now) == 0ns);
  limiter.charge("late", 1, now + 2min);
  CHECK(limiter.size() == 1);
}
