// The index of one shard: RAII over LMDB, a checksum in every stored value, growth of the map, recovery from panic.
//
// Inside storage/ an LMDB failure or a damaged value unwinds as the exception `failure`, because it ends the whole
// transaction whatever called whom; the public functions of shard, read_view and fsck turn it into a result.
#pragma once

#include <array>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>

#include "base/result.hpp"
#include "storage/codec.hpp"

struct MDB_env;
struct MDB_txn;
struct MDB_cursor;

namespace merpati::storage {

/// Tables of the index. The number is part of each key and of each value's checksum, and is never given to another
/// table. What changes together shares an LMDB tree: a commit writes one path of each tree it touches, and a disk takes
/// nearly as long for each page of them as for the sync itself (docs/performance.md).
enum class table : std::uint8_t {
  meta,
  accounts,
  account_names,
  domains,
  addresses,
  mailboxes,
  mailbox_names,
  subscriptions,
  messages,
  changes,
  bodies,
  summaries,
  quotas,
  waiting,
  waiting_due,
  deliveries,
  delivery_ages,
  segments,
  doomed,
};
inline constexpr std::size_t table_count = 19;
inline constexpr std::size_t tree_count = 5;
/// For people.
std::string_view table_name(table t) noexcept;

/// Unwinds a transaction; see the head of this file.
struct failure {
  error why;
  bool map_full = false; ///< the map is full: grow it and do the transaction again
};

/// Octets behind every stored value: 5 of the commit that wrote it, 4 of checksum over table, key, value and commit.
inline constexpr std::size_t trailer_bytes = 9;
/// The value without its trailer, and the commit that wrote it; nothing when the checksum does not match.
struct checked_value {
  std::string_view payload;
  std::uint64_t commit = 0;
};
std::optional<checked_value> check_value(table t, std::string_view key, std::string_view stored) noexcept;

/// A row by what LMDB holds of it, for whoever reads pages without their trees; nothing when no table claims it.
struct located_row {
  table where;
  std::string key;
  checked_value value;
};
std::optional<located_row> locate_row(std::string_view raw_key, std::string_view stored);

class lmdb_env;

/// A read or write transaction. A write transaction that is dropped without commit() leaves no trace. Belongs to one
/// thread at a time.
class transaction {
public:
  transaction(transaction&&) noexcept;
  transaction& operator=(transaction&&) = delete;
  ~transaction();

  /// Nothing where the key is missing; a failure with errc::corrupted where the checksum does not match. The view
  /// lives until the next write in this transaction, or its end.
  std::optional<std::string_view> get(table t, std::string_view key) const;
  bool has(table t, std::string_view key) const { return get(t, key).has_value(); }
  /// `ascending`: the key is expected behind all others of the table, which is quicker and packs pages full.
  void put(table t, std::string_view key, std::string_view payload, bool ascending = false);
  /// False when there was none.
  bool erase(table t, std::string_view key);
  /// Every entry from `from` on in key order, until `each` returns false. Nothing is written while it runs.
  void scan(table t, std::string_view from,
            const std::function<bool(std::string_view key, std::string_view payload)>& each) const;
  /// As scan, but hands over entries that fail their checksum too: `payload` is nothing then, `stored` the octets.
  void scan_raw(table t, std::string_view from,
                const std::function<bool(std::string_view key, std::optional<std::string_view> payload,
                                         std::string_view stored)>& each) const;
  /// Of a table whose keys do not begin with a mailbox or body (see key_layout in lmdb_transaction.cpp).
  std::optional<std::string> last_key(table t) const;

  std::uint64_t number() const noexcept; ///< of the commit that this one reads or makes
  std::uint64_t writes() const noexcept { return writes_; }
  /// Pages that earlier commits freed and that can be used again. Only in a read transaction.
  std::uint64_t free_pages() const;
  void commit();

private:
  friend class lmdb_env;
  transaction(lmdb_env& env, bool write);
  unsigned tree_of(table t) const noexcept;
  lmdb_env* env_;
  MDB_txn* txn_ = nullptr;
  bool write_;
  std::uint64_t writes_ = 0;
};

struct env_options {
  std::filesystem::path folder;
  std::uint64_t initial_map_bytes = 0;
  std::uint64_t max_map_bytes = 0;
  bool read_only = false;
};

class lmdb_env {
public:
  /// Opens the environment in `folder` and its trees, making both where they are missing (not when read-only).
  static result<std::unique_ptr<lmdb_env>> open(env_options options);
  ~lmdb_env();

  result<transaction> begin_read();
  /// One at a time. errc::unavailable after a panic that reopening could not mend.
  result<transaction> begin_write();

  std::uint64_t map_bytes() const;
  std::uint64_t used_bytes() const; ///< end of the last page that was ever used; free pages are not taken off
  std::uint64_t last_commit() const;
  std::uint64_t oldest_reader_commit() const;
  std::uint64_t page_bytes() const noexcept { return page_bytes_; }
  /// Doubles the map, at least to `at_least`, at most to the maximum. Waits for readers up to `patience`: errc::in_use
  /// when they don't leave, disk_full when the map cannot grow any more. No transaction of the caller may be open.
  result<void> grow(std::uint64_t at_least, std::chrono::milliseconds patience);
  /// After a commit that failed: closes and opens the environment again where it is in panic, and says whether `number`
  /// was committed after all (and then makes sure that it is on disk).
  result<bool> recover(std::uint64_t number);
  result<void> sync();

private:
  friend class transaction;
  explicit lmdb_env(env_options options) : options_(std::move(options)) {}
  result<void> open_env(std::uint64_t map_bytes);
  void close_env() noexcept;
  bool enter(std::chrono::milliseconds patience);
  void leave() noexcept;
  result<void> alone(std::chrono::milliseconds patience, const std::function<result<void>()>& work);

  env_options options_;
  MDB_env* env_ = nullptr;
  std::array<unsigned, tree_count> trees_{};
  std::uint64_t page_bytes_ = 4096;

  // Resizing and reopening need the environment alone. Readers may end on another thread than they began on, so this
  // is a counter and not a shared mutex.
  mutable std::mutex gate_;
  std::condition_variable gate_changed_;
  unsigned inside_ = 0;
  bool closed_to_new_ = false;
};

} // namespace merpati::storage
