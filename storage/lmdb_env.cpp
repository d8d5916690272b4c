#include "storage/lmdb_env.hpp"

#include <algorithm>
#include <utility>

#include "base/log.hpp"
#include "storage/lmdb_support.hpp"

namespace merpati::storage {

namespace {

// LMDB's own default; more would only hide readers that are never closed.
constexpr unsigned reader_slots = 126;
// A reader waits this long for a map that grows. Growing itself takes microseconds once the other readers have left.
constexpr std::chrono::milliseconds reader_patience{10'000};

} // namespace

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
  mdb_env_set_maxdbs(raw, tree_count);
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
  for (std::size_t i = 0; i < tree_count; ++i) {
    int rc = mdb_dbi_open(txn, tree_names[i], options_.read_only ? 0u : unsigned{MDB_CREATE}, &trees_[i]);
    if (rc != MDB_SUCCESS) {
      mdb_txn_abort(txn);
      return check(rc, fmt::format("open its tree {}", tree_names[i]));
    }
  }
  if (auto r = check(mdb_txn_commit(txn), "open its trees"); !r)
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
