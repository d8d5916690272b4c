// How keys and values of the index are laid out; docs/storage-format.md says the same for people.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "storage/codec.hpp"
#include "storage/mutation.hpp"
#include "storage/rows.hpp"

namespace merpati::storage::schema {

/// Raised whenever a layout changes; a shard with another number is refused.
inline constexpr std::uint64_t version = 1;
inline constexpr std::string_view version_key = "version"; ///< in `meta`: the marker of an initialised shard
inline constexpr std::string_view counters_key = "counters";

/// What the shard numbers by itself. Nothing ever goes back.
struct counters {
  std::uint64_t next_account = 1;
  std::uint64_t next_mailbox = 1;
  std::uint64_t next_body = 1;
  std::uint64_t next_waiting = 1;
  std::uint64_t uid_validity_high = 0; ///< the highest UIDVALIDITY that any mailbox ever had
  bool operator==(const counters&) const = default;
};

/// One segment file, as far as it is committed.
struct segment_row {
  std::uint64_t end_bytes = 0;  ///< the file's committed length; what lies behind was never acknowledged
  std::uint64_t dead_bytes = 0; ///< records of bodies that are gone
  bool operator==(const segment_row&) const = default;
};

/// What an account uses.
struct usage_row {
  quota_usage quota;
  std::uint32_t mailboxes = 0;
  bool operator==(const usage_row&) const = default;
};

/// A delivery that was carried out, and what it answered.
struct delivery_row {
  timestamp when;
  outcome answer; ///< places and waiting only
};

enum class change_kind : std::uint8_t { changed = 1, expunged = 2 };

// Keys. All numbers big-endian.
inline key id_key(std::uint64_t id) {
  return key().u64(id);
}
inline key message_key(mailbox_id m, uid u) {
  return key().u64(m.value).u32(u.value);
}
inline key change_key(mailbox_id m, modseq c, uid u) {
  return key().u64(m.value).u64(c.value).u32(u.value);
}
/// Times as numbers that sort, those before 1970 too.
inline std::uint64_t sortable(timestamp t) {
  return static_cast<std::uint64_t>(t.time_since_epoch().count()) ^ std::uint64_t{1} << 63;
}
inline key due_key(timestamp due, waiting_id id) {
  return key().u64(sortable(due)).u64(id.value);
}
inline key age_key(timestamp when, std::string_view delivery) {
  return key().u64(sortable(when)).text(delivery);
}
inline key segment_key(std::uint32_t number) {
  return key().u32(number);
}
/// A text of any length as (part of) a key: up to 440 octets as they are, longer ones by their start and SHA-256.
key name_key(std::string_view name);
/// name_key of one account's name for a mailbox.
key owned_name_key(account_id account, std::string_view name);
inline std::string_view as_key(const delivery_id& id) {
  return {reinterpret_cast<const char*>(id.data()), id.size()};
}

// Values. Each decode answers nothing for octets that encode would not have written.
std::string encode(const account_row&);
std::string encode(const mailbox_row&);
std::string encode(const message_row&);
std::string encode(const body_row&);
std::string encode(const waiting_row&);
std::string encode(const usage_row&);
std::string encode(const counters&);
std::string encode(const segment_row&);
std::string encode(const delivery_row&);
/// Rows that are a name and a text: domains and addresses.
std::string encode_named(std::string_view name, std::string_view settings);
std::string encode_number(std::uint64_t v);

std::optional<account_row> decode_account(std::string_view key, std::string_view value);
std::optional<mailbox_row> decode_mailbox(std::string_view key, std::string_view value);
std::optional<message_row> decode_message(std::string_view key, std::string_view value);
std::optional<body_row> decode_body(std::string_view key, std::string_view value);
std::optional<waiting_row> decode_waiting(std::string_view key, std::string_view value);
std::optional<usage_row> decode_usage(std::string_view value);
std::optional<counters> decode_counters(std::string_view value);
std::optional<segment_row> decode_segment(std::string_view value);
std::optional<delivery_row> decode_delivery(std::string_view value);
std::optional<domain_row> decode_domain(std::string_view value);
std::optional<address_row> decode_address(std::string_view value);
std::optional<std::uint64_t> decode_number(std::string_view value);

// Row parts that mutations share on the wire.
void put_account_row(encoder& e, const account_row& row);
account_row take_account_row(decoder& d);

} // namespace merpati::storage::schema
