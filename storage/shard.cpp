#include "storage/shard.hpp"

#include <algorithm>
#include <tuple>

#include <spdlog/fmt/fmt.h>

#include "base/log.hpp"
#include "storage/dump.hpp"
#include "storage/shard_state.hpp"

namespace merpati::storage {

namespace {

// Growing early costs nothing; a reader that is slow to leave delays it, not the batch.
constexpr std::chrono::milliseconds early_patience{20};
// With a full map nothing goes on without growing; readers are short-lived by contract.
constexpr std::chrono::milliseconds full_patience{5'000};
// Adding stops this far below the map's maximum, so that removals still find pages to copy.
constexpr std::uint64_t map_reserve_share = 8;

bool adds(const mutation& m) {
  if (const auto* update = std::get_if<update_waiting>(&m))
    return !update->replacements.empty() || !update->deliver.empty();
  if (const auto* copy = std::get_if<copy_messages>(&m))
    return !copy->remove_source;
  return std::holds_alternative<add_message>(m) || std::holds_alternative<append_messages>(m)
         || std::holds_alternative<create_mailbox>(m) || std::holds_alternative<put_account>(m)
         || std::holds_alternative<put_domain>(m) || std::holds_alternative<put_address>(m)
         || std::holds_alternative<subscribe>(m);
}

} // namespace

/// One call of apply(): what outlives an attempt at the transaction.
struct shard::state::batch_run {
  std::span<const mutation> batch;
  std::vector<result<outcome>> answers;
  std::vector<std::optional<error>> excluded;
  std::optional<batch_plan> plan;
  std::vector<std::string> linked; ///< files of large bodies that were put in place
  bool only_removals = false;      ///< what adds was excluded for want of space
  error why{errc::internal, "the batch was not carried out"};
};

void shard::state::keep_room() {
  auto map = env->map_bytes();
  if (env->used_bytes() * 5 < map * 4 || map >= options.max_map_bytes)
    return;
  if (auto grown = env->grow(0, early_patience); !grown && grown.error().code != errc::in_use)
    log::warning("{}", grown.error().what);
}

result<void> shard::state::map_admits() const {
  auto reserve = options.max_map_bytes / map_reserve_share;
  auto used = env->used_bytes();
  if (used + reserve <= options.max_map_bytes)
    return {};
  auto txn = env->begin_read(); // LMDB shows the list of free pages to readers only
  if (!txn)
    return tl::unexpected(txn.error());
  used -= std::min(used, txn->free_pages() * env->page_bytes());
  if (used + reserve <= options.max_map_bytes)
    return {};
  return fail(errc::disk_full, fmt::format("the index of {} is near its limit of {} octets", paths.folder.string(),
                                           options.max_map_bytes));
}

void shard::state::forget_removed(transaction& txn) {
  for (const auto& key : removed)
    txn.erase(table::doomed, key);
}

result<void> shard::state::commit(transaction& txn) {
  auto number = txn.number();
  try {
    txn.commit();
    return {};
  } catch (const failure& f) {
    // The transaction still counts as a user of the environment; recovery needs it alone.
    { auto ended = std::move(txn); }
    auto recovered = env->recover(number);
    if (recovered && *recovered)
      return {};
    log::warning("a commit of {} failed: {}", paths.folder.string(), f.why.what);
    return tl::unexpected(f.why);
  }
}

shard::state::step shard::state::attempt(batch_run& run) {
  auto txn = env->begin_write();
  if (!txn) {
    run.why = txn.error();
    return step::failed;
  }
  try {
    if (!run.plan)
      run.plan = plan_bodies(*txn, run.batch, run.linked);
    change_set changes(*txn, *run.plan);
    for (std::size_t i = 0; i < run.batch.size(); ++i) {
      if (run.excluded[i]) {
        run.answers[i] = tl::unexpected(*run.excluded[i]);
        continue;
      }
      auto before = changes.writes();
      auto& answer = run.answers[i];
      try {
        answer = changes.carry_out(run.batch[i]);
      } catch (const failure& f) {
        if (f.why.code != errc::corrupted)
          throw;
        answer = tl::unexpected(f.why);
      }
      if (!answer && changes.writes() != before) {
        run.excluded[i] = answer.error();
        return step::again;
      }
    }
    changes.flush();
    if (changes.writes() > 0) {
      forget_removed(*txn);
      // The index never refers to octets that are not on disk.
      if (auto synced = segments.sync(); !synced) {
        give_up_records(*run.plan, synced.error());
        return step::again;
      }
      if (auto done = commit(*txn); !done)
        return after_failure(run, failure{done.error()});
      commits.fetch_add(1, std::memory_order_relaxed);
      removed.clear();
    }
    finish(run, changes.doomed());
    return step::done;
  } catch (const failure& f) {
    return after_failure(run, f);
  }
}

shard::state::step shard::state::after_failure(batch_run& run, const failure& f) {
  run.why = f.why;
  if (f.map_full)
    return step::grow;
  // The disk is full: what adds has to wait, what removes may still fit into pages that the file has already.
  return f.why.code == errc::disk_full ? step::only_removals : step::failed;
}

void shard::state::finish(const batch_run& run, const std::vector<body_id>& doomed) {
  mutations.fetch_add(run.batch.size(), std::memory_order_relaxed);
  segments.commit_tail();
  for (std::size_t i = 0; i < run.batch.size(); ++i)
    if (run.answers[i])
      for_each_message(run.batch[i], [&](const add_message& m) {
        if (const auto* spooled = std::get_if<spooled_body>(&m.body))
          std::ignore = io::unlink(paths.spool() / spooled->file); // emptied at the next start as well
      });
  std::vector<std::string> keys;
  keys.reserve(doomed.size());
  for (auto id : doomed)
    keys.emplace_back(std::string_view(schema::id_key(id.value)));
  remove_doomed(keys);
}

void shard::state::remove_doomed(const std::vector<std::string>& keys) {
  for (const auto& key : keys) {
    auto path =
        key.size() == 8 ? large_body_path(paths.folder, body_id(big64(key))) : segment_path(paths.folder, big32(key));
    if (auto gone = io::unlink(path))
      removed.push_back(key);
    else
      log::warning("{}; it is tried again at the next start", gone.error().what);
  }
}

void shard::state::undo(const batch_run& run) {
  for (const auto& path : run.linked)
    std::ignore = io::unlink(path); // else removed at the next start: the index has no such number
  if (!segments.rollback())
    segments_lost = true;
}

std::vector<result<outcome>> shard::state::apply(std::span<const mutation> batch) {
  batch_run run{batch,
                std::vector<result<outcome>>(batch.size()),
                std::vector<std::optional<error>>(batch.size()),
                std::nullopt,
                {},
                false};
  if (batch.empty())
    return {};
  keep_room();
  for (;;) {
    auto next = attempt(run);
    if (next == step::done)
      return std::move(run.answers);
    if (next == step::grow) {
      if (env->grow(0, full_patience))
        continue;
      next = env->map_bytes() < options.max_map_bytes ? step::failed : step::only_removals;
    }
    if (next == step::only_removals && !run.only_removals) {
      run.only_removals = true;
      for (std::size_t i = 0; i < batch.size(); ++i)
        if (!run.excluded[i] && adds(batch[i]))
          run.excluded[i] = run.why;
    } else if (next != step::again) {
      break;
    }
  }
  undo(run);
  for (auto& answer : run.answers)
    answer = tl::unexpected(run.why);
  return std::move(run.answers);
}

shard::shard(shard_options options) : state_(std::make_unique<state>(std::move(options))) {}
shard::~shard() = default;

result<std::unique_ptr<shard>> shard::open(shard_options options) {
  std::unique_ptr<shard> made(new shard(std::move(options)));
  try {
    if (auto opened = made->state_->open(); !opened)
      return tl::unexpected(opened.error());
  } catch (const failure& f) {
    return tl::unexpected(f.why);
  }
  return made;
}

std::vector<result<outcome>> shard::apply(std::span<const mutation> batch) {
  return state_->apply(batch);
}

result<read_view> shard::read() const {
  auto txn = state_->env->begin_read();
  if (!txn)
    return tl::unexpected(txn.error());
  return read_view(std::make_unique<read_view::state>(std::move(*txn)));
}

result<void> shard::admits(std::uint64_t body_bytes) const {
  auto room = state_->room_for_bodies();
  if (room == 0 || room < body_bytes)
    return fail(errc::disk_full, fmt::format("the disk of {} has less than {} octets free above its reserve of {}",
                                             state_->paths.folder.string(), body_bytes, state_->options.reserve_bytes));
  try {
    return state_->map_admits();
  } catch (const failure& f) {
    return tl::unexpected(f.why);
  }
}

shard_statistics shard::statistics() const {
  shard_statistics s;
  s.commits = state_->commits.load(std::memory_order_relaxed);
  s.mutations = state_->mutations.load(std::memory_order_relaxed);
  s.map_bytes = state_->env->map_bytes();
  s.map_used_bytes = state_->env->used_bytes();
  auto last = state_->env->last_commit();
  auto oldest = state_->env->oldest_reader_commit();
  s.oldest_reader_age_commits = last > oldest ? last - oldest : 0;
  if (auto txn = state_->env->begin_read()) {
    try {
      txn->scan_raw(table::segments, {}, [&](std::string_view, std::optional<std::string_view> payload, auto) {
        if (auto row = payload ? schema::decode_segment(*payload) : std::nullopt) {
          s.segment_bytes += row->end_bytes;
          s.segment_dead_bytes += row->dead_bytes;
        }
        return true;
      });
    } catch (const failure& f) {
      log::warning("{}", f.why.what);
    }
  }
  return s;
}

result<std::string> shard::dump() const {
  auto txn = state_->env->begin_read();
  if (!txn)
    return tl::unexpected(txn.error());
  try {
    return dump_index(*txn);
  } catch (const failure& f) {
    return tl::unexpected(f.why);
  }
}

const std::filesystem::path& shard::folder() const noexcept {
  return state_->paths.folder;
}

} // namespace merpati::storage
