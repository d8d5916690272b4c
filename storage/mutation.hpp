// Every change of a shard, as plain, serialisable, deterministic data: time, random values and ids that come from
// outside are inputs. shard::apply is the one function that carries them out. Replication will ship these.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "base/result.hpp"
#include "storage/rows.hpp"

namespace merpati::storage {

/// Names one hand-over for good: carrying out a mutation with a known id answers what the first time answered.
using delivery_id = std::array<std::uint8_t, 16>;

/// A body that arrived in a file of its own (see shard::start_spool), complete and synced.
struct spooled_body {
  std::string file; ///< name inside the shard's spool folder
  std::uint64_t size_bytes = 0;
  std::uint64_t checksum = 0;
  bool operator==(const spooled_body&) const = default;
};

/// The octets of a message, in memory (shared, never changed) or in a spool file.
using body_source = std::variant<std::shared_ptr<const std::string>, spooled_body>;

/// What stands before the octets of a message for some of its recipients (their list's fields, say). Each front that is
/// used makes one body, which all mailboxes and waiting rows with that front share.
struct front {
  std::string header;  ///< whole lines, or nothing
  std::string summary; ///< of header and body together, written by the caller's summary function; opaque here
};

/// Which mailbox a new message goes to. A mailbox that is missing is made for `account` if `create` is set
/// (delivery); else it answers errc::not_found (APPEND).
struct target {
  account_id account;
  mailbox_id mailbox; ///< by id, or none: by `name`
  std::string name = "INBOX";
  bool create = false;
  std::uint32_t front = 0; ///< index into add_message::fronts
  std::uint8_t flags = 0;
  std::vector<std::string> keywords;
  bool skip_when_full = false; ///< over quota: passed over, instead of failing the whole mutation with over_quota
};

/// Who waits for the body of this add_message on the way out; see waiting_row.
struct new_waiting {
  std::string destination;
  timestamp next_due;
  std::string details;
  std::uint32_t front = 0; ///< index into add_message::fronts
};

/// A message into any number of mailboxes and of waiting-list rows: all of it or nothing.
struct add_message {
  delivery_id delivery{}; ///< all zero: none (APPEND)
  body_source body;
  std::vector<front> fronts;    ///< at least one
  std::uint64_t thread_key = 0; ///< hash of the thread's root Message-ID; 0: none
  timestamp now;                ///< save date
  timestamp internal_date;
  std::vector<target> targets;
  std::vector<new_waiting> waiting;
};

/// Messages that a client adds together (RFC 3502), or one in the place of another (RFC 8508): all of it or nothing.
struct append_messages {
  std::vector<add_message> messages; ///< at most storage_limits.list_items
  mailbox_id replaced_in;            ///< none: nothing is replaced
  uid replaced;                      ///< errc::not_found when it is not there (any more)
};

/// RFC 9051 6.4.6 and RFC 7162 3.1.3.
struct store_flags {
  enum class mode : std::uint8_t { replace, add, remove };
  mailbox_id mailbox;
  std::vector<uid> uids; ///< ascending; unknown ones are passed over
  mode how = mode::add;
  std::uint8_t flags = 0;
  std::vector<std::string> keywords;
  std::optional<modseq> unchanged_since;
};

/// Removes messages for good and leaves tombstones.
struct expunge {
  mailbox_id mailbox;
  std::vector<uid> uids;    ///< ascending; unknown ones are passed over
  bool only_deleted = true; ///< only those with \Deleted
};

/// COPY, or MOVE when `remove_source`. Same account or not, same shard.
struct copy_messages {
  mailbox_id from;
  mailbox_id to;
  std::vector<uid> uids; ///< ascending; unknown ones are passed over
  bool remove_source = false;
  timestamp now;
};

struct create_mailbox {
  account_id account;
  std::string name; ///< missing parents are made too
  std::uint32_t special_use = 0;
  std::uint32_t uid_validity = 0; ///< from the caller's clock; raised where needed so that it is never used twice
  bool subscribed = false;
};
struct delete_mailbox {
  mailbox_id mailbox; ///< INBOX: errc::not_permitted
};
struct rename_mailbox {
  mailbox_id mailbox; ///< children move along; INBOX: its messages move and it stays (RFC 9051 6.3.6)
  std::string new_name;
  std::uint32_t uid_validity = 0;
};
struct subscribe {
  account_id account;
  std::string name; ///< need not exist (RFC 9051 6.3.7)
  bool on = true;
};

struct put_account {
  account_row account; ///< id none: a new one, errc::already_exists when the name is taken
};
struct delete_account {
  account_id account; ///< with its mailboxes
};
struct put_domain {
  domain_row domain;
};
struct delete_domain {
  std::string name;
};
struct put_address {
  address_row address;
};
struct delete_address {
  std::string address;
};

/// A row of the waiting list whose message goes into a mailbox here after all: the body stays where it is.
struct waiting_delivery {
  waiting_id id;
  account_id account; ///< into its INBOX, which is made where it is missing
  timestamp now;      ///< internal date and save date
};

/// Changes rows of the waiting list together: removals, new due times, messages (DSNs) that replace them, and
/// deliveries, which end a row unless the mailbox is full.
struct update_waiting {
  std::vector<waiting_row> put; ///< known ids only
  std::vector<waiting_id> remove;
  std::vector<add_message> replacements;
  std::vector<waiting_delivery> deliver; ///< outcome::places has them behind those of `replacements`
};

/// Forgets delivery ids older than `before`.
struct expire_deliveries {
  timestamp before;
};

using mutation = std::variant<add_message, store_flags, expunge, copy_messages, create_mailbox, delete_mailbox,
                              rename_mailbox, subscribe, put_account, delete_account, put_domain, delete_domain,
                              put_address, delete_address, update_waiting, expire_deliveries, append_messages>;

/// A message's place after add_message, one for each target in order. `id` none: skipped, over quota.
struct placed {
  mailbox_id mailbox;
  std::uint32_t uid_validity = 0;
  uid id;
  modseq changed;
  bool operator==(const placed&) const = default;
};

/// What a mutation did. Only the fields that make sense for it are filled.
struct outcome {
  std::vector<placed> places;      ///< add_message, append_messages, in the order of messages and targets
  std::vector<waiting_id> waiting; ///< add_message, in the order of `waiting`
  std::vector<uid> uids;           ///< store_flags, expunge, copy_messages: those that were changed, ascending
  std::vector<uid> failed;         ///< store_flags with unchanged_since: those that were not (MODIFIED)
  std::vector<uid> new_uids;       ///< copy_messages: beside `uids`, their UIDs in the new mailbox
  modseq changed;                  ///< MODSEQ of this mutation
  mailbox_id mailbox;              ///< create_mailbox, copy_messages: the (target) mailbox
  std::uint32_t uid_validity = 0;  ///< of `mailbox`
  account_id account;              ///< put_account
  bool repeated = false;           ///< add_message with a delivery id that was carried out before
  std::vector<mailbox_id> touched; ///< mailboxes whose rows, counters or names changed: tell who has them open
};

/// One octet string that deserialise() reads back; bodies in memory travel inside it.
std::string serialise(const mutation& m);
result<mutation> deserialise(std::string_view bytes);

} // namespace merpati::storage
