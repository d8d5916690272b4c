// What the admin port shows, as text: values in, JSON, Prometheus text (exposition format 0.0.4) or HTML out.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "actors/runtime/stats.hpp"
#include "base/result.hpp"

namespace merpati::admin {

/// A figure for /metrics that the actor statistics don't have.
struct metric {
  std::string name; ///< without the prefix "merpati_"
  std::string help;
  bool counter = false; ///< else a gauge
  double value = 0;
  std::string labels; ///< `shard="0"` or empty
};

/// {"actors":[{...}]}; with `kind`, only those of that kind.
std::string actors_json(const std::vector<runtime::actor_stats>& actors, std::string_view kind);

std::string metrics_text(const std::vector<runtime::actor_stats>& actors, const std::vector<runtime::kind_stats>& kinds,
                         std::vector<metric> more, std::string_view version);

std::string page_html(const result<void>& health, const std::vector<runtime::kind_stats>& kinds,
                      std::string_view version);

} // namespace merpati::admin
