#include "storage/lmdb_env.hpp"

#include <bit>
#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <lmdb.h>
#include <spdlog/fmt/fmt.h>

#include "base/crypto.hpp"
#include "base/log.hpp"
#include "storage/io.hpp"

namespace merpati::storage {

namespace {

constexpr std::array<std::string_view, table_count> names{
    "meta", "accounts",   "account_names", "domains",  "addresses", "mailboxes", "mailbox_names",
    "subs", "messages",   "changes",       "bodies",   "summaries", "quotas",    "waiting",
    "due",  "deliveries", "delivery_ages", "segments", "doomed"};

// LMDB's own default; more would only hide readers that are never closed.
constexpr unsigned reader_slots = 126;
// A reader waits this long for a map that grows. Growing itself takes microseconds once the other readers have left.
constexpr std::chrono::milliseconds reader_patience{10'000};

MDB_val as_val(std::string_view s) noexcept {
  return {s.size(), const_cast<char*>(s.data())};
}
std::string_view as_view(const MDB_val& v) noexcept {
  return {static_cast<const char*>(v.mv_data), v.mv_size};
}

error to_error(int rc, std::string_view action) {
  auto code = errc::unavailable;
  switch (rc) {
  case ENOSPC:
  case EDQUOT:
  case MDB_MAP_FULL: code = errc::disk_full; break;
  case MDB_CORRUPTED:
  case MDB_PAGE_NOTFOUND:
  case MDB_INVALID:
  case MDB_VERSION_MISMATCH: code = errc::corrupted; break;
  case MDB_BAD_VALSIZE:
  case MDB_BAD_TXN:
  case EINVAL: code = errc::internal; break;
  default: break;
  }
  return {code, fmt::format("the index failed to {}: {}", action, mdb_strerror(rc))};
}

void require(int rc, std::string_view action) {
  if (rc != MDB_SUCCESS)
    throw failure{to_error(rc, action), rc == MDB_MAP_FULL};
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

std::optional<std::string_view> transaction::get(table t, std::string_view key) const {
  auto k = as_val(key);
  MDB_val v{};
  int rc = mdb_get(txn_, env_->tables_[static_cast<std::size_t>(t)], &k, &v);
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
  auto dbi = env_->tables_[static_cast<std::size_t>(t)];
  auto k = as_val(key);
  MDB_val v{payload.size() + trailer_bytes, nullptr};
  int rc = mdb_put(txn_, dbi, &k, &v, MDB_RESERVE | (ascending ? MDB_APPEND : 0u));
  if (rc == MDB_KEYEXIST && ascending)
    rc = mdb_put(txn_, dbi, &k, &v, MDB_RESERVE);
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
  auto k = as_val(key);
  int rc = mdb_del(txn_, env_->tables_[static_cast<std::size_t>(t)], &k, nullptr);
  if (rc == MDB_NOTFOUND)
    return false;
  require(rc, "delete");
  return true;
}

void transaction::scan_raw(
    table t, std::string_view from,
    const std::function<bool(std::string_view, std::optional<std::string_view>, std::string_view)>& each) const {
  struct closer {
    void operator()(MDB_cursor* c) const { mdb_cursor_close(c); }
  };
  MDB_cursor* raw = nullptr;
  require(mdb_cursor_open(txn_, env_->tables_[static_cast<std::size_t>(t)], &raw), "open a cursor");
  std::unique_ptr<MDB_cursor, closer> cursor(raw);
  auto k = as_val(from);
  MDB_val v{};
  int rc = mdb_cursor_get(raw, &k, &v, from.empty() ? MDB_FIRST : MDB_SET_RANGE);
  for (; rc == MDB_SUCCESS; rc = mdb_cursor_get(raw, &k, &v, MDB_NEXT)) {
    auto key = as_view(k);
    auto value = check_value(t, key, as_view(v));
    if (!each(key, value ? std::optional(value->payload) : std::nullopt, as_view(v)))
      return;
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
  MDB_cursor* cursor = nullptr;
  require(mdb_cursor_open(txn_, env_->tables_[static_cast<std::size_t>(t)], &cursor), "open a cursor");
  MDB_val k{};
  MDB_val v{};
  int rc = mdb_cursor_get(cursor, &k, &v, MDB_LAST);
  auto found = rc == MDB_SUCCESS ? std::optional(std::string(as_view(k))) : std::nullopt;
  mdb_cursor_close(cursor);
  if (rc != MDB_NOTFOUND)
    require(rc, "find the last entry");
  return found;
}

std::uint64_t transaction::entries(table t) const {
  MDB_stat s{};
  require(mdb_stat(txn_, env_->tables_[static_cast<std::size_t>(t)], &s), "count");
  return s.ms_entries;
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

result<std::unique_ptr<lmdb_env>> lmdb_env::open(env_options options) {
  std::unique_ptr<lmdb_env> env(new lmdb_env(std::move(options)));
  if (auto opened = env->open_env(env->options_.initial_map_bytes); !opened)
    return tl::unexpected(opened.error());
  return env;
}

lmdb_env::~lmdb_env() {
  close_env();
}

void lmdb_env::close_env() noexcept {
  if (env_)
    mdb_env_close(std::exchange(env_, nullptr));
}

result<void> lmdb_env::open_env(std::uint64_t map_bytes) {
  auto check = [](int rc, std::string_view action) -> result<void> {
    if (rc != MDB_SUCCESS)
      return tl::unexpected(to_error(rc, action));
    return {};
  };
  MDB_env* raw = nullptr;
  if (auto r = check(mdb_env_create(&raw), "start"); !r)
    return r;
  std::unique_ptr<MDB_env, void (*)(MDB_env*)> env(raw, mdb_env_close);
  mdb_env_set_maxdbs(raw, table_count);
  mdb_env_set_maxreaders(raw, reader_slots);
  if (auto r = check(mdb_env_set_mapsize(raw, map_bytes), "set the size of its map"); !r)
    return r;
  unsigned flags = MDB_NOTLS | (options_.read_only ? unsigned{MDB_RDONLY} : 0u);
  if (auto r = check(mdb_env_open(raw, options_.folder.c_str(), flags, 0600), "open " + options_.folder.string()); !r)
    return r;
  int dead = 0;
  mdb_reader_check(raw, &dead);

  MDB_txn* txn = nullptr;
  if (auto r = check(mdb_txn_begin(raw, nullptr, options_.read_only ? unsigned{MDB_RDONLY} : 0u, &txn), "begin"); !r)
    return r;
  for (std::size_t i = 0; i < table_count; ++i) {
    int rc = mdb_dbi_open(txn, names[i].data(), options_.read_only ? 0u : unsigned{MDB_CREATE}, &tables_[i]);
    if (rc != MDB_SUCCESS) {
      mdb_txn_abort(txn);
      return check(rc, fmt::format("open its table {}", names[i]));
    }
  }
  if (auto r = check(mdb_txn_commit(txn), "open its tables"); !r)
    return r;
  MDB_stat s{};
  mdb_env_stat(raw, &s);
  page_bytes_ = s.ms_psize;
  env_ = env.release();
  return {};
}

bool lmdb_env::enter(std::chrono::milliseconds patience) {
  std::unique_lock lock(gate_);
  if (!gate_changed_.wait_for(lock, patience, [this] { return !closed_to_new_; }) || !env_)
    return false;
  ++inside_;
  return true;
}

void lmdb_env::leave() noexcept {
  std::lock_guard lock(gate_);
  if (--inside_ == 0)
    gate_changed_.notify_all();
}

result<void> lmdb_env::alone(std::chrono::milliseconds patience, const std::function<result<void>()>& work) {
  std::unique_lock lock(gate_);
  closed_to_new_ = true;
  bool left = gate_changed_.wait_for(lock, patience, [this] { return inside_ == 0; });
  auto done =
      left ? work() : fail(errc::in_use, "the index is being read; it can be resized when the readers are done");
  closed_to_new_ = false;
  lock.unlock();
  gate_changed_.notify_all();
  return done;
}

result<transaction> lmdb_env::begin_read() {
  if (!enter(reader_patience))
    return fail(errc::unavailable, "the index is being resized or was closed after a failure; try again");
  transaction t(*this, false);
  if (int rc = mdb_txn_begin(env_, nullptr, MDB_RDONLY, &t.txn_); rc != MDB_SUCCESS)
    return tl::unexpected(to_error(rc, "begin to read"));
  return t;
}

result<transaction> lmdb_env::begin_write() {
  {
    std::lock_guard lock(gate_);
    if (!env_)
      if (auto opened = open_env(options_.initial_map_bytes); !opened)
        return tl::unexpected(opened.error());
  }
  if (!enter(reader_patience))
    return fail(errc::unavailable, "the index is being resized; try again");
  transaction t(*this, true);
  if (int rc = mdb_txn_begin(env_, nullptr, 0, &t.txn_); rc != MDB_SUCCESS)
    return tl::unexpected(to_error(rc, "begin to write"));
  return t;
}

std::uint64_t lmdb_env::map_bytes() const {
  std::lock_guard lock(gate_);
  MDB_envinfo info{};
  if (env_)
    mdb_env_info(env_, &info);
  return info.me_mapsize;
}

std::uint64_t lmdb_env::used_bytes() const {
  std::lock_guard lock(gate_);
  MDB_envinfo info{};
  if (env_)
    mdb_env_info(env_, &info);
  return (info.me_last_pgno + 1) * page_bytes_;
}

std::uint64_t lmdb_env::last_commit() const {
  std::lock_guard lock(gate_);
  MDB_envinfo info{};
  if (env_)
    mdb_env_info(env_, &info);
  return info.me_last_txnid;
}

std::uint64_t lmdb_env::oldest_reader_commit() const {
  std::lock_guard lock(gate_);
  std::uint64_t oldest = UINT64_MAX;
  // The list is text for people: "pid thread txnid" a line, "-" for a slot that is free.
  auto line = [](const char* text, void* context) -> int {
    unsigned long long txnid = 0;
    if (std::sscanf(text, "%*d %*x %llu", &txnid) == 1) {
      auto& least = *static_cast<std::uint64_t*>(context);
      least = std::min<std::uint64_t>(least, txnid);
    }
    return 0;
  };
  if (env_)
    mdb_reader_list(env_, line, &oldest);
  return oldest;
}

result<void> lmdb_env::grow(std::uint64_t at_least, std::chrono::milliseconds patience) {
  auto now = map_bytes();
  auto wanted = std::min(std::max(now * 2, at_least), options_.max_map_bytes);
  wanted = wanted / page_bytes_ * page_bytes_;
  if (wanted <= now)
    return fail(errc::disk_full, fmt::format("the index has reached its limit of {} octets", options_.max_map_bytes));
  return alone(patience, [&]() -> result<void> {
    if (int rc = mdb_env_set_mapsize(env_, wanted); rc != MDB_SUCCESS)
      return tl::unexpected(to_error(rc, "grow its map"));
    options_.initial_map_bytes = wanted;
    return {};
  });
}

result<bool> lmdb_env::recover(std::uint64_t number) {
  // Only a failed write of the meta page leaves it open whether the commit happened, and then LMDB refuses to go on.
  MDB_txn* probe = nullptr;
  if (int rc = mdb_txn_begin(env_, nullptr, 0, &probe); rc != MDB_PANIC) {
    if (rc == MDB_SUCCESS)
      mdb_txn_abort(probe);
    return false;
  }
  bool found = false;
  auto done = alone(reader_patience, [&]() -> result<void> {
    close_env();
    if (auto opened = open_env(options_.initial_map_bytes); !opened)
      return opened;
    MDB_envinfo info{};
    mdb_env_info(env_, &info);
    found = info.me_last_txnid >= number;
    if (!found)
      return {};
    if (int rc = mdb_env_sync(env_, 1); rc != MDB_SUCCESS)
      return tl::unexpected(to_error(rc, "sync"));
    return {};
  });
  if (!done)
    return tl::unexpected(done.error());
  return found;
}

result<void> lmdb_env::sync() {
  if (int rc = mdb_env_sync(env_, 1); rc != MDB_SUCCESS)
    return tl::unexpected(to_error(rc, "sync"));
  return {};
}

} // namespace merpati::storage
