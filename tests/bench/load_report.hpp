// What every load run has in common: the conversation with the harness on standard input and output, and the figures.
#pragma once

#include "tests/bench/event_loop.hpp"

#include <cstdint>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace merpati::bench {

/// Processor time that this program has used so far, in seconds.
double own_cpu_seconds();

/// Prints one JSON object as one line and waits for a line (or the end) of standard input. The harness takes the
/// server's figures meanwhile, so that they cover the measured part and neither logins nor goodbyes.
void report_and_wait(const nlohmann::json& event);

/// Prints one JSON object as one line.
void report(const nlohmann::json& event);

/// Times of many equal steps.
class latency_record {
public:
  void add(steady::duration time);
  /// {"p50_us", "p99_us", "max_us", "count"}
  nlohmann::json summary();

private:
  std::vector<std::uint32_t> microseconds_;
};

} // namespace merpati::bench
