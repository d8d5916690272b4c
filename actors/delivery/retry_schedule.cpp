#include "actors/delivery/retry_schedule.hpp"

#include <algorithm>

namespace merpati::delivery {

timestamp retry_schedule::next(timestamp now, std::uint32_t attempts, std::uint32_t random) const {
  constexpr std::uint32_t most_doublings = 20; // beyond any longest interval
  const auto doublings = std::min(attempts - std::min(attempts, 1u), most_doublings);
  const std::chrono::microseconds longest = settings_->longest_retry;
  const auto interval = std::min<std::chrono::microseconds>(settings_->first_retry * (1 << doublings), longest);
  const auto tenth = std::max<std::int64_t>(interval.count() / 10, 1);
  return now + interval + std::chrono::microseconds(static_cast<std::int64_t>(random) % (2 * tenth) - tenth);
}

timestamp retry_schedule::expiry(const mail::waiting_details& details) const {
  const auto begun = details.released.value_or(details.accepted);
  auto end = begun + settings_->expiry;
  if (details.mail.deliver && details.mail.deliver->return_late)
    end = std::min(end, details.accepted + std::chrono::microseconds(details.mail.deliver->within));
  return end;
}

bool retry_schedule::is_delay_due(const mail::waiting_details& details, timestamp now) const {
  if (details.progress.delay_told)
    return false;
  const auto& by = details.mail.deliver;
  if (by && !by->return_late && now >= details.accepted + by->within)
    return true; // RFC 2852 4.1.2: BY ... N
  return settings_->delay_warning.count() > 0
         && now >= details.released.value_or(details.accepted) + settings_->delay_warning;
}

} // namespace merpati::delivery
