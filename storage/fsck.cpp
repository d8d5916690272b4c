#include "storage/fsck.hpp"

#include "storage/fsck_examiner.hpp"
#include "storage/salvage.hpp"

namespace merpati::storage {

namespace {

result<void> repair_index(const shard_options& options, lmdb_env& env, examiner& found) {
  if (auto made = io::make_folder(shard_paths{options.folder}.aside()); !made)
    return made;
  auto txn = env.begin_write();
  if (!txn)
    return tl::unexpected(txn.error());
  found.repair(*txn);
  txn->commit();
  return {};
}

/// One look at everything, and the repairs where they are wanted. Growing the map needs every transaction closed, so
/// the caller repeats the whole.
result<fsck_report> examine_once(const shard_options& options, lmdb_env& env, fsck_mode mode,
                                 const summary_function& summarise, const progress_function& progress) {
  auto txn = env.begin_read();
  if (!txn)
    return tl::unexpected(txn.error());
  examiner found(options, *txn, summarise, progress);
  found.examine();
  if (mode != fsck_mode::verify && !found.report().findings.empty())
    if (auto repaired = repair_index(options, env, found); !repaired)
      return tl::unexpected(repaired.error());
  return std::move(found.report());
}

} // namespace

result<fsck_report> examine_shard(const shard_options& options, fsck_mode mode, const summary_function& summarise,
                                  const progress_function& progress) {
  auto env = open_index(options, mode == fsck_mode::verify);
  if (!env)
    return tl::unexpected(env.error());
  for (;;) {
    try {
      return examine_once(options, **env, mode, summarise, progress);
    } catch (const failure& f) {
      if (!f.map_full)
        return tl::unexpected(f.why);
    }
    if (auto grown = (*env)->grow(0, std::chrono::seconds(1)); !grown)
      return tl::unexpected(grown.error());
  }
}

result<fsck_report> fsck(const shard_options& options, fsck_mode mode, const summary_function& summarise,
                         const progress_function& progress) {
  auto lock = lock_shard(options.folder);
  if (!lock)
    return tl::unexpected(lock.error());
  if (mode == fsck_mode::salvage)
    return salvage(options, summarise, progress);
  auto report = examine_shard(options, mode, summarise, progress);
  if (report && progress)
    progress(1.0);
  return report;
}

} // namespace merpati::storage
