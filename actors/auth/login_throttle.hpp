// How often somebody may fail to log in, as a plain object: a leaky bucket for each key (a client network, a login
// name). Every try takes a drop's place before it is known to fail, so that many tries at once count like as many in a
// row; a try that succeeds gives its place back. A full bucket makes tries wait until it has leaked, in turn.
#pragma once

#include <chrono>
#include <cstddef>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace merpati::auth {

class login_throttle {
public:
  using clock = std::chrono::steady_clock;

  struct limits {
    std::size_t failures = 10;                                  ///< that fit in the bucket; from 1
    std::chrono::nanoseconds window = std::chrono::seconds(60); ///< in which a full bucket leaks empty
    std::chrono::nanoseconds longest_delay = std::chrono::seconds(30);
    /// Buckets kept. Whoever wants to push one out has to pay a failed login for every other.
    std::size_t keys = 65'536;
  };

  explicit login_throttle(limits l) : limits_(l) {}

  /// How long a try of `key` has to wait at `now`; nothing when it would be longer than the longest delay.
  std::optional<std::chrono::nanoseconds> wait(std::string_view key, clock::time_point now) const;
  /// A try of `key` begins (and counts as failed until refund).
  void charge(std::string_view key, clock::time_point now);
  /// A try that was charged did not fail.
  void refund(std::string_view key);

  std::size_t size() const noexcept { return buckets_.size(); }

private:
  struct bucket {
    std::string key;
    clock::time_point empty_at; ///< when the last drop will have leaked
  };

  std::chrono::nanoseconds interval() const {
    return limits_.window / static_cast<std::chrono::nanoseconds::rep>(limits_.failures);
  }

  limits limits_;
  std::list<bucket> buckets_; ///< the one charged last at the front
  std::unordered_map<std::string_view, std::list<bucket>::iterator> index_;
};

} // namespace merpati::auth
