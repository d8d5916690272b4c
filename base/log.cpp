#include "base/log.hpp"

#include <atomic>
#include <memory>
#include <mutex>

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

namespace merpati::log {

namespace {

std::atomic<level> minimum_level{level::warning};
std::mutex tap_mutex;
std::function<void(level, std::string_view)> tap;

spdlog::level::level_enum native(level l) noexcept {
  switch (l) {
  case level::debug: return spdlog::level::debug;
  case level::info: return spdlog::level::info;
  case level::warning: return spdlog::level::warn;
  case level::error: return spdlog::level::err;
  }
  return spdlog::level::err;
}

spdlog::logger& logger() {
  static const std::shared_ptr<spdlog::logger> instance = [] {
    auto made = std::make_shared<spdlog::logger>("merpati", std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
    made->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %^%l%$ %v");
    made->set_level(spdlog::level::debug);
    made->flush_on(spdlog::level::warn);
    return made;
  }();
  return *instance;
}

} // namespace

void start(level minimum) {
  minimum_level.store(minimum);
  logger().flush();
}

void set_tap(std::function<void(level, std::string_view)> new_tap) {
  std::scoped_lock lock(tap_mutex);
  tap = std::move(new_tap);
}

bool enabled(level l) noexcept {
  return l >= minimum_level.load(std::memory_order_relaxed);
}

void write(level l, std::string_view text) {
  if (l >= level::warning) {
    std::scoped_lock lock(tap_mutex);
    if (tap)
      tap(l, text);
  }
  logger().log(native(l), "{}", text);
}

} // namespace merpati::log
