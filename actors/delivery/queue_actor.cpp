#include "actors/delivery/queue_actor.hpp"

#include <algorithm>
#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>

#include "actors/delivery/settlement.hpp"
#include "actors/runtime/stats.hpp"
#include "base/crypto.hpp"
#include "base/log.hpp"

namespace merpati::delivery {

namespace {

/// Rows looked at in one go; messages are handled in between.
constexpr std::size_t rows_per_look = 5'000;
/// A change that could not be made durable is tried again so often.
constexpr auto commit_retry = std::chrono::seconds(5);
/// However it came that a row or a restarted writer was overlooked, it is found after this time.
constexpr auto full_look = std::chrono::minutes(1);

struct look {};
struct look_at_all {};
struct wake {
  std::uint64_t number = 0;
};
struct destination_gone {
  caf::actor_addr destination;
};
struct commit_again {
  std::shared_ptr<settlement> what;
};

} // namespace

} // namespace merpati::delivery

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(merpati::delivery::look)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(merpati::delivery::look_at_all)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(merpati::delivery::wake)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(merpati::delivery::commit_again)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(merpati::delivery::destination_gone)

namespace merpati::delivery {

namespace {

using queue_impl = queue_actor::extend<caf::reacts_to<look>, caf::reacts_to<look_at_all>, caf::reacts_to<wake>,
                                       caf::reacts_to<commit_again>, caf::reacts_to<destination_gone>>;

using row_key = std::pair<std::uint32_t, std::uint64_t>; // shard, waiting_id

struct destination_entry {
  destination_actor actor;
  std::set<row_key> loaded;
  std::optional<timestamp> more; ///< rows that are due from then on were passed over, there was no room
  std::size_t connections = 0;
};

struct queue_state {
  static inline const char* name = "queue";

  queue_impl::pointer self = nullptr;
  context_ptr shared;
  runtime::stats_handle stats;
  std::unordered_map<std::string, destination_entry> destinations;
  std::size_t loaded = 0;
  std::vector<timestamp> looked_to; ///< one for each shard: all rows before are loaded, or passed over
  bool looking = false;             ///< a `look` is under way
  std::uint64_t wake_number = 0;
  std::optional<timestamp> waking; ///< when the timer is set to
  std::deque<std::string> wanting; ///< destinations that wait for a connection
  std::size_t connections = 0;
  std::size_t settling = 0;
  std::set<row_key> unreadable; ///< told once
  bool was_full = false;        ///< rows that are due were left, there was no room
  bool stopping = false;

  // --- finding what is due

  void request_look() {
    if (stopping || std::exchange(looking, true))
      return;
    self->send(self, look{});
  }

  void look_now() {
    looking = false;
    if (stopping)
      return;
    std::size_t budget = rows_per_look;
    const auto now = shared->clock->now();
    std::unordered_map<std::string, std::vector<waiting_recipient>> found;
    std::vector<attempt_result> ready;
    std::optional<timestamp> next;
    for (std::uint32_t shard = 0; shard < shared->store->shards(); ++shard)
      look_in(shard, now, budget, found, ready, next);
    for (auto& [domain, recipients] : found) {
      self->send(entry_of(domain).actor, add_recipients{std::move(recipients)});
      show(domain);
    }
    if (!ready.empty())
      settle(std::move(ready));
    if (budget == 0 && loaded < loaded_max)
      request_look();
    if (next)
      wake_at(*next);
  }

  void look_in(std::uint32_t shard, timestamp now, std::size_t& budget,
               std::unordered_map<std::string, std::vector<waiting_recipient>>& found,
               std::vector<attempt_result>& ready, std::optional<timestamp>& next) {
    auto view = shared->store->read(shard);
    if (!view) {
      log::error("queue: the waiting list can't be read: {}", view.error().what);
      next = now + full_look;
      return;
    }
    auto& from = looked_to[shard];
    bool ended = false; // before all that is due was looked at
    view->waiting_by_due(from, [&](const storage::waiting_row& row) {
      if (row.next_due > now) {
        next = next ? std::min(*next, row.next_due) : row.next_due;
        return false;
      }
      if (budget == 0 || loaded >= loaded_max) {
        from = row.next_due;
        was_full = loaded >= loaded_max;
        ended = true;
        return false;
      }
      --budget;
      load(shard, row, found, ready);
      return true;
    });
    if (!ended)
      from = std::max(from, now);
  }

