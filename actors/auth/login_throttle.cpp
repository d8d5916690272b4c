#include "actors/auth/login_throttle.hpp"

#include <algorithm>
#include <iterator>

namespace merpati::auth {

std::optional<std::chrono::nanoseconds> login_throttle::wait(std::string_view key, clock::time_point now) const {
  auto found = index_.find(key);
  if (found == index_.end())
    return std::chrono::nanoseconds(0);
  // There is room for one more drop once all but `failures - 1` have leaked.
  auto room_at = found->second->empty_at - interval() * static_cast<std::int64_t>(limits_.failures - 1);
  auto delay = std::max<std::chrono::nanoseconds>(room_at - now, std::chrono::nanoseconds(0));
  if (delay > limits_.longest_delay)
    return std::nullopt;
  return delay;
}

void login_throttle::charge(std::string_view key, clock::time_point now) {
  auto found = index_.find(key);
  if (found != index_.end()) {
    buckets_.splice(buckets_.begin(), buckets_, found->second);
  } else {
    buckets_.push_front({std::string(key), now});
    index_.emplace(buckets_.front().key, buckets_.begin());
  }
  auto& empty_at = buckets_.front().empty_at;
  empty_at = std::max(empty_at, now) + interval();
  // Buckets that leaked empty go first; they are found at the back, where nobody has knocked for longest.
  while (!buckets_.empty() && (buckets_.size() > limits_.keys || buckets_.back().empty_at <= now)) {
    index_.erase(buckets_.back().key);
    buckets_.pop_back();
  }
}

void login_throttle::refund(std::string_view key) {
  if (auto found = index_.find(key); found != index_.end())
    found->second->empty_at -= interval();
}

} // namespace merpati::auth
