#include "actors/store/writer_actor.hpp"

#include <algorithm>
#include <chrono>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "actors/runtime/stats.hpp"
#include "base/log.hpp"

namespace merpati::store {

namespace {

/// Follows the commits that were in the mailbox when the first of them was handled.
struct carry_out {};
/// Comes behind everything that was asked before the stop.
struct finish {};
/// Time to look for disk space that can be freed.
struct upkeep {};

} // namespace

} // namespace merpati::store

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(merpati::store::carry_out)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(merpati::store::finish)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(merpati::store::upkeep)

namespace merpati::store {

namespace {

using writer_impl = writer_actor::extend<caf::reacts_to<carry_out>, caf::reacts_to<finish>, caf::reacts_to<upkeep>>;

/// A batch that is larger only makes the first of its senders wait longer; fdatasync is well amortised by then.
constexpr std::size_t batch_limit = 1024;
/// Copied at once when segments are compacted: what a disk writes in some ten milliseconds, since commits wait for it.
constexpr std::uint64_t compaction_bytes = 8ull << 20;
constexpr std::chrono::seconds upkeep_interval{30};
constexpr std::chrono::seconds upkeep_interval_busy{1}; ///< while there is more to free

struct writer_state {
  static inline const char* name = "writer";

  std::shared_ptr<storage::shard> shard;
  runtime::stats_handle stats;
  std::vector<storage::mutation> batch;
  std::vector<caf::typed_response_promise<commit_reply>> askers;
  std::unordered_multimap<mailbox_id, mailbox_watcher> watchers;
  waiting_watcher queue; ///< or empty
  std::uint32_t number = 0;

  static void earlier(std::optional<timestamp>& found, timestamp due) { found = found ? std::min(*found, due) : due; }

  static void find_earliest(std::optional<timestamp>& found, const storage::mutation& change) {
    auto of_message = [&](const storage::add_message& message) {
      for (const auto& row : message.waiting)
        earlier(found, row.next_due);
    };
    if (const auto* message = std::get_if<storage::add_message>(&change))
      of_message(*message);
    if (const auto* update = std::get_if<storage::update_waiting>(&change)) {
      for (const auto& row : update->put)
        earlier(found, row.next_due);
      for (const auto& message : update->replacements)
        of_message(message);
    }
  }

  void tell_queue(std::optional<timestamp> earliest) {
    if (queue && earliest)
      caf::anon_send(queue, waiting_touched{number, *earliest});
  }

  void tell_watchers(const std::vector<result<storage::outcome>>& outcomes) {
    if (watchers.empty())
      return;
    std::unordered_set<mailbox_id> told;
    for (const auto& outcome : outcomes) {
      if (!outcome)
        continue;
      for (auto mailbox : outcome->touched) {
        if (!told.insert(mailbox).second)
          continue;
        auto [first, last] = watchers.equal_range(mailbox);
        for (auto it = first; it != last; ++it)
          caf::anon_send(it->second, mailbox_touched{mailbox});
      }
    }
  }

  void carry_out_batch() {
    if (batch.empty())
      return;
    auto changes = std::exchange(batch, {});
    auto waiting = std::exchange(askers, {});
    std::optional<timestamp> earliest;
    if (queue)
      for (const auto& change : changes)
        find_earliest(earliest, change);
    auto outcomes = shard->apply(changes);
    tell_watchers(outcomes);
    tell_queue(earliest); // of a change that failed it looks in vain
    for (std::size_t i = 0; i < waiting.size(); ++i) {
      commit_reply reply{std::move(outcomes[i])};
      waiting[i].deliver(std::move(reply));
    }
  }

  std::chrono::seconds free_space() {
    auto freed = shard->compact(compaction_bytes);
    if (!freed)
      log::warning("store {}: can't compact body segments, will try again: {}", shard->folder().string(),
                   freed.error().what);
    else if (*freed > 0)
      return upkeep_interval_busy;
    return upkeep_interval;
  }
};

writer_impl::behavior_type run_writer(writer_impl::stateful_pointer<writer_state> self,
                                      std::shared_ptr<storage::shard> shard, std::uint32_t number) {
  self->state.number = number;
  self->state.shard = std::move(shard);
  self->state.stats = runtime::stats_handle::add(self->id(), "writer", self->state.shard->folder().string());
  self->delayed_send(self, upkeep_interval, upkeep{});
  self->set_exit_handler([self](caf::exit_msg&) { self->send(self, finish{}); });
  self->set_down_handler([self](caf::down_msg& down) {
    if (self->state.queue && self->state.queue.address() == down.source)
      self->state.queue = nullptr;
    std::erase_if(self->state.watchers, [&](const auto& entry) { return entry.second.address() == down.source; });
  });
  return {
      [self](commit& request) {
        auto timing = self->state.stats.measure();
        auto promise = self->make_response_promise<commit_reply>();
        auto& state = self->state;
        state.batch.push_back(std::move(request.change));
        state.askers.push_back(promise);
        if (state.batch.size() == 1)
          self->send(self, carry_out{});
        else if (state.batch.size() >= batch_limit)
          state.carry_out_batch();
        return promise;
      },
      [self](const watch_mailbox& request, const mailbox_watcher& watcher) {
        self->monitor(watcher);
        self->state.watchers.emplace(request.mailbox, watcher);
      },
      [self](watch_waiting, const waiting_watcher& queue) {
        self->monitor(queue);
        self->state.queue = queue;
      },
      [self](carry_out) {
        auto timing = self->state.stats.measure();
        self->state.carry_out_batch();
      },
      [self](upkeep) {
        auto timing = self->state.stats.measure();
        auto pause = self->state.free_space();
        self->delayed_send(self, pause, upkeep{});
      },
      [self](finish) {
        self->state.carry_out_batch();
        self->quit(caf::exit_reason::user_shutdown);
      },
  };
}

} // namespace

writer_actor spawn_writer(caf::actor_system& system, std::shared_ptr<storage::shard> shard, bool detached,
                          std::uint32_t number) {
  return detached ? system.spawn<caf::detached>(run_writer, std::move(shard), number)
                  : system.spawn(run_writer, std::move(shard), number);
}

} // namespace merpati::store
