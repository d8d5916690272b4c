// Transactions: where a row of a table lies in LMDB's trees, and the checksum in every value.
#include <bit>
#include <cstring>
#include <utility>

#include "base/crypto.hpp"
#include "storage/io.hpp"
#include "storage/lmdb_support.hpp"

namespace merpati::storage {

namespace {

/// Which tree a table is in, and where in its keys its number stands: in front, or behind the id of the mailbox or body
/// that they begin with, so that what belongs together is side by side.
struct key_layout {
  tree in;
  std::size_t mark_at;
};
constexpr std::size_t behind_id = 8;
constexpr std::array<key_layout, table_count> layouts{{
    {tree::state, 0},           // meta
    {tree::directory, 0},       // accounts
    {tree::directory, 0},       // account_names
    {tree::directory, 0},       // domains
    {tree::directory, 0},       // addresses
    {tree::mail, behind_id},    // mailboxes
    {tree::directory, 0},       // mailbox_names
    {tree::directory, 0},       // subscriptions
    {tree::mail, behind_id},    // messages
    {tree::mail, behind_id},    // changes
    {tree::content, behind_id}, // bodies
    {tree::content, behind_id}, // summaries
    {tree::state, 0},           // quotas
    {tree::transit, 0},         // waiting
    {tree::transit, 0},         // waiting_due
    {tree::transit, 0},         // deliveries
    {tree::transit, 0},         // delivery_ages
    {tree::state, 0},           // segments
    {tree::state, 0},           // doomed
}};

const key_layout& layout_of(table t) noexcept {
  return layouts[static_cast<std::size_t>(t)];
}

/// A key with its table's number in place. One that ends before that place stays as it is: a place to seek to.
key raw_key(table t, std::string_view k) noexcept {
  auto at = layout_of(t).mark_at;
  key raw;
  if (k.size() < at)
    return raw.text(k);
  return raw.text(k.substr(0, at)).u8(static_cast<std::uint8_t>(t)).text(k.substr(at));
}

std::string without_mark(std::string_view raw, std::size_t mark_at) {
  std::string out(raw.substr(0, mark_at));
  return out += raw.substr(mark_at + 1);
}

constexpr std::array<std::string_view, table_count> names{
    "meta", "accounts",   "account_names", "domains",  "addresses", "mailboxes", "mailbox_names",
    "subs", "messages",   "changes",       "bodies",   "summaries", "quotas",    "waiting",
    "due",  "deliveries", "delivery_ages", "segments", "doomed"};

MDB_val as_val(std::string_view s) noexcept {
  return {s.size(), const_cast<char*>(s.data())};
}

struct cursor_closer {
  void operator()(MDB_cursor* c) const { mdb_cursor_close(c); }
};
using cursor_ptr = std::unique_ptr<MDB_cursor, cursor_closer>;
std::string_view as_view(const MDB_val& v) noexcept {
  return {static_cast<const char*>(v.mv_data), v.mv_size};
}

std::uint32_t value_checksum(table t, std::string_view key, std::string_view body) noexcept {
  auto sum = crypto::checksum(body) ^ std::rotl(crypto::checksum(key), 23)
             ^ (static_cast<std::uint64_t>(t) + 1) * 0x9e3779b97f4a7c15ull;
  return static_cast<std::uint32_t>(sum ^ sum >> 32);
}

failure damaged(table t, std::string_view key) {
  return {{errc::corrupted, fmt::format("a row of table {} is damaged (key {:02x}): run merpati fsck", table_name(t),
                                        fmt::join(std::basic_string_view<unsigned char>(
                                                      reinterpret_cast<const unsigned char*>(key.data()), key.size()),
                                                  ""))}};
}

} // namespace

std::string_view table_name(table t) noexcept {
  return names[static_cast<std::size_t>(t)];
}

std::optional<checked_value> check_value(table t, std::string_view key, std::string_view stored) noexcept {
  if (stored.size() < trailer_bytes)
    return std::nullopt;
  auto body = stored.substr(0, stored.size() - 4);
  std::uint32_t expected = 0;
  std::memcpy(&expected, stored.data() + body.size(), 4);
  if (expected != value_checksum(t, key, body))
    return std::nullopt;
  std::uint64_t commit = 0;
  std::memcpy(&commit, stored.data() + stored.size() - trailer_bytes, 5);
  return checked_value{stored.substr(0, stored.size() - trailer_bytes), commit};
}

std::optional<located_row> locate_row(std::string_view raw, std::string_view stored) {
  for (std::size_t at : {std::size_t{0}, behind_id}) {
    auto number = at < raw.size() ? static_cast<unsigned char>(raw[at]) : table_count;
    if (number >= table_count || layouts[number].mark_at != at)
      continue;
    auto t = static_cast<table>(number);
    auto key = without_mark(raw, at);
    if (auto value = check_value(t, key, stored))
      return located_row{t, std::move(key), *value};
  }
  return std::nullopt;
}

transaction::transaction(lmdb_env& env, bool write) : env_(&env), write_(write) {}
transaction::transaction(transaction&& other) noexcept
    : env_(std::exchange(other.env_, nullptr)),
      txn_(std::exchange(other.txn_, nullptr)),
      write_(other.write_),
      writes_(other.writes_) {}
transaction::~transaction() {
  if (txn_)
    mdb_txn_abort(txn_);
  if (env_)
    env_->leave();
}

unsigned transaction::tree_of(table t) const noexcept {
  return env_->trees_[static_cast<std::size_t>(layout_of(t).in)];
}

std::optional<std::string_view> transaction::get(table t, std::string_view key) const {
  auto raw = raw_key(t, key);
  auto k = as_val(raw);
  MDB_val v{};
  int rc = mdb_get(txn_, tree_of(t), &k, &v);
  if (rc == MDB_NOTFOUND)
    return std::nullopt;
  require(rc, "read");
  auto value = check_value(t, key, as_view(v));
  if (!value)
    throw damaged(t, key);
  return value->payload;
}

void transaction::put(table t, std::string_view key, std::string_view payload, bool ascending) {
  ++writes_;
  auto raw = raw_key(t, key);
  auto k = as_val(raw);
  MDB_val v{payload.size() + trailer_bytes, nullptr};
  int rc = mdb_put(txn_, tree_of(t), &k, &v, MDB_RESERVE | (ascending ? MDB_APPEND : 0u));
  if (rc == MDB_KEYEXIST && ascending)
    rc = mdb_put(txn_, tree_of(t), &k, &v, MDB_RESERVE);
  require(rc, "write");
  auto* out = static_cast<char*>(v.mv_data);
  if (!payload.empty())
    std::memcpy(out, payload.data(), payload.size());
  auto commit = number();
  std::memcpy(out + payload.size(), &commit, 5);
  auto sum = value_checksum(t, key, {out, payload.size() + 5});
  std::memcpy(out + payload.size() + 5, &sum, 4);
}

bool transaction::erase(table t, std::string_view key) {
  ++writes_;
  auto raw = raw_key(t, key);
  auto k = as_val(raw);
  int rc = mdb_del(txn_, tree_of(t), &k, nullptr);
  if (rc == MDB_NOTFOUND)
    return false;
  require(rc, "delete");
  return true;
}

namespace {

/// Where a scan of `t` goes on from an entry of another table that it met; nothing: there is no more.
std::optional<key> next_of_table(table t, std::string_view met) {
  auto at = layout_of(t).mark_at;
  if (at == 0 || met.size() <= at)
    return std::nullopt; // tables with their number in front are one behind the other
  auto id = big64(met);
  if (static_cast<unsigned char>(met[at]) > static_cast<unsigned char>(t) && ++id == 0)
    return std::nullopt;
  return key().u64(id).u8(static_cast<std::uint8_t>(t));
}

} // namespace

void transaction::scan_raw(
    table t, std::string_view from,
    const std::function<bool(std::string_view, std::optional<std::string_view>, std::string_view)>& each) const {
  MDB_cursor* raw_cursor = nullptr;
  require(mdb_cursor_open(txn_, tree_of(t), &raw_cursor), "open a cursor");
  cursor_ptr cursor(raw_cursor);
  auto at = layout_of(t).mark_at;
  auto seek = raw_key(t, from);
  auto k = as_val(seek);
  MDB_val v{};
  int rc = mdb_cursor_get(cursor.get(), &k, &v, k.mv_size == 0 ? MDB_FIRST : MDB_SET_RANGE);
  std::string key;
  while (rc == MDB_SUCCESS) {
    auto met = as_view(k);
    if (met.size() > at && met[at] == static_cast<char>(t)) {
      key.assign(met.substr(0, at)).append(met.substr(at + 1));
      auto value = check_value(t, key, as_view(v));
      if (!each(key, value ? std::optional(value->payload) : std::nullopt, as_view(v)))
        return;
      rc = mdb_cursor_get(cursor.get(), &k, &v, MDB_NEXT);
    } else if (auto next = next_of_table(t, met)) {
      seek = *next;
      k = as_val(seek);
      rc = mdb_cursor_get(cursor.get(), &k, &v, MDB_SET_RANGE);
    } else {
      return;
    }
  }
  if (rc != MDB_NOTFOUND)
    require(rc, "walk");
}

void transaction::scan(table t, std::string_view from,
                       const std::function<bool(std::string_view, std::string_view)>& each) const {
  scan_raw(t, from, [&](std::string_view key, std::optional<std::string_view> payload, std::string_view) {
    if (!payload)
      throw damaged(t, key);
    return each(key, *payload);
  });
}

std::optional<std::string> transaction::last_key(table t) const {
  MDB_cursor* raw_cursor = nullptr;
  require(mdb_cursor_open(txn_, tree_of(t), &raw_cursor), "open a cursor");
  cursor_ptr cursor(raw_cursor);
  auto behind = key().u8(static_cast<std::uint8_t>(static_cast<unsigned>(t) + 1));
  auto k = as_val(behind);
  MDB_val v{};
  int rc = mdb_cursor_get(cursor.get(), &k, &v, MDB_SET_RANGE);
  rc = mdb_cursor_get(cursor.get(), &k, &v, rc == MDB_NOTFOUND ? MDB_LAST : MDB_PREV);
  if (rc != MDB_NOTFOUND)
    require(rc, "find the last entry");
  if (rc == MDB_NOTFOUND || as_view(k).front() != static_cast<char>(t))
    return std::nullopt;
  return without_mark(as_view(k), 0);
}

std::uint64_t transaction::number() const noexcept {
  return mdb_txn_id(txn_);
}

std::uint64_t transaction::free_pages() const {
  // LMDB keeps its list of free pages in table 0: each value is a count and as many page numbers.
  MDB_cursor* cursor = nullptr;
  require(mdb_cursor_open(txn_, 0, &cursor), "open a cursor");
  MDB_val k{};
  MDB_val v{};
  std::uint64_t total = 0;
  int rc = MDB_SUCCESS;
  while ((rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT)) == MDB_SUCCESS) {
    std::size_t count = 0;
    if (v.mv_size >= sizeof count)
      std::memcpy(&count, v.mv_data, sizeof count);
    total += count;
  }
  mdb_cursor_close(cursor);
  if (rc != MDB_NOTFOUND)
    require(rc, "count free pages");
  return total;
}

void transaction::commit() {
  if (int refused = io::ask_observer(io::call::commit, env_->options_.folder)) {
    mdb_txn_abort(std::exchange(txn_, nullptr));
    require(refused, "commit");
  }
  require(mdb_txn_commit(std::exchange(txn_, nullptr)), "commit");
}

} // namespace merpati::storage
