// What the index holds, as plain values. storage/schema.cpp says how each is laid out on disk.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/ids.hpp"

namespace merpati::storage {

/// Flags that every mailbox has, as bits of message_row::flags (RFC 9051 2.3.2).
enum flag_bit : std::uint8_t {
  flag_seen = 1,
  flag_answered = 2,
  flag_flagged = 4,
  flag_deleted = 8,
  flag_draft = 16,
};

/// Keywords of one mailbox are numbered; a message holds a bit for each.
inline constexpr std::size_t keywords_per_mailbox = 64;

/// A message in a mailbox: what changes, and what a list of messages needs. 48 to 80 octets on disk.
struct message_row {
  uid id;
  std::uint8_t flags = 0;     ///< flag_bit values
  std::uint64_t keywords = 0; ///< bit n: mailbox_row::keywords[n]
  modseq changed;             ///< MODSEQ of the last change
  body_id body;
  std::uint64_t size_bytes = 0; ///< RFC822.SIZE
  timestamp internal_date;      ///< whole seconds are shown; kept in microseconds
  timestamp save_date;          ///< RFC 8514
  std::uint64_t email = 0;      ///< RFC 8474 EMAILID: the same for copies; never reused
  std::uint64_t thread = 0;     ///< RFC 8474 THREADID

  bool operator==(const message_row&) const = default;
};

/// A mailbox and its counters, kept current by every mutation so that STATUS costs one look-up.
struct mailbox_row {
  mailbox_id id;
  account_id account;
  std::string name; ///< UTF-8, levels separated by '/', INBOX in capitals
  std::uint32_t uid_validity = 0;
  uid uid_next{1};
  modseq highest_modseq{1};
  std::uint32_t special_use = 0; ///< special_use_bit values (RFC 6154)
  bool subscribed = false;
  std::uint32_t messages = 0;
  std::uint32_t unseen = 0;
  std::uint32_t deleted = 0;
  std::uint64_t size_bytes = 0;
  std::vector<std::string> keywords; ///< at most keywords_per_mailbox; position is the bit

  bool operator==(const mailbox_row&) const = default;
};

enum special_use_bit : std::uint32_t {
  use_archive = 1,
  use_drafts = 2,
  use_flagged = 4,
  use_junk = 8,
  use_sent = 16,
  use_trash = 32,
  use_all = 64,
  use_important = 128,
};

/// Someone who has mailboxes. Quota limits of 0 mean none.
struct account_row {
  account_id id;
  std::string name;          ///< canonical address, lower case: alice@example.org
  std::string password_hash; ///< Argon2id, PHC string form; empty: no login
  std::string scram_salt;
  std::string scram_stored_key; ///< RFC 5802 StoredKey for SCRAM-SHA-256
  std::string scram_server_key;
  std::uint32_t scram_iterations = 0;
  bool enabled = true;
  std::uint32_t shard = 0; ///< the shard that holds its mailboxes
  std::uint64_t quota_bytes = 0;
  std::uint64_t quota_messages = 0;

  bool operator==(const account_row&) const = default;
};

struct quota_usage {
  std::uint64_t bytes = 0;
  std::uint64_t messages = 0;
  bool operator==(const quota_usage&) const = default;
};

/// A domain that we receive mail for. `settings` belongs to the router, storage does not read it.
struct domain_row {
  std::string name; ///< A-labels, lower case
  std::string settings;
  bool operator==(const domain_row&) const = default;
};

/// An address that leads elsewhere (alias, list, catch-all, ...). `settings` belongs to the router.
struct address_row {
  std::string address; ///< canonical, lower case; "@example.org" is the domain's catch-all
  std::string settings;
  bool operator==(const address_row&) const = default;
};

/// One recipient of a message that waits (RFC 5321 4.5.4.1). `details` belongs to the queue; storage does not read it.
struct waiting_row {
  waiting_id id; ///< given by the shard, ascending
  body_id body;
  std::string destination; ///< key of the remote site
  timestamp next_due;
  std::string details;
  bool operator==(const waiting_row&) const = default;
};

/// Where the octets of a body are.
struct body_row {
  body_id id;
  std::uint64_t size_bytes = 0;
  std::uint64_t checksum = 0;   ///< crypto::checksum of the octets
  std::uint32_t references = 0; ///< message rows and waiting rows that hold it
  std::uint32_t segment = 0;    ///< segment number, or 0: a file of its own named after the id
  std::uint64_t offset = 0;     ///< of the first octet inside the segment
  bool operator==(const body_row&) const = default;
};

} // namespace merpati::storage
