// The least speed of a client inside a message, as a plain object: who drips octets keeps a connection and memory for
// as long as it likes, and no idle time ever passes.
#pragma once

#include <chrono>
#include <cstdint>

#include "base/clock.hpp"

namespace merpati::session {

class data_rate {
public:
  /// Rates are judged over spans of this length; a client that pauses for less is borne.
  static constexpr std::chrono::seconds span{60};

  /// 0: any speed will do.
  explicit data_rate(std::uint64_t octets_per_second) : least_(octets_per_second) {}

  /// A message begins.
  void begin(timestamp now) noexcept {
    since_ = now;
    octets_ = 0;
  }
  /// More of it came. False: too slow.
  bool take(std::uint64_t octets, timestamp now) noexcept {
    octets_ += octets;
    const auto passed = std::chrono::duration_cast<std::chrono::seconds>(now - since_);
    if (passed < span)
      return true;
    const bool fast = octets_ / static_cast<std::uint64_t>(passed.count()) >= least_;
    begin(now);
    return fast;
  }

private:
  std::uint64_t least_;
  timestamp since_{};
  std::uint64_t octets_ = 0;
};

} // namespace merpati::session
