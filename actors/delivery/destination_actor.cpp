#include "actors/delivery/destination_actor.hpp"

#include <algorithm>
#include <deque>
#include <list>
#include <optional>
#include <unordered_map>
#include <utility>

#include "actors/delivery/dane_finder.hpp"
#include "actors/delivery/delivery_agent.hpp"
#include "actors/delivery/hop.hpp"
#include "actors/delivery/host_finder.hpp"
#include "actors/runtime/coroutine_host.hpp"
#include "actors/runtime/stats.hpp"
#include "base/crypto.hpp"
#include "base/log.hpp"
#include "base/socket_path.hpp"

namespace merpati::delivery {

namespace {

/// How long a destination without work remembers what it learnt.
constexpr auto idle_destination = std::chrono::seconds(60);
/// How long what DNS said of a domain is taken for true; the resolver's own cache follows the records' TTLs.
constexpr auto hosts_age = std::chrono::minutes(5);
/// Connections at the beginning: as many as are no burden to anybody (Postfix: initial_destination_concurrency).
constexpr std::size_t first_window = 5;

struct rest_over {};
struct agent_gone {
  caf::actor_addr agent;
};

} // namespace

} // namespace merpati::delivery

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(merpati::delivery::rest_over)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(merpati::delivery::agent_gone)

namespace merpati::delivery {

namespace {

using destination_impl = destination_actor::extend<caf::reacts_to<rest_over>, caf::reacts_to<agent_gone>>;

/// One delivery agent, from its connection's grant to its end.
struct agent {
  caf::actor handle;
  bool was_useful = false;
  std::shared_ptr<job> current;
  runtime::notice_sink idle; ///< its session while it waits for work
};

struct destination_state {
  static inline const char* name = "destination";

  destination_impl::pointer self = nullptr;
  context_ptr shared;
  std::string domain;
  hop next;
  destination_owner queue;
  runtime::stats_handle stats;
  std::list<std::shared_ptr<job>> jobs;
  std::unordered_map<std::uint64_t, agent> agents;
  std::uint64_t last_agent = 0;
  std::size_t window = first_window;
  std::size_t successes = 0; ///< since the window last grew
  bool wanting = false;      ///< asked the queue for a connection
  std::optional<mail_hosts> hosts;
  std::chrono::steady_clock::time_point hosts_until;
  bool looking_up = false;
  bool stopping = false;
  bool resting = false; ///< a timer for the end of the rest is set
  std::chrono::steady_clock::time_point idle_since;
  std::optional<runtime::coroutine_host> lookups; // last: its frames use the above

  // --- jobs

  void add(std::vector<waiting_recipient>& recipients) {
    std::shared_ptr<job> last; // recipients of one message come one after the other
    for (auto& each : recipients) {
      if (last && last->takes(each)) {
        last->recipients.push_back(std::move(each));
        continue;
      }
      if (last)
        enqueue(std::move(last));
      last = std::make_shared<job>();
      last->shard = each.shard;
      last->body = each.body;
      last->recipients.push_back(std::move(each));
    }
    if (last)
      enqueue(std::move(last));
    proceed();
  }

  /// RFC 6710 4.3: the most urgent first, in the order of their coming else.
  void enqueue(std::shared_ptr<job> made) {
    auto behind = jobs.end();
    while (behind != jobs.begin() && priority(**std::prev(behind)) < priority(*made))
      --behind;
    jobs.insert(behind, std::move(made));
  }
  static int priority(const job& j) { return j.details().mail.priority.value_or(0); }

  std::shared_ptr<job> take_job() {
    auto taken = std::move(jobs.front());
    jobs.pop_front();
    return taken;
  }

  /// What is under way is brought to its end, nothing new begins.
  void stop() {
    stopping = true;
    jobs.clear();
    wake(agents.size());
    if (agents.empty())
      self->quit();
  }

  /// Work for idle agents, more agents, or rest.
  void proceed() {
    if (stopping) {
      jobs.clear();
      if (agents.empty())
        self->quit();
      return;
    }
    wake(jobs.size());
    if (jobs.empty()) {
      if (agents.empty())
        begin_rest();
      return;
    }
    if (!hosts || self->clock().now() >= hosts_until) {
      look_up();
      return;
    }
    const auto busy = agents.size() + (wanting ? 1 : 0);
    if (!wanting && busy < window && busy < jobs.size() + working()) {
      wanting = true;
      self->send(queue, wants_connection{domain});
    }
  }
  /// Idle agents ask again, as many as there are and are wanted.
  void wake(std::size_t wanted) {
    for (auto& [number, each] : agents) {
      if (wanted == 0)
        return;
      if (!each.idle)
        continue;
      caf::anon_send(std::exchange(each.idle, nullptr), runtime::notice::of(std::make_shared<const job_waits>()));
      --wanted;
    }
  }
  std::size_t working() const {
    return static_cast<std::size_t>(
        std::count_if(agents.begin(), agents.end(), [](const auto& each) { return each.second.current != nullptr; }));
  }

