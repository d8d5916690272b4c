// Compares everything in a shard with everything else; private to fsck. Findings may carry a repair.
#pragma once

#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "storage/fsck.hpp"
#include "storage/lmdb_env.hpp"
#include "storage/schema.hpp"
#include "storage/shard_state.hpp"

namespace merpati::storage {

class examiner {
public:
  examiner(const shard_options& options, const transaction& txn, const summary_function& summarise,
           const progress_function& progress);

  /// Reads everything. Throws `failure` only where the index can't be walked at all.
  void examine();
  /// Carries out the repairs that examine() found, in `txn`, and marks their findings.
  void repair(transaction& txn);
  fsck_report& report() noexcept { return report_; }

private:
  using fix = std::function<void(transaction&)>;
  struct box_facts {
    mailbox_row row;
    bool stored = false; ///< there is a readable row
    bool named = false;  ///< some name leads to it
    std::uint32_t messages = 0;
    std::uint32_t unseen = 0;
    std::uint32_t deleted = 0;
    std::uint64_t size_bytes = 0;
    std::uint64_t keywords = 0;
    uid last_uid;
    modseq last_change;
    std::vector<std::pair<modseq, uid>> vanished; ///< changes of messages that are not there
  };

  void note(std::string where, std::string what, fix how = {});
  void walk(table t, const std::function<bool(std::string_view key, std::string_view payload)>& row_is_good);
  void set_aside(table t, std::string_view key, std::string_view stored);

  void check_meta();
  void check_accounts();
  void check_named_rows();
  void check_mailboxes();
  void check_mailbox_names();
  void check_messages();
  void check_changes();
  void check_waiting();
  void check_deliveries();
  void check_bodies();
  void check_body_octets(const body_row& row);
  void check_summaries();
  void check_orphans();
  void check_segments();
  void check_usage();
  void check_counters();
  void finish_mailboxes();
  void recover_mailbox(std::uint64_t id, box_facts& facts);
  void resummarise(body_id id);
  std::optional<std::string> octets_of(const body_row& row);

  shard_options options_;
  shard_paths paths_;
  const transaction& txn_;
  const summary_function& summarise_;
  const progress_function& progress_;
  fsck_report report_;
  std::vector<std::pair<std::size_t, fix>> fixes_; ///< by number of finding

  schema::counters seen_; ///< one above the highest of each kind that is in use
  schema::counters stored_;
  bool have_counters_ = false;
  std::map<std::uint64_t, account_row> accounts_;
  std::map<std::uint64_t, box_facts> boxes_;
  std::unordered_map<std::uint64_t, std::uint32_t> references_; ///< body id: rows that hold it
  std::unordered_map<std::uint64_t, body_row> bodies_;
  std::unordered_set<std::uint64_t> summaries_;
  std::map<std::uint32_t, std::uint64_t> live_; ///< segment: octets of records that live
  std::map<std::uint32_t, io::file> open_segments_;
};

} // namespace merpati::storage