  void load(std::uint32_t shard, const storage::waiting_row& row,
            std::unordered_map<std::string, std::vector<waiting_recipient>>& found,
            std::vector<attempt_result>& ready) {
    const row_key key{shard, row.id.value};
    auto known = destinations.find(row.destination);
    if (known != destinations.end()) {
      auto& entry = known->second;
      if (entry.loaded.count(key) != 0)
        return;
      if (entry.loaded.size() >= loaded_per_destination) {
        entry.more = entry.more ? std::min(*entry.more, row.next_due) : row.next_due;
        return;
      }
    }
    auto details = mail::read_details(row.details);
    if (!details) {
      if (unreadable.insert(key).second)
        log::error("queue: row {}-{} of the waiting list can't be read and stays where it is: {}", shard, row.id.value,
                   details.error().what);
      return;
    }
    if (details->progress.held)
      return;
    waiting_recipient who{shard, row.id, row.body, row.destination, std::move(*details)};
    auto& entry = entry_of(row.destination);
    entry.loaded.insert(key);
    ++loaded;
    if (who.details.progress.given_up) {
      who.details.progress.status = "5.0.0";
      who.details.progress.remote.clear();
      who.details.progress.outcome = "the administrator of this server has given it up";
      ready.push_back({std::move(who), verdict::failed});
      return;
    }
    if (row.destination == mail::local_destination) {
      ready.push_back({std::move(who), verdict::due_here});
      return;
    }
    found[row.destination].push_back(std::move(who));
  }

  void show(const std::string& domain) {
    if (const auto found = destinations.find(domain); found != destinations.end() && found->second.actor)
      shared->counts->set_load(domain, found->second.loaded.size(), found->second.connections);
  }

  destination_entry& entry_of(const std::string& domain) {
    auto& entry = destinations[domain];
    if (!entry.actor && domain != mail::local_destination) {
      entry.actor = spawn_destination(self->system(), shared, domain, self);
      self->monitor(entry.actor);
    }
    return entry;
  }

  void wake_at(timestamp when) {
    const auto now = shared->clock->now();
    // What is far away, such as rows that are held, is found by a full look; its distance in nanoseconds may not fit.
    if ((waking && *waking <= when) || when - now > full_look)
      return;
    waking = when;
    self->delayed_send(self, std::max<std::chrono::microseconds>(when - now, std::chrono::microseconds(0)),
                       wake{++wake_number});
  }

  void touched(const store::waiting_touched& what) {
    auto& from = looked_to.at(what.shard);
    from = std::min(from, what.earliest);
    if (what.earliest <= shared->clock->now())
      request_look();
    else
      wake_at(what.earliest);
  }

  void look_everywhere() {
    for (auto& from : looked_to)
      from = timestamp{};
    for (std::uint32_t shard = 0; shard < shared->store->shards(); ++shard)
      self->send(shared->store->writer(shard), store::watch_waiting{}, store::waiting_watcher(self));
    request_look();
    self->delayed_send(self, full_look, look_at_all{});
  }

  // --- results

  void settle(std::vector<attempt_result> results) {
    std::stable_sort(results.begin(), results.end(),
                     [](const auto& a, const auto& b) { return a.who.shard < b.who.shard; });
    while (!results.empty()) {
      const auto shard = results.front().who.shard;
      auto end = std::find_if(results.begin(), results.end(), [&](const auto& r) { return r.who.shard != shard; });
      std::vector<attempt_result> of_shard(std::make_move_iterator(results.begin()), std::make_move_iterator(end));
      results.erase(results.begin(), end);
      ++settling;
      auto made = std::make_shared<settlement>(shared, std::move(of_shard), crypto::random_number());
      if (made->has_reports())
        compose(std::move(made));
      else
        commit(std::move(made));
    }
  }

  void compose(std::shared_ptr<settlement> what) {
    store::io_job job;
    job.run = [what] { what->compose(); };
    self->request(shared->store->io().next(), caf::infinite, std::move(job))
        .then([this, what](store::io_done) { commit(what); },
              [this, what](const caf::error&) { commit_later(what, "reports can't be written now"); });
  }

  void commit(std::shared_ptr<settlement> what) {
    if (auto view = shared->store->read(what->shard()))
      what->keep_wishes(*view);
    store::commit request;
    request.change = what->change();
    self->request(shared->store->writer(what->shard()), caf::infinite, std::move(request))
        .then([this, what](store::commit_reply& reply) { committed(what, reply.done); },
              [this, what](const caf::error&) { commit_later(what, "the store's writer is gone"); });
  }

  void committed(const std::shared_ptr<settlement>& what, const result<storage::outcome>& done) {
    if (done)
      return forget(*what);
    if (done.error().code == errc::not_found) {
      // Somebody else removed rows meanwhile.
      if (auto view = shared->store->read(what->shard())) {
        const auto dropped = what->drop_missing(*view);
        if (what->is_empty())
          return forget(*what);
        if (dropped > 0)
          return commit(what);
      }
    }
    commit_later(what, done.error().what);
  }

