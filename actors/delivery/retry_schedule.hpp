// When a recipient that could not be reached is tried again, and when it has waited long enough.
#pragma once

#include <chrono>
#include <cstdint>

#include "actors/mail/waiting_details.hpp"
#include "base/clock.hpp"
#include "config/delivery_settings.hpp"

namespace merpati::delivery {

class retry_schedule {
public:
  explicit retry_schedule(const config::delivery_settings& settings) noexcept : settings_(&settings) {}

  /// After `attempts` (at least 1) failed ones: the first interval, doubled each time up to the longest. `random` moves
  /// it by up to a tenth either way, so that mail deferred together does not come back together.
  timestamp next(timestamp now, std::uint32_t attempts, std::uint32_t random) const;
  /// The sender is to get it back from then on. RFC 5321 4.5.4.1; sooner where it asked so (RFC 2852 BY ... R).
  timestamp expiry(const mail::waiting_details& details) const;
  /// The sender is to be told that it waits, and has not been.
  bool is_delay_due(const mail::waiting_details& details, timestamp now) const;

private:
  const config::delivery_settings* settings_;
};

} // namespace merpati::delivery
