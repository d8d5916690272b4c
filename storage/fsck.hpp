// Verifies, repairs and salvages a shard that nobody has open.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "storage/shard.hpp"

namespace merpati::storage {

enum class fsck_mode : std::uint8_t {
  verify,  ///< reads everything, changes nothing
  repair,  ///< recomputes what can be derived (counters, references, summaries); sets aside what can't be read
  salvage, ///< builds a new shard from every record that can still be read, without trusting the index's tree
};

struct fsck_finding {
  std::string where; ///< table and key, or file and offset
  std::string what;  ///< what is wrong
  bool repaired = false;
};

struct fsck_report {
  std::uint64_t messages = 0;
  std::uint64_t bodies = 0;
  std::vector<fsck_finding> findings;
};

/// Writes the summary of a message whose octets are handed in; used to make lost summaries anew.
using summary_function = std::function<std::string(std::string_view message)>;
/// Called now and then with a share done of 0 to 1, for a progress bar.
using progress_function = std::function<void(double)>;

/// Every record's checksum, every body, and that rows, counters, references and indexes agree with each other.
result<fsck_report> fsck(const shard_options& options, fsck_mode mode, const summary_function& summarise,
                         const progress_function& progress = {});

} // namespace merpati::storage