  void begin_rest() {
    idle_since = self->clock().now();
    if (!std::exchange(resting, true))
      self->delayed_send(self, idle_destination, rest_over{});
  }

  void end_rest() {
    resting = false;
    if (!jobs.empty() || !agents.empty())
      return;
    const auto rested = self->clock().now() - idle_since;
    if (rested >= idle_destination) {
      self->send(queue, destination_idle{domain});
      return;
    }
    resting = true;
    self->delayed_send(self, idle_destination - rested, rest_over{});
  }

  // --- DNS

  void look_up() {
    if (looking_up)
      return;
    looking_up = true;
    lookups->start(find(), [this](std::exception_ptr failure) {
      looking_up = false;
      if (failure)
        std::rethrow_exception(failure);
      proceed();
    });
  }

  runtime::task<void> find() {
    auto found = is_socket_path(next.host) ? no_lookup()
                 : next.host.empty()
                     ? find_hosts(*lookups, shared->resolver(), domain, shared->own, crypto::random_number())
                     : find_addresses(*lookups, shared->resolver(), next.host);
    auto answer = co_await found;
    if (answer) {
      if (next.tls == config::hop_tls::automatic || next.tls == config::hop_tls::dane)
        for (auto& each : *answer)
          each.dane = co_await find_dane(*lookups, shared->resolver(), each, next.port);
      hosts = std::move(*answer);
      hosts_until = self->clock().now() + hosts_age;
      co_return;
    }
    const auto& none = answer.error();
    log::info("delivery: {}: {}", domain, none.why.text);
    hosts.reset();
    fail_all(none.permanent ? verdict::failed : verdict::deferred, none.why);
  }
  static runtime::task<tl::expected<mail_hosts, no_hosts>> no_lookup() { co_return mail_hosts{}; }

  // --- agents

  void grant() {
    wanting = false;
    if (jobs.empty() || !hosts || stopping) {
      self->send(queue, connection_over{domain});
      return proceed();
    }
    const auto number = ++last_agent;
    auto& made = agents[number];
    made.handle = spawn_delivery_agent(self->system(), shared, next, *hosts, domain, number, self);
    self->monitor(made.handle);
    proceed();
  }

  void agent_ended(const caf::actor_addr& address) {
    const auto found =
        std::find_if(agents.begin(), agents.end(), [&](const auto& each) { return each.second.handle == address; });
    if (found == agents.end())
      return;
    auto ended = std::move(found->second);
    agents.erase(found);
    self->send(queue, connection_over{domain});
    if (ended.current)
      give_back(*ended.current);
    proceed();
  }

  /// The conversation about it ended without a result, and nobody knows how far it came.
  void give_back(const job& unfinished) {
    log::warning("delivery: the conversation about message {} with a server of {} failed; it may arrive twice",
                 unfinished.details().message, domain);
    attempts_done done{domain, {}};
    add_results(done, unfinished, verdict::deferred, {"4.3.0", "", "the conversation failed"}, "");
    self->send(queue, std::move(done));
  }

  job_offer offer(const next_job& request) {
    auto found = agents.find(request.agent);
    if (found == agents.end() || stopping)
      return {nullptr, true};
    auto& asking = found->second;
    asking.was_useful = true;
    asking.idle = nullptr;
    if (asking.current)
      give_back(*std::exchange(asking.current, nullptr));
    if (jobs.empty())
      asking.idle = request.session;
    else
      asking.current = take_job();
    return {asking.current, false};
  }

  // --- results

  static void add_results(attempts_done& done, const job& what, verdict how, const reason& why,
                          const std::string& encryption) {
    for (const auto& each : what.recipients)
      done.results.push_back({with_progress(each, why, encryption), how});
  }

  static waiting_recipient with_progress(waiting_recipient who, const reason& why, const std::string& encryption) {
    auto& progress = who.details.progress;
    ++progress.attempts;
    progress.status = why.status;
    progress.remote = why.remote;
    progress.outcome = why.text;
    progress.encryption = encryption;
    return who;
  }

