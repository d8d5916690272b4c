// Time as a value: whoever needs "now" is handed a clock, so that tests own it.
#pragma once

#include <chrono>
#include <cstdint>

namespace merpati {

/// Wall-clock time in microseconds since 1970-01-01 UTC.
using timestamp = std::chrono::time_point<std::chrono::system_clock, std::chrono::microseconds>;

inline std::int64_t to_micros(timestamp when) noexcept {
  return when.time_since_epoch().count();
}
inline timestamp from_micros(std::int64_t micros) noexcept {
  return timestamp(std::chrono::microseconds(micros));
}

/// Where "now" comes from. `system()` is the machine's clock; tests pass their own.
class clock_source {
public:
  virtual ~clock_source() = default;
  virtual timestamp now() const = 0;

  static const clock_source& system();
};

/// A clock that stands still until it is told otherwise.
class manual_clock final : public clock_source {
public:
  explicit manual_clock(timestamp start) : now_(start) {}
  timestamp now() const override { return now_; }
  void advance(std::chrono::microseconds by) { now_ += by; }

private:
  timestamp now_;
};

} // namespace merpati
