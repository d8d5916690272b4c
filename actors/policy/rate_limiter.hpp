// How often somebody may do something, as a plain object: a token bucket for each key (a client network, an account).
// A bucket holds what may be done at once and fills again evenly over its window. Memory is bounded: the keys that
// were quiet for longest are forgotten.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>

namespace merpati::policy {

class rate_limiter {
public:
  using clock = std::chrono::steady_clock;

  struct limits {
    std::uint64_t count = 60;                                   ///< tokens of a full bucket, to 1'000'000; 0: no limit
    std::chrono::nanoseconds window = std::chrono::seconds(60); ///< in which an empty bucket fills, to 24 hours
    /// Buckets kept. Whoever wants to push one out needs as many networks or accounts of their own.
    std::size_t keys = 65'536;
  };

  explicit rate_limiter(limits l) : limits_(l) {}

  /// How long `key` has to wait at `now` before it may take `tokens`; zero: it may take them. Whoever wants more
  /// than a bucket holds may have that many when it is full, and pays for them afterwards.
  std::chrono::nanoseconds wait(std::string_view key, std::uint64_t tokens, clock::time_point now) const;
  /// Takes them, also when they are not there.
  void charge(std::string_view key, std::uint64_t tokens, clock::time_point now);
  /// Takes them if they are there: zero. Else how long to wait, and nothing is taken.
  std::chrono::nanoseconds take(std::string_view key, std::uint64_t tokens, clock::time_point now);

  std::size_t size() const noexcept { return buckets_.size(); }

private:
  struct bucket {
    std::string key;
    clock::time_point full_at;
  };

  std::chrono::nanoseconds cost(std::uint64_t tokens) const;

  limits limits_;
  std::list<bucket> buckets_; ///< the one charged last at the front
  std::unordered_map<std::string_view, std::list<bucket>::iterator> index_;
};

} // namespace merpati::policy
