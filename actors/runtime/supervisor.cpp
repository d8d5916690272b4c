#include "actors/runtime/supervisor.hpp"

#include <algorithm>
#include <deque>
#include <set>
#include <unordered_map>
#include <utility>

#include "actors/runtime/reply_promise.hpp"
#include "actors/runtime/stats.hpp"
#include "base/log.hpp"

namespace merpati::runtime {

caf::actor actor_slot::get() const {
  std::scoped_lock lock(mutex_);
  return now_;
}

void actor_slot::set(caf::actor now) {
  std::scoped_lock lock(mutex_);
  now_ = std::move(now);
}

caf::error make_error(supervisor_error code, std::string what) {
  return caf::error(static_cast<std::uint8_t>(code), caf::atom("supervisor"), caf::make_message(std::move(what)));
}

namespace {

struct start_again {
  std::size_t index;
};
struct phase_over {
  std::uint64_t number;
};

} // namespace

} // namespace merpati::runtime

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(merpati::runtime::start_again)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(merpati::runtime::phase_over)

namespace merpati::runtime {

namespace {

using time_point = std::chrono::steady_clock::time_point;

/// A child with a specification.
struct service {
  child_spec spec;
  caf::actor actor; // null: ended for good, or about to be started again
  std::deque<time_point> restarted;
  std::uint32_t restarts = 0; // in all
};

/// A child that was adopted.
struct guest {
  caf::actor actor;
  int phase = 0;
};

class supervisor_core final : public caf::event_based_actor {
public:
  supervisor_core(caf::actor_config& config, supervisor_settings settings)
      : caf::event_based_actor(config),
        settings_(std::move(settings)),
        stats_(stats_handle::add(id(), "supervisor", settings_.name, settings_.parent)) {}

  const char* name() const override { return "supervisor"; }

  void on_exit() override {
    for (auto& each : services_) {
      if (each.actor)
        caf::anon_send_exit(each.actor, caf::exit_reason::kill);
      if (each.spec.slot)
        each.spec.slot->set({});
    }
    for (auto& [id, each] : guests_)
      caf::anon_send_exit(each.actor, caf::exit_reason::kill);
    services_.clear();
    guests_.clear();
    promises_.clear();
    settings_ = {};
  }

protected:
  caf::behavior make_behavior() override {
    set_default_handler(caf::drop);
    set_down_handler([this](caf::down_msg& down) { on_down(down); });
    caf::anon_send(caf::actor_cast<caf::actor>(this), caf::unit);
    return {stats_.counted(this, [this](caf::unit_t) { start_all(); }),
            stats_.counted(this, [this](const adopt_child& m) { adopt(m); }),
            stats_.counted(this, [this](const start_again& m) { start_child(m.index); }),
            stats_.counted(this, [this](stop_request) { stop(settings_.stop_deadline); }),
            stats_.counted(this,
                           [this](const stop_in_order& m) {
                             promises_.emplace_back(this);
                             stop(m.deadline);
                           }),
            stats_.counted(this, [this](const phase_over& m) { on_phase_over(m.number); }),
            stats_.counted(this, [this](count_children) { return count(); })};
  }

private:
  std::uint64_t count() const {
    const auto running = std::count_if(services_.begin(), services_.end(), [](const auto& s) { return bool(s.actor); });
    return static_cast<std::uint64_t>(running) + guests_.size();
  }

  // -- starting -------------------------------------------------------------------------------------------------------

  void start_all() {
    for (auto& spec : settings_.children)
      services_.push_back(service{std::move(spec), nullptr, {}, 0});
    for (std::size_t i = 0; i < services_.size() && !given_up_; ++i)
      start_child(i);
  }

  void start_child(std::size_t index) {
    auto& child = services_[index];
    if (stopping_ || given_up_ || child.actor)
      return;
    std::string why = "its factory made nothing";
    try {
      child.actor = child.spec.factory(system(), id());
    } catch (const std::exception& e) {
      why = e.what();
    }
    if (!child.actor) {
      on_failure(index, why);
      return;
    }
    monitor(child.actor);
    if (child.restarts > 0)
      record_restarts(child.actor.id(), child.restarts);
    if (child.spec.slot)
      child.spec.slot->set(child.actor);
  }

  void adopt(const adopt_child& m) {
    if (!m.child)
      return;
    monitor(m.child);
    guests_.emplace(m.child.id(), guest{m.child, m.phase});
    if (stopping_)
      caf::anon_send(m.child, stop_request{});
  }

  // -- the ends of children
  // ---------------------------------------------------------------------------------------------

  void on_down(const caf::down_msg& down) {
    if (guests_.erase(down.source.id()) == 0) {
      const auto found =
          std::find_if(services_.begin(), services_.end(), [&](const auto& s) { return s.actor == down.source; });
      if (found == services_.end())
        return;
      found->actor = nullptr;
      if (found->spec.slot)
        found->spec.slot->set({});
      if (!stopping_)
        on_service_down(static_cast<std::size_t>(found - services_.begin()), down.reason);
    }
    if (stopping_)
      next_phase_if_done();
  }

