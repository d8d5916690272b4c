// Counts of what the policy at the door decided, for /metrics: written by actors, read by the admin port's threads.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "actors/admin/admin_views.hpp"

namespace merpati::policy {

class counter {
public:
  void add(std::uint64_t by = 1) noexcept { value_.fetch_add(by, std::memory_order_relaxed); }
  std::uint64_t get() const noexcept { return value_.load(std::memory_order_relaxed); }

private:
  std::atomic<std::uint64_t> value_{0};
};

/// Shared by the resolver, the look-ups and the door of a daemon; restarts of those don't set it back.
struct counters {
  counter admitted;               ///< connections
  counter refused_rate;           ///< connections, messages and recipients of a network that sends too fast
  counter refused_listed;         ///< clients on lists of bad ones
  counter welcomed;               ///< clients on a list of good ones
  counter refused_account;        ///< messages beyond what an account may send
  counter greylisted;             ///< recipients asked to be tried again
  counter passed;                 ///< recipients that passed greylisting
  counter list_failures;          ///< lists that did not answer
  counter greylist_save_failures; ///< of the file
  counter dns_queries;
  counter dns_failures;
};

std::vector<admin::metric> metrics_of(const counters& from);

} // namespace merpati::policy
