#include "actors/policy/rate_limiter.hpp"

#include <algorithm>

namespace merpati::policy {

std::chrono::nanoseconds rate_limiter::cost(std::uint64_t tokens) const {
  // A single act is worth at most ten full buckets, which keeps the product far from an overflow: a window has less
  // than 2^47 nanoseconds.
  const auto counted = std::min(tokens, limits_.count * 10);
  const auto each = std::max<std::chrono::nanoseconds::rep>(
      limits_.window.count() / static_cast<std::chrono::nanoseconds::rep>(limits_.count), 1);
  return std::chrono::nanoseconds(each * static_cast<std::chrono::nanoseconds::rep>(counted));
}

std::chrono::nanoseconds rate_limiter::wait(std::string_view key, std::uint64_t tokens, clock::time_point now) const {
  const auto found = index_.find(key);
  if (limits_.count == 0 || found == index_.end())
    return std::chrono::nanoseconds(0);
  const auto room = cost(limits_.count) - std::min(cost(tokens), cost(limits_.count));
  return std::max<std::chrono::nanoseconds>(found->second->full_at - room - now, std::chrono::nanoseconds(0));
}

void rate_limiter::charge(std::string_view key, std::uint64_t tokens, clock::time_point now) {
  if (limits_.count == 0 || tokens == 0)
    return;
  if (const auto found = index_.find(key); found != index_.end()) {
    buckets_.splice(buckets_.begin(), buckets_, found->second);
  } else {
    buckets_.push_front({std::string(key), now});
    index_.emplace(buckets_.front().key, buckets_.begin());
  }
  auto& full_at = buckets_.front().full_at;
  // A debt is bounded like a single act.
  full_at = std::min(std::max(full_at, now) + cost(tokens), now + cost(limits_.count * 10));
  while (!buckets_.empty() && (buckets_.size() > limits_.keys || buckets_.back().full_at <= now)) {
    index_.erase(buckets_.back().key);
    buckets_.pop_back();
  }
}

std::chrono::nanoseconds rate_limiter::take(std::string_view key, std::uint64_t tokens, clock::time_point now) {
  const auto delay = wait(key, tokens, now);
  if (delay == std::chrono::nanoseconds(0))
    charge(key, tokens, now);
  return delay;
}

} // namespace merpati::policy