  void finish(job_done& told) {
    auto found = agents.find(told.agent);
    if (found == agents.end() || !found->second.current)
      return;
    auto done_job = std::exchange(found->second.current, nullptr);
    attempts_done done{domain, {}};
    auto untried = std::make_shared<job>();
    untried->shard = done_job->shard;
    untried->body = done_job->body;
    bool delivered = false;
    for (std::size_t i = 0; i < done_job->recipients.size(); ++i) {
      auto& who = done_job->recipients[i];
      const auto outcome = i < told.outcomes.size() ? told.outcomes[i] : smtp::client_outcome();
      if (outcome.what == smtp::client_verdict::untried) {
        untried->recipients.push_back(std::move(who));
        continue;
      }
      const reason why{outcome.status, outcome.is_reply ? told.remote : "", outcome.text};
      verdict how = verdict::deferred;
      if (outcome.what == smtp::client_verdict::delivered)
        how = told.reports ? verdict::delivered : verdict::relayed;
      else if (outcome.what == smtp::client_verdict::failed)
        how = verdict::failed;
      delivered = delivered || outcome.what == smtp::client_verdict::delivered;
      log::info("delivery: message {} to {} at {}: {} (encryption: {})", who.details.message,
                smtp::write_path(who.details.recipient.address), told.remote, outcome.text, told.encryption);
      if (outcome.unknown)
        log::warning("delivery: message {} may reach {} twice: {}", who.details.message,
                     smtp::write_path(who.details.recipient.address), outcome.text);
      done.results.push_back({with_progress(std::move(who), why, told.encryption), how});
    }
    if (!untried->recipients.empty())
      jobs.push_front(std::move(untried));
    if (!done.results.empty())
      self->send(queue, std::move(done));
    if (delivered)
      widen();
    proceed();
  }

  /// Slow start: the window grows by one each time that it was filled with success.
  void widen() {
    if (++successes < window)
      return;
    successes = 0;
    window = std::min(window + 1, shared->settings.connections_per_destination);
  }

  void connection_failed_at(const connection_failed& told) {
    window = std::max<std::size_t>(window / 2, 1);
    successes = 0;
    const bool others_talk = std::any_of(agents.begin(), agents.end(), [&](const auto& each) {
      return each.first != told.agent && each.second.was_useful;
    });
    if (others_talk) // it has as many connections as it wants
      return;
    hosts.reset(); // DNS may know better next time
    fail_all(told.permanent ? verdict::failed : verdict::deferred, told.why, told.encryption);
  }

  /// Nobody talks to us: all that waits has had its attempt.
  void fail_all(verdict how, const reason& why, const std::string& encryption = {}) {
    if (jobs.empty())
      return;
    attempts_done done{domain, {}};
    for (const auto& each : jobs)
      add_results(done, *each, how, why, encryption);
    jobs.clear();
    self->send(queue, std::move(done));
  }
};

destination_impl::behavior_type run_destination(destination_impl::stateful_pointer<destination_state> self,
                                                context_ptr shared, std::string domain, destination_owner queue) {
  auto& state = self->state;
  state.self = self;
  state.next = hop_for(shared->settings, domain);
  state.window = std::min(first_window, shared->settings.connections_per_destination);
  state.shared = std::move(shared);
  state.stats = runtime::stats_handle::add(self->id(), destination_state::name, domain, queue.id());
  state.domain = std::move(domain);
  self->monitor(queue);
  state.queue = std::move(queue);
  state.lookups.emplace(self);
  self->set_down_handler([self](const caf::down_msg& down) {
    if (down.source == self->state.queue.address())
      self->quit(); // a new queue loads all recipients again
    else            // CAF lets the news of an end overtake what was sent before it: the agent's last result comes first
      self->send(self, agent_gone{down.source});
  });
  return {
      [self](add_recipients& m) {
        auto timing = self->state.stats.measure();
        self->state.add(m.recipients);
      },
      [self](connection_granted) { self->state.grant(); },
      [self](const next_job& m) {
        auto timing = self->state.stats.measure();
        return self->state.offer(m);
      },
      [self](job_done& m) {
        auto timing = self->state.stats.measure();
        self->state.finish(m);
      },
      [self](const connection_failed& m) { self->state.connection_failed_at(m); },
      [self](runtime::stop_request) { self->state.stop(); },
      [self](rest_over) { self->state.end_rest(); },
      [self](const agent_gone& m) { self->state.agent_ended(m.agent); },
  };
}

} // namespace

destination_actor spawn_destination(caf::actor_system& system, context_ptr shared, std::string domain,
                                    destination_owner queue) {
  return system.spawn(run_destination, std::move(shared), std::move(domain), std::move(queue));
}

} // namespace merpati::delivery
