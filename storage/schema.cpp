#include "storage/schema.hpp"

#include "base/crypto.hpp"
#include "storage/limits.hpp"

namespace merpati::storage::schema {

namespace {

constexpr std::size_t longest_plain_name = 440;
constexpr std::size_t longest_text = 1 << 20;

/// `row` when everything was read and nothing is left over.
template <class T>
std::optional<T> whole(const decoder& d, T&& row) {
  return d.done() ? std::optional<T>(std::forward<T>(row)) : std::nullopt;
}

key append_name(key k, std::string_view name) {
  if (name.size() <= longest_plain_name)
    return k.u8(0).text(name);
  auto digest = crypto::sha256(name);
  return k.u8(1).text(name.substr(0, 400)).text(crypto::as_text(digest));
}

} // namespace

key name_key(std::string_view name) {
  return append_name(key(), name);
}
key owned_name_key(account_id account, std::string_view name) {
  return append_name(key().u64(account.value), name);
}

void put_account_row(encoder& e, const account_row& row) {
  e.varint(row.id.value).text(row.name).text(row.password_hash).text(row.scram_salt).text(row.scram_stored_key);
  e.text(row.scram_server_key).varint(row.scram_iterations).u8(row.enabled).varint(row.shard);
  e.varint(row.quota_bytes).varint(row.quota_messages);
}

account_row take_account_row(decoder& d) {
  account_row row;
  row.id = account_id(d.varint());
  row.name = d.text(longest_text);
  row.password_hash = d.text(longest_text);
  row.scram_salt = d.text(longest_text);
  row.scram_stored_key = d.text(longest_text);
  row.scram_server_key = d.text(longest_text);
  row.scram_iterations = d.varint32();
  row.enabled = d.boolean();
  row.shard = d.varint32();
  row.quota_bytes = d.varint();
  row.quota_messages = d.varint();
  return row;
}

std::string encode(const account_row& row) {
  std::string out;
  encoder e(out);
  put_account_row(e, row);
  return out;
}

std::optional<account_row> decode_account(std::string_view key, std::string_view value) {
  decoder d(value);
  auto row = take_account_row(d);
  if (key.size() != 8 || big64(key) != row.id.value)
    return std::nullopt;
  return whole(d, std::move(row));
}

std::string encode(const mailbox_row& row) {
  std::string out;
  encoder e(out);
  e.varint(row.account.value).text(row.name).varint(row.uid_validity).varint(row.uid_next.value);
  e.varint(row.highest_modseq.value).varint(row.special_use).u8(row.subscribed).varint(row.messages);
  e.varint(row.unseen).varint(row.deleted).varint(row.size_bytes).varint(row.keywords.size());
  for (const auto& k : row.keywords)
    e.text(k);
  return out;
}

std::optional<mailbox_row> decode_mailbox(std::string_view key, std::string_view value) {
  if (key.size() != 8)
    return std::nullopt;
  decoder d(value);
  mailbox_row row;
  row.id = mailbox_id(big64(key));
  row.account = account_id(d.varint());
  row.name = d.text(longest_text);
  row.uid_validity = d.varint32();
  row.uid_next = uid(d.varint32());
  row.highest_modseq = modseq(d.varint());
  row.special_use = d.varint32();
  row.subscribed = d.boolean();
  row.messages = d.varint32();
  row.unseen = d.varint32();
  row.deleted = d.varint32();
  row.size_bytes = d.varint();
  for (auto n = d.count(keywords_per_mailbox); n > 0; --n)
    row.keywords.emplace_back(d.text(longest_text));
  return whole(d, std::move(row));
}

std::string encode(const message_row& row) {
  std::string out;
  out.reserve(56);
  encoder e(out);
  e.u8(row.flags).varint(row.keywords).varint(row.changed.value).varint(row.body.value).varint(row.size_bytes);
  e.time(row.internal_date).time(row.save_date).varint(row.email);
  // A message that starts a thread of its own has its email id as thread id; that is the common case.
  e.u8(row.thread == row.email);
  if (row.thread != row.email)
    e.u64(row.thread);
  return out;
}

std::optional<message_row> decode_message(std::string_view key, std::string_view value) {
  if (key.size() != 12)
    return std::nullopt;
  decoder d(value);
  message_row row;
  row.id = uid(big32(key.substr(8)));
  row.flags = d.u8();
  row.keywords = d.varint();
  row.changed = modseq(d.varint());
  row.body = body_id(d.varint());
  row.size_bytes = d.varint();
  row.internal_date = d.time();
  row.save_date = d.time();
  row.email = d.varint();
  row.thread = d.boolean() ? row.email : d.u64();
  return whole(d, std::move(row));
}

std::string encode(const body_row& row) {
  std::string out;
  out.reserve(32);
  encoder(out).varint(row.size_bytes).u64(row.checksum).varint(row.references).varint(row.segment).varint(row.offset);
  return out;
}

std::optional<body_row> decode_body(std::string_view key, std::string_view value) {
  if (key.size() != 8)
    return std::nullopt;
  decoder d(value);
  body_row row;
  row.id = body_id(big64(key));
  row.size_bytes = d.varint();
  row.checksum = d.u64();
  row.references = d.varint32();
  row.segment = d.varint32();
  row.offset = d.varint();
  return whole(d, std::move(row));
}

std::string encode(const waiting_row& row) {
  std::string out;
  encoder(out).varint(row.body.value).text(row.destination).time(row.next_due).text(row.details);
  return out;
}

std::optional<waiting_row> decode_waiting(std::string_view key, std::string_view value) {
  if (key.size() != 8)
    return std::nullopt;
  decoder d(value);
  waiting_row row;
  row.id = waiting_id(big64(key));
  row.body = body_id(d.varint());
  row.destination = d.text(longest_text);
  row.next_due = d.time();
  row.details = d.text(longest_text);
  return whole(d, std::move(row));
}

std::string encode(const usage_row& row) {
  std::string out;
  encoder(out).varint(row.quota.bytes).varint(row.quota.messages).varint(row.mailboxes);
  return out;
}

std::optional<usage_row> decode_usage(std::string_view value) {
  decoder d(value);
  usage_row row;
  row.quota.bytes = d.varint();
  row.quota.messages = d.varint();
  row.mailboxes = d.varint32();
  return whole(d, std::move(row));
}

std::string encode(const counters& row) {
  std::string out;
  encoder e(out);
  e.varint(row.next_account).varint(row.next_mailbox).varint(row.next_body).varint(row.next_waiting);
  e.varint(row.uid_validity_high);
  return out;
}

std::optional<counters> decode_counters(std::string_view value) {
  decoder d(value);
  counters row;
  row.next_account = d.varint();
  row.next_mailbox = d.varint();
  row.next_body = d.varint();
  row.next_waiting = d.varint();
  row.uid_validity_high = d.varint();
  return whole(d, std::move(row));
}

std::string encode(const segment_row& row) {
  std::string out;
  encoder(out).varint(row.end_bytes).varint(row.dead_bytes);
  return out;
}

std::optional<segment_row> decode_segment(std::string_view value) {
  decoder d(value);
  segment_row row;
  row.end_bytes = d.varint();
  row.dead_bytes = d.varint();
  return whole(d, std::move(row));
}

std::string encode(const delivery_row& row) {
  std::string out;
  encoder e(out);
  e.time(row.when).varint(row.answer.places.size());
  for (const auto& p : row.answer.places)
    e.varint(p.mailbox.value).varint(p.uid_validity).varint(p.id.value).varint(p.changed.value);
  e.varint(row.answer.waiting.size());
  for (auto w : row.answer.waiting)
    e.varint(w.value);
  return out;
}

std::optional<delivery_row> decode_delivery(std::string_view value) {
  decoder d(value);
  delivery_row row;
  row.when = d.time();
  for (auto n = d.count(storage_limits.targets); n > 0 && d.ok(); --n) {
    placed p;
    p.mailbox = mailbox_id(d.varint());
    p.uid_validity = d.varint32();
    p.id = uid(d.varint32());
    p.changed = modseq(d.varint());
    row.answer.places.push_back(p);
  }
  for (auto n = d.count(storage_limits.targets); n > 0 && d.ok(); --n)
    row.answer.waiting.emplace_back(d.varint());
  return whole(d, std::move(row));
}

std::string encode_named(std::string_view name, std::string_view settings) {
  std::string out;
  encoder(out).text(name).text(settings);
  return out;
}

std::optional<domain_row> decode_domain(std::string_view value) {
  decoder d(value);
  domain_row row;
  row.name = d.text(longest_text);
  row.settings = d.text(longest_text);
  return whole(d, std::move(row));
}

std::optional<address_row> decode_address(std::string_view value) {
  decoder d(value);
  address_row row;
  row.address = d.text(longest_text);
  row.settings = d.text(longest_text);
  return whole(d, std::move(row));
}

std::string encode_number(std::uint64_t v) {
  std::string out;
  encoder(out).varint(v);
  return out;
}

std::optional<std::uint64_t> decode_number(std::string_view value) {
  decoder d(value);
  auto v = d.varint();
  return whole(d, std::move(v));
}

} // namespace merpati::storage::schema
