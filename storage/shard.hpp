// A shard: one LMDB environment, its body segments, one writer. The unit of commit, of recovery and of replication.
//
// Synchronous. Writing calls (apply, maintenance) come from one thread at a time; reading calls from any number of
// threads at once. Nothing here waits for the network or for another shard.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "storage/mutation.hpp"
#include "storage/rows.hpp"

namespace merpati::storage {

struct shard_options {
  std::filesystem::path folder;
  std::uint64_t initial_map_bytes = 64ull << 20; ///< grows by itself from 80 % full
  std::uint64_t max_map_bytes = 1ull << 40;      ///< address space, not disk
  std::uint64_t segment_bytes = 256ull << 20;    ///< a segment that reached this is closed
  std::uint64_t reserve_bytes = 64ull << 20;     ///< free disk space below which messages are refused (disk_full)
};

/// A consistent view of the index at one moment (an LMDB read transaction). Short-lived: no socket write, no wait, no
/// apply() and no actor hop while it lives. May be used on another thread than the one that made it, by one at a time.
/// A row that fails its checksum is reported as an error in the log and passed over as if it were missing; damaged()
/// counts them.
class read_view {
public:
  read_view(read_view&&) noexcept;
  read_view& operator=(read_view&&) noexcept;
  ~read_view();

  std::optional<account_row> account(std::string_view name) const;
  std::optional<account_row> account(account_id id) const;
  std::vector<account_row> accounts() const;
  std::optional<domain_row> domain(std::string_view name) const;
  std::vector<domain_row> domains() const;
  std::optional<address_row> address(std::string_view address) const;
  std::vector<address_row> addresses() const;
  quota_usage usage(account_id id) const;

  std::vector<mailbox_row> mailboxes(account_id id) const; ///< by name
  std::optional<mailbox_row> mailbox(mailbox_id id) const;
  std::optional<mailbox_row> mailbox(account_id account, std::string_view name) const;
  std::vector<std::string> subscriptions(account_id id) const;

  /// Calls `each` for the messages with first <= uid <= last in ascending order until it returns false.
  void messages(mailbox_id id, uid first, uid last, const std::function<bool(const message_row&)>& each) const;
  std::optional<message_row> message(mailbox_id id, uid which) const;

  /// UIDs whose last change is above `since`: changed (flags or new), and expunged, each ascending.
  struct changes {
    std::vector<uid> changed;
    std::vector<uid> expunged;
    modseq highest;
  };
  changes changes_since(mailbox_id id, modseq since) const;

  /// The summary that was handed in with the body; the view stays valid as long as this read_view.
  std::optional<std::string_view> summary(body_id id) const;
  std::optional<body_row> body(body_id id) const;

  std::optional<waiting_row> waiting(waiting_id id) const;
  /// Rows in the order of next_due, from `from` on, until `each` returns false.
  void waiting_by_due(timestamp from, const std::function<bool(const waiting_row&)>& each) const;

  /// Rows that this view met and could not use because they are damaged.
  std::size_t damaged() const noexcept;

private:
  friend class shard;
  struct state;
  explicit read_view(std::unique_ptr<state> s);
  std::unique_ptr<state> state_;
};

/// A body that is too large for memory, being written to a file of its own. Not durable before finish().
/// Dropping it unfinished removes the file.
class spool_file {
public:
  spool_file(spool_file&&) noexcept;
  spool_file& operator=(spool_file&&) noexcept;
  ~spool_file();
  result<void> append(std::string_view octets);
  /// Fills `into` from `offset`; fewer octets only at the end.
  result<std::size_t> read(std::uint64_t offset, std::span<char> into) const;
  /// Syncs the file and its folder entry. The body is removed again with this object unless an add_message took it
  /// over: keep the object until that one is answered.
  result<spooled_body> finish();

private:
  friend class shard;
  struct state;
  explicit spool_file(std::unique_ptr<state> s);
  std::unique_ptr<state> state_;
};

/// Octets of a stored body, in pieces. Keeps the file open, so that compaction never pulls it away.
class body_reader {
public:
  body_reader(body_reader&&) noexcept;
  body_reader& operator=(body_reader&&) noexcept;
  ~body_reader();
  std::uint64_t size_bytes() const noexcept;
  /// Fills `into` from `offset`; returns the octets read, fewer only at the end of the body. With `only_cached`,
  /// errc::unavailable where the page cache does not have them (RWF_NOWAIT): try again on a thread that may block.
  /// A reader that sees the whole body front to back checks its checksum: errc::corrupted at the last piece.
  result<std::size_t> read(std::uint64_t offset, std::span<char> into, bool only_cached = false);

private:
  friend class shard;
  struct state;
  explicit body_reader(std::unique_ptr<state> s);
  std::unique_ptr<state> state_;
};

struct shard_statistics {
  std::uint64_t commits = 0;
  std::uint64_t mutations = 0;
  std::uint64_t map_bytes = 0;
  std::uint64_t map_used_bytes = 0;
  std::uint64_t segment_bytes = 0;      ///< all segments
  std::uint64_t segment_dead_bytes = 0; ///< of bodies that nobody refers to any more
  std::uint64_t oldest_reader_age_commits = 0;
};

class shard {
public:
  /// Opens the shard, making it where the folder is empty or missing. Finishes or undoes what a crash interrupted.
  /// Refuses network file systems, unknown schema versions and damaged meta data with a sentence that says what to do.
  static result<std::unique_ptr<shard>> open(shard_options options);
  ~shard();

  /// Carries out `batch` as one commit: bodies appended and synced, index committed and synced, then the answers, one
  /// for each mutation. A mutation that fails has no effect and does not disturb the others. If the commit itself
  /// fails, all answers carry that failure (disk_full, unavailable) and nothing of the batch has happened.
  std::vector<result<outcome>> apply(std::span<const mutation> batch);

  result<read_view> read() const;
  result<body_reader> open_body(const body_row& where) const;
  result<spool_file> start_spool();

  /// Frees the disk space of dead bodies: moves what lives out of the emptiest segment, about `budget_bytes` of copying
  /// in one call, and removes the file once nothing in it lives. Returns the octets that were moved or freed; 0:
  /// nothing is worth doing.
  result<std::uint64_t> compact(std::uint64_t budget_bytes);

  /// disk_full when a new message should be refused now (asked before a body is accepted).
  result<void> admits(std::uint64_t body_bytes) const;
  shard_statistics statistics() const;
  /// The index as text: the same for two shards that were given the same mutations, however they were grouped.
  result<std::string> dump() const;
  const std::filesystem::path& folder() const noexcept;

private:
  explicit shard(shard_options options);
  struct state;
  std::unique_ptr<state> state_;
};

} // namespace merpati::storage
