// Builds a new shard from what can still be read of a damaged one; private to fsck.
#pragma once

#include "storage/fsck.hpp"

namespace merpati::storage {

/// Reads every leaf page of the index and every record of the segments, whatever the trees say, and writes the newest
/// readable version of each row to `<folder>.salvaged`, which must not exist. The old folder is not changed. Rows that
/// were deleted shortly before may come back; messages come back only where no tombstone says otherwise.
result<fsck_report> salvage(const shard_options& options, const summary_function& summarise,
                            const progress_function& progress);

/// verify or repair without taking the lock.
result<fsck_report> examine_shard(const shard_options& options, fsck_mode mode, const summary_function& summarise,
                                  const progress_function& progress);

} // namespace merpati::storage