  /// What other servers have taken must not be sent again: it stays loaded until it is written down.
  void commit_later(std::shared_ptr<settlement> what, const std::string& why) {
    log::warning("queue: what became of {} recipients can't be written down and will be tried again: {}",
                 what->results().size(), why);
    self->delayed_send(self, commit_retry, commit_again{std::move(what)});
  }

  void forget(const settlement& what) {
    --settling;
    for (const auto& each : what.results()) {
      shared->counts->add(each.who.destination, each.what);
      auto found = destinations.find(each.who.destination);
      if (found == destinations.end())
        continue;
      auto& entry = found->second;
      loaded -= entry.loaded.erase({each.who.shard, each.who.id.value});
      if (entry.more && entry.loaded.size() < loaded_per_destination / 2) {
        for (auto& from : looked_to)
          from = std::min(from, *entry.more);
        entry.more.reset();
        request_look();
      }
      show(each.who.destination);
    }
    if (was_full && loaded < loaded_max / 2) {
      was_full = false;
      request_look();
    }
    quit_when_done();
  }

  // --- connections

  void want(std::string domain) {
    wanting.push_back(std::move(domain));
    grant();
  }

  void grant() {
    while (!wanting.empty() && connections < shared->settings.connections) {
      auto found = destinations.find(wanting.front());
      wanting.pop_front();
      if (found == destinations.end())
        continue;
      ++connections;
      ++found->second.connections;
      show(found->first);
      self->send(found->second.actor, connection_granted{});
    }
  }

  void connection_ended(const std::string& domain) {
    if (auto found = destinations.find(domain); found != destinations.end() && found->second.connections > 0) {
      --found->second.connections;
      --connections;
      show(domain);
    }
    grant();
  }

  // --- the end of destinations

  void rested(const std::string& domain) {
    auto found = destinations.find(domain);
    if (found == destinations.end() || !found->second.loaded.empty())
      return;
    self->send(found->second.actor, runtime::stop_request{});
    shared->counts->forget(domain);
    destinations.erase(found);
  }

  void destination_ended(const caf::actor_addr& address) {
    auto found = std::find_if(destinations.begin(), destinations.end(),
                              [&](const auto& each) { return each.second.actor == address; });
    if (found == destinations.end())
      return;
    if (!stopping)
      log::error("queue: the destination {} failed, its mail is loaded again", found->first);
    loaded -= found->second.loaded.size();
    connections -= found->second.connections;
    shared->counts->forget(found->first);
    destinations.erase(found);
    for (auto& from : looked_to)
      from = timestamp{};
    request_look();
    grant();
    quit_when_done();
  }

  void stop() {
    stopping = true;
    destinations.erase(std::string(mail::local_destination));
    for (auto& [domain, entry] : destinations)
      self->send(entry.actor, runtime::stop_request{});
    quit_when_done();
  }

  void quit_when_done() {
    if (stopping && destinations.empty() && settling == 0)
      self->quit();
  }
};

queue_impl::behavior_type run_queue(queue_impl::stateful_pointer<queue_state> self, context_ptr shared) {
  auto& state = self->state;
  state.self = self;
  state.shared = std::move(shared);
  state.shared->counts->forget_all();
  state.looked_to.resize(state.shared->store->shards());
  state.stats = runtime::stats_handle::add(self->id(), queue_state::name);
  // CAF lets the news of an end overtake what was sent before it: results come first.
  self->set_down_handler([self](const caf::down_msg& down) { self->send(self, destination_gone{down.source}); });
  state.look_everywhere();
  return {
      [self](const store::waiting_touched& m) { self->state.touched(m); },
      [self](attempts_done& m) {
        auto timing = self->state.stats.measure();
        self->state.settle(std::move(m.results));
      },
      [self](wants_connection& m) { self->state.want(std::move(m.destination)); },
      [self](const connection_over& m) { self->state.connection_ended(m.destination); },
      [self](const destination_idle& m) { self->state.rested(m.destination); },
      [self](runtime::stop_request) { self->state.stop(); },
      [self](look) {
        auto timing = self->state.stats.measure();
        self->state.look_now();
      },
      [self](look_at_all) { self->state.look_everywhere(); },
      [self](const wake& m) {
        if (m.number != self->state.wake_number)
          return;
        self->state.waking.reset();
        self->state.request_look();
      },
      [self](const destination_gone& m) { self->state.destination_ended(m.destination); },
      [self](commit_again& m) { self->state.commit(std::move(m.what)); },
  };
}

} // namespace

queue_actor spawn_queue(caf::actor_system& system, context_ptr shared) {
  return system.spawn(run_queue, std::move(shared));
}

} // namespace merpati::delivery