  void on_service_down(std::size_t index, const caf::error& reason) {
    const auto policy = services_[index].spec.restart;
    const bool failed = reason && reason != caf::exit_reason::normal && reason != caf::exit_reason::user_shutdown;
    if (policy == restart_policy::permanent || (policy == restart_policy::transient && failed))
      on_failure(index, caf::to_string(reason));
    else if (failed)
      log::warning("{}: {} ended and is not started again: {}", settings_.name, services_[index].spec.name,
                   caf::to_string(reason));
  }

  void on_failure(std::size_t index, const std::string& why) {
    auto& child = services_[index];
    const auto now = clock().now();
    while (!child.restarted.empty() && now - child.restarted.front() > child.spec.within)
      child.restarted.pop_front();
    if (child.restarted.size() >= child.spec.restarts) {
      give_up(child.spec.name + " ended more than " + std::to_string(child.spec.restarts)
              + " times in too short a time; the last reason: " + why);
      return;
    }
    const auto before = child.restarted.size();
    child.restarted.push_back(now);
    ++child.restarts;
    stats_.add_restart();
    log::warning("{}: {} ended and is started again ({} of {}): {}", settings_.name, child.spec.name,
                 child.restarted.size(), child.spec.restarts, why);
    // A message of its own even without delay: a factory that fails at once must not recurse.
    const start_again again{index};
    if (before == 0)
      send(this, again);
    else
      delayed_send(this, child.spec.restart_delay * (std::int64_t{1} << std::min<std::size_t>(before - 1, 16)), again);
  }

  void give_up(const std::string& why) {
    given_up_ = true;
    log::error("{} gives up: {}", settings_.name, why);
    stats_.set_error(why);
    if (settings_.on_escalation)
      settings_.on_escalation(why);
    quit(make_error(supervisor_error::budget_exhausted, why));
  }

  // -- ordered stop
  // -------------------------------------------------------------------------------------------------------

  void stop(std::chrono::nanoseconds deadline) {
    if (stopping_)
      return;
    stopping_ = true;
    stop_by_ = clock().now() + deadline;
    next_phase();
  }

  bool in_phase(const service& s) const { return s.actor && s.spec.phase <= phase_; }
  bool in_phase(const guest& g) const { return g.phase <= phase_; }

  void next_phase_if_done() {
    const bool service_left = std::any_of(services_.begin(), services_.end(), [this](auto& s) { return in_phase(s); });
    const bool guest_left = std::any_of(guests_.begin(), guests_.end(), [this](auto& g) { return in_phase(g.second); });
    if (!service_left && !guest_left)
      next_phase();
  }

  void next_phase() {
    std::set<int> phases;
    for (const auto& each : services_) {
      if (each.actor)
        phases.insert(each.spec.phase);
    }
    for (const auto& [id, each] : guests_)
      phases.insert(each.phase);
    if (phases.empty()) {
      for (auto& promise : promises_)
        promise.deliver(killed_);
      quit();
      return;
    }
    phase_ = *phases.begin();
    for (const auto& each : services_) {
      if (!in_phase(each))
        continue;
      if (each.spec.takes_stop_request)
        caf::anon_send(each.actor, stop_request{});
      else
        caf::anon_send_exit(each.actor, caf::exit_reason::user_shutdown);
    }
    for (const auto& [id, each] : guests_) {
      if (in_phase(each))
        caf::anon_send(each.actor, stop_request{});
    }
    const auto left = std::max<std::chrono::nanoseconds>(stop_by_ - clock().now(), std::chrono::nanoseconds::zero());
    const phase_over over{++phase_number_};
    delayed_send(this, left / static_cast<std::int64_t>(phases.size()), over);
  }

  /// The time of a phase is over: who is left is killed and not waited for, since it may be stuck in a handler.
  void on_phase_over(std::uint64_t number) {
    if (number != phase_number_)
      return;
    for (auto& each : services_) {
      if (!in_phase(each))
        continue;
      log::warning("{}: {} did not stop in time and is killed", settings_.name, each.spec.name);
      caf::anon_send_exit(each.actor, caf::exit_reason::kill);
      each.actor = nullptr;
      ++killed_;
    }
    const auto killed = std::erase_if(guests_, [this](const auto& g) {
      if (!in_phase(g.second))
        return false;
      caf::anon_send_exit(g.second.actor, caf::exit_reason::kill);
      return true;
    });
    if (killed > 0)
      log::info("{}: {} sessions or connections did not stop in time and are killed", settings_.name, killed);
    killed_ += killed;
    next_phase();
  }

  supervisor_settings settings_;
  stats_handle stats_;
  std::vector<service> services_;
  std::unordered_map<caf::actor_id, guest> guests_;
  std::vector<reply_promise<std::uint64_t>> promises_;
  bool given_up_ = false;
  bool stopping_ = false;
  time_point stop_by_;
  int phase_ = 0;
  std::uint64_t phase_number_ = 0;
  std::uint64_t killed_ = 0;
};

} // namespace

supervisor_actor spawn_supervisor(caf::actor_system& system, supervisor_settings settings) {
  return caf::actor_cast<supervisor_actor>(system.spawn<supervisor_core>(std::move(settings)));
}

} // namespace merpati::runtime
