#include "actors/net/limiter.hpp"

#include <sys/resource.h>

#include "base/ip_address.hpp"

namespace merpati::net {

admission::~admission() {
  if (from_)
    from_->release(key_);
}

admission connection_limiter::admit(std::string_view address) {
  const auto parsed = ip_address::parse(address);
  std::string key(address);
  if (parsed)
    key = parsed->is_loopback() && !limits_.count_loopback ? std::string() : parsed->client_network();
  std::scoped_lock lock(mutex_);
  if (live_.load(std::memory_order_relaxed) >= limits_.total)
    return {};
  if (!key.empty()) {
    auto& count = by_key_[key];
    if (count >= limits_.per_address)
      return {};
    ++count;
  }
  live_.fetch_add(1, std::memory_order_relaxed);
  return admission(shared_from_this(), std::move(key));
}

void connection_limiter::release(const std::string& key) noexcept {
  std::scoped_lock lock(mutex_);
  live_.fetch_sub(1, std::memory_order_relaxed);
  if (auto found = by_key_.find(key); found != by_key_.end() && --found->second == 0)
    by_key_.erase(found);
}

bool connection_limiter::near_descriptor_limit(int descriptor) const noexcept {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
    return false;
  return static_cast<rlim_t>(descriptor) + limits_.reserved_descriptors >= limit.rlim_cur;
}

std::shared_ptr<connection_limiter> make_limiter(connection_limits limits) {
  return std::make_shared<connection_limiter>(limits);
}

std::size_t live_connections(const connection_limiter& limiter) noexcept {
  return limiter.live();
}

} // namespace merpati::net
