// Carries out mutations inside one write transaction. Rows that many mutations of a batch touch (mailboxes, usage,
// bodies, segments, counters) are kept here and written once, by flush().
//
// Each carry_out() checks before it writes. Where it fails all the same after a write (writes() tells), the caller
// drops the transaction and carries out the batch again without that mutation; so there is nothing to undo here.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "storage/lmdb_env.hpp"
#include "storage/mutation.hpp"
#include "storage/schema.hpp"

namespace merpati::storage {

/// A body that the batch has put on disk and that some add_message may use.
struct planned_body {
  body_row row;
  std::string_view summary;
  std::string_view header; ///< what stands before the octets of the mutation
  bool written = false;    ///< false: the mutation was known to need no body
};

/// The bodies of one add_message, one for each front that somebody uses.
struct message_plan {
  static constexpr std::size_t unused = SIZE_MAX;
  std::vector<std::size_t> of_front; ///< index into batch_plan::bodies, or `unused`
  std::optional<error> failed;       ///< its bodies could not be put on disk
};

struct batch_plan {
  std::vector<planned_body> bodies; ///< ids ascend
  std::unordered_map<const add_message*, message_plan> messages;
  std::uint64_t next_body = 0;
  std::optional<std::uint64_t> room; ///< octets that the disk still takes; asked once for the batch
};

class change_set {
public:
  change_set(transaction& txn, const batch_plan& plan);

  result<outcome> carry_out(const mutation& m);
  /// Writes what is kept here. After it only the transaction's commit remains.
  void flush();
  /// Grows with everything that is written or kept for writing.
  std::uint64_t writes() const noexcept { return txn_.writes() + writes_; }
  /// Files of large bodies that nobody refers to after the commit.
  const std::vector<body_id>& doomed() const noexcept { return doomed_; }
  /// Compaction: the octets of `body` are now at `segment`, `offset`.
  void move_body(const body_row& body, std::uint32_t segment, std::uint64_t offset);
  /// Compaction: the file is empty of live bodies and will be removed.
  void drop_segment(std::uint32_t number);

private:
  struct kept_mailbox {
    mailbox_row row;
    bool dirty = false;
    bool gone = false;
    std::uint64_t epoch = 0; ///< the mutation that took the last MODSEQ
  };
  struct kept_usage {
    schema::usage_row row;
    bool dirty = false;
  };
  struct kept_body {
    body_row row;
    bool dirty = false;
    bool fresh = false;
    std::string_view summary = {};
  };
  struct kept_segment {
    schema::segment_row row;
    bool dirty = false;
    bool gone = false;
  };

  // One for each mutation (apply_*.cpp).
  result<outcome> carry_out(const add_message& m);
  result<outcome> carry_out(const append_messages& m);
  result<outcome> carry_out(const store_flags& m);
  result<outcome> carry_out(const expunge& m);
  result<outcome> carry_out(const copy_messages& m);
  result<outcome> carry_out(const create_mailbox& m);
  result<outcome> carry_out(const delete_mailbox& m);
  result<outcome> carry_out(const rename_mailbox& m);
  result<outcome> carry_out(const subscribe& m);
  result<outcome> carry_out(const put_account& m);
  result<outcome> carry_out(const delete_account& m);
  result<outcome> carry_out(const put_domain& m);
  result<outcome> carry_out(const delete_domain& m);
  result<outcome> carry_out(const put_address& m);
  result<outcome> carry_out(const delete_address& m);
  result<outcome> carry_out(const update_waiting& m);
  result<outcome> carry_out(const expire_deliveries& m);

  // Mailboxes.
  const mailbox_row* find_mailbox(mailbox_id id);
  const mailbox_row* find_mailbox(account_id account, std::string_view name);
  mailbox_row& edit_mailbox(mailbox_id id);
  modseq next_modseq(mailbox_id id);
  result<mailbox_id> make_mailbox(account_id account, const std::string& name, std::uint32_t uid_validity,
                                  std::uint32_t special_use);
  void remove_mailbox(mailbox_id id);
  result<outcome> rename_inbox(const mailbox_row& inbox, const std::string& name, std::uint32_t uid_validity);
  /// The bits of `names` in the mailbox; new names are added.
  result<std::uint64_t> keyword_bits(mailbox_id id, const std::vector<std::string>& names);
  void touch(mailbox_id id);

  // Messages.
  std::vector<message_row> rows_of(mailbox_id id, const std::vector<uid>& uids) const;
  void count(mailbox_row& box, const message_row& row, int sign);
  void put_change(mailbox_id box, modseq changed, uid which, schema::change_kind kind);
  /// Gives UID and MODSEQ; the mailbox has a UID left.
  placed insert_message(mailbox_id id, message_row row);
  void remove_message(mailbox_id id, const message_row& row);
  result<outcome> copy_rows(mailbox_id from, mailbox_id to, const std::vector<message_row>& rows, bool remove,
                            std::optional<timestamp> save_date);
  /// Each of `messages` in turn; `done` gets their places and waiting rows.
  result<void> add_all(const std::vector<add_message>& messages, outcome& done);
  struct resolved_target;
  result<void> check_message(const add_message& m) const;
  result<std::vector<resolved_target>> resolve_targets(const add_message& m, const message_plan& plan);

  // Bodies, usage, counters.
  kept_body* find_body(body_id id);
  void use_body(body_id id);
  void use_planned(std::size_t index);
  void release_body(body_id id);
  void flush_body(kept_body& body);
  kept_usage& usage(account_id id);
  kept_segment& segment(std::uint32_t number);
  schema::counters& edit_counters();
  std::optional<account_row> find_account(account_id id) const;
  waiting_id insert_waiting(const new_waiting& w, body_id body);
  void remove_waiting(const waiting_row& row);
  result<placed> deliver(const waiting_delivery& what, const waiting_row& row);
  static bool fits(const account_row& account, const quota_usage& used, std::uint64_t bytes, std::uint64_t messages);

  transaction& txn_;
  const batch_plan& plan_;
  std::uint64_t writes_ = 0;
  std::uint64_t epoch_ = 0;
  std::vector<mailbox_id> touched_;
  schema::counters counters_;
  bool counters_dirty_ = false;
  std::unordered_map<mailbox_id, kept_mailbox> mailboxes_;
  std::unordered_map<account_id, kept_usage> usages_;
  std::map<body_id, kept_body> bodies_; // in order, so that new rows are appended
  std::map<std::uint32_t, kept_segment> segments_;
  std::vector<body_id> doomed_;
};

/// INBOX in capitals, whatever the case it came in (RFC 9051 5.1); errc::invalid for names that no mailbox can have.
result<std::string> canonical_mailbox_name(std::string_view name);

} // namespace merpati::storage
