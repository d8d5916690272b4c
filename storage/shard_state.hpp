// What shard, its readers and its maintenance share; private to storage/.
#pragma once

#include <atomic>
#include <filesystem>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "storage/change_set.hpp"
#include "storage/io.hpp"
#include "storage/lmdb_env.hpp"
#include "storage/segment.hpp"
#include "storage/shard.hpp"

namespace merpati::storage {

/// Paths inside a shard's folder.
struct shard_paths {
  std::filesystem::path folder;
  std::filesystem::path lock() const { return folder / "lock"; }
  std::filesystem::path index() const { return folder / "index"; }
  std::filesystem::path index_file() const { return folder / "index" / "data.mdb"; }
  std::filesystem::path segments() const { return folder / "segments"; }
  std::filesystem::path bodies() const { return folder / "bodies"; }
  std::filesystem::path spool() const { return folder / "spool"; }
  std::filesystem::path aside() const { return folder / "aside"; } ///< what repair could not keep in place
};

/// Takes the lock of the shard in `folder` for as long as the file lives: errc::in_use when somebody else has it.
result<io::file> lock_shard(const std::filesystem::path& folder);
/// The index of an existing or new shard, after the checks that LMDB does not make itself.
result<std::unique_ptr<lmdb_env>> open_index(const shard_options& options, bool read_only);

struct shard::state {
  explicit state(shard_options o)
      : options(std::move(o)),
        paths{options.folder},
        segments(options.folder, options.segment_bytes),
        files(std::make_shared<segment_files>(options.folder)) {}

  shard_options options;
  shard_paths paths;
  io::file lock;
  std::unique_ptr<lmdb_env> env;
  segment_writer segments;
  std::shared_ptr<segment_files> files;
  std::vector<std::string> removed; ///< keys of table `doomed` whose files are gone
  bool segments_lost = false;       ///< a rollback failed: open the segment again before the next append
  std::atomic<std::uint64_t> commits{0};
  std::atomic<std::uint64_t> mutations{0};

  // Opening (shard_open.cpp).
  result<void> open();
  result<void> make_folders();
  result<void> initialise();
  result<void> open_segments();
  void remove_leftovers();

  // Applying (shard.cpp).
  /// What an attempt at a batch came to: again (without the mutation that failed), after growing the map, without what
  /// adds (no space), or not at all.
  enum class step { done, again, grow, only_removals, failed };
  std::vector<result<outcome>> apply(std::span<const mutation> batch);
  struct batch_run;
  step attempt(batch_run& run);
  step after_failure(batch_run& run, const failure& f);
  void finish(const batch_run& run, const std::vector<body_id>& doomed);
  void undo(const batch_run& run);
  void keep_room();
  void remove_doomed(const std::vector<std::string>& keys);
  /// Drops the rows of files that were removed before; part of any commit that writes.
  void forget_removed(transaction& txn);
  result<void> commit(transaction& txn);
  std::uint64_t room_for_bodies() const; ///< free disk space above the reserve
  result<void> map_admits() const;       ///< disk_full when the index has grown to its limit

  // Compaction (compaction.cpp).
  result<std::uint64_t> compact(std::uint64_t budget_bytes);
  std::set<std::uint32_t> hopeless; ///< segments with damage, left alone until fsck

  // Bodies (body_plan.cpp).
  batch_plan plan_bodies(transaction& txn, std::span<const mutation> batch, std::vector<std::string>& linked);
  void plan_message(transaction& txn, const add_message& m, batch_plan& plan,
                    std::vector<segment_writer::record>& records, std::vector<std::string>& linked);
  result<void> place_spooled(const spooled_body& spooled, planned_body& body, std::vector<std::string>& linked);
  void append_records(std::span<const segment_writer::record> records, batch_plan& plan);
  /// The records of this batch did not reach the disk: its messages that need them fail.
  void give_up_records(batch_plan& plan, const error& why);
  result<void> ready_segments();
};

/// The state of a read_view: one read transaction.
struct read_view::state {
  explicit state(transaction t) : txn(std::move(t)) {}
  transaction txn;
  std::size_t damaged = 0;
};

/// Calls `each` for every add_message inside `m`.
template <class F>
void for_each_message(const mutation& m, F&& each) {
  if (const auto* add = std::get_if<add_message>(&m))
    each(*add);
  else if (const auto* update = std::get_if<update_waiting>(&m))
    for (const auto& replacement : update->replacements)
      each(replacement);
  else if (const auto* append = std::get_if<append_messages>(&m))
    for (const auto& message : append->messages)
      each(message);
}

} // namespace merpati::storage
