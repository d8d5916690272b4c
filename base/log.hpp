// Logging. The only place that includes spdlog; the rest of the code writes log::info("...", args).
// A message says what happened, what it means and, from warning up, what to do. Never a password or a body.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include <spdlog/fmt/fmt.h>

namespace merpati::log {

enum class level : std::uint8_t { debug, info, warning, error };

/// Starts logging to stderr at `minimum`. Without this call nothing below warning is shown.
void start(level minimum);

/// Sees every line at or above warning before it is written; for tests that fail on unexpected errors.
/// One tap at a time; an empty function removes it. Called on the thread that logs.
void set_tap(std::function<void(level, std::string_view)> tap);

bool enabled(level l) noexcept;
void write(level l, std::string_view text);

template <class... Args>
void write_formatted(level l, fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(l))
    write(l, fmt::format(format, std::forward<Args>(args)...));
}

template <class... Args>
void debug(fmt::format_string<Args...> format, Args&&... args) {
  write_formatted(level::debug, format, std::forward<Args>(args)...);
}
template <class... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
  write_formatted(level::info, format, std::forward<Args>(args)...);
}
template <class... Args>
void warning(fmt::format_string<Args...> format, Args&&... args) {
  write_formatted(level::warning, format, std::forward<Args>(args)...);
}
template <class... Args>
void error(fmt::format_string<Args...> format, Args&&... args) {
  write_formatted(level::error, format, std::forward<Args>(args)...);
}

} // namespace merpati::log
