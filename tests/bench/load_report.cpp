#include "tests/bench/load_report.hpp"

#include <algorithm>
#include <iostream>

#include <nlohmann/json.hpp>
#include <sys/resource.h>

namespace merpati::bench {

double own_cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

void report(const nlohmann::json& event) {
  std::cout << event.dump() << std::endl;
}

void report_and_wait(const nlohmann::json& event) {
  report(event);
  std::string line;
  std::getline(std::cin, line);
}

void latency_record::add(steady::duration time) {
  microseconds_.push_back(
      static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::microseconds>(time).count()));
}

nlohmann::json latency_record::summary() {
  if (microseconds_.empty())
    return nlohmann::json::object();
  std::sort(microseconds_.begin(), microseconds_.end());
  const auto at = [&](std::size_t percent) { return microseconds_[(microseconds_.size() - 1) * percent / 100]; };
  return {{"p50_us", at(50)}, {"p99_us", at(99)}, {"max_us", microseconds_.back()}, {"count", microseconds_.size()}};
}

} // namespace merpati::bench
