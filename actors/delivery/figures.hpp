// What /metrics tells of the way out: written by the queue, read by the admin port's threads.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "actors/admin/admin_views.hpp"
#include "actors/delivery/job.hpp"

namespace merpati::delivery {

/// Thread-safe. A daemon has one; restarts of the queue don't set it back.
class figures {
public:
  /// How much a destination has to do now.
  void set_load(const std::string& destination, std::size_t recipients, std::size_t connections);
  /// What became of a recipient has been written down.
  void add(const std::string& destination, verdict how);
  /// The destination has gone to rest.
  void forget(const std::string& destination);
  /// A new queue begins: nothing is in hand.
  void forget_all();

  /// Totals, and of the destinations that are awake those with the most to do, up to `destinations_told`.
  std::vector<admin::metric> metrics() const;
  static constexpr std::size_t destinations_told = 100;

private:
  static constexpr std::size_t verdicts = 5; // of enum verdict
  struct row {
    std::size_t recipients = 0;
    std::size_t connections = 0;
    std::array<std::uint64_t, verdicts> results{};
  };

  mutable std::mutex lock_;
  std::array<std::uint64_t, verdicts> results_{};
  std::map<std::string, row> rows_; ///< destinations that are awake
};

} // namespace merpati::delivery
