#include "actors/filter/milter_actor.hpp"

#include <deque>
#include <optional>
#include <utility>

#include "actors/runtime/reply_promise.hpp"
#include "actors/runtime/stats.hpp"
#include "base/log.hpp"

namespace merpati::filter {

namespace {

struct connection_made {
  net::connection_actor connection;
};
struct time_over {
  std::uint64_t number = 0;
};

} // namespace

} // namespace merpati::filter

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(merpati::filter::connection_made)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(merpati::filter::time_over)

namespace merpati::filter {

namespace {

using milter_impl = milter_actor::extend<caf::reacts_to<connection_made>, caf::reacts_to<time_over>>;

struct milter_state {
  static inline const char* name = "milter";

  milter_impl::pointer self = nullptr;
  config::milter settings;
  net::connector_actor connector;
  runtime::stats_handle stats;
  milter::client_engine engine;
  net::connection_actor connection;
  std::uint64_t taken = 0; ///< octets from the connection
  bool connecting = false;
  bool ready = false;
  std::string down; ///< why the filter is down, for the rest of the session
  std::deque<milter::step> steps;
  milter::macro_table macros;
  runtime::reply_promise<filter_verdict> promise;
  milter::said gathered;
  std::uint64_t timer = 0; ///< the one that counts

  void ask(filter_steps& what, runtime::reply_promise<filter_verdict> asked) {
    promise = std::move(asked);
    steps.assign(std::make_move_iterator(what.steps.begin()), std::make_move_iterator(what.steps.end()));
    macros = std::move(what.macros);
    gathered = {};
    if (!down.empty())
      return answer_down();
    if (connection)
      return proceed();
    if (!std::exchange(connecting, true))
      connect();
  }

  void connect() {
    net::connect_to request;
    request.where = {settings.socket.path, settings.socket.address, settings.socket.port};
    request.timeout = settings.connect_timeout;
    set_timer(settings.connect_timeout);
    self->request(connector, caf::infinite, std::move(request))
        .then(
            [this](result<net::connected>& opened) {
              if (!opened)
                return go_down("no connection: " + opened.error().what);
              auto me = caf::actor_cast<caf::actor>(self);
              auto running = net::run_connection(
                  self->system(), std::move(*opened),
                  [me](caf::actor_system&, net::accepted_connection accepted) {
                    caf::anon_send(me, connection_made{std::move(accepted.connection)});
                    return me;
                  },
                  self->id());
              if (!running)
                go_down(running.error().what);
            },
            [this](const caf::error&) { go_down("connections can't be opened now"); });
  }

  void connected(net::connection_actor made) {
    connection = std::move(made);
    engine.start();
    proceed();
  }

  void heard(const net::received& m) {
    taken += m.data.size();
    engine.feed({m.data.data(), m.data.size()});
    proceed();
    if (connection)
      self->send(connection, net::consumed{taken});
  }

  /// As far as it goes without the filter.
  void proceed() {
    while (down.empty()) {
      if (ready && !engine.waiting()) {
        if (steps.empty())
          break;
        const auto next = std::move(steps.front());
        steps.pop_front();
        const bool is_end = std::holds_alternative<milter::end_of_message_step>(next);
        set_timer(is_end ? settings.content_timeout : settings.command_timeout);
        engine.begin(next, macros);
      }
      auto answer = engine.next();
      if (std::holds_alternative<milter::need_input>(answer))
        return flush();
      if (std::holds_alternative<milter::progressed>(answer)) {
        set_timer(settings.content_timeout);
      } else if (std::holds_alternative<milter::ready>(answer)) {
        ready = true;
      } else if (auto* broken = std::get_if<milter::broken>(&answer)) {
        return go_down(broken->what);
      } else if (auto* said = std::get_if<milter::said>(&answer)) {
        const bool goes_on = said->verdict == milter::verdict::proceed || said->verdict == milter::verdict::skip;
        gathered = std::move(*said);
        if (!goes_on)
          steps.clear();
      }
    }
    flush();
    if (down.empty() && promise.pending()) {
      set_timer(std::chrono::seconds(0));
      promise.deliver(filter_verdict{std::move(gathered)});
    }
  }

  void flush() {
    auto output = engine.take_output();
    if (output.empty() || !connection)
      return;
    self->send(connection, net::send_bytes{net::bytes(output.begin(), output.end())});
  }

  void abort() {
    if (!down.empty() || !ready)
      return;
    if (engine.waiting()) // nobody waits for an answer that would be out of step from now on
      return go_down("the client left before it answered");
    engine.abort_message();
    flush();
  }

  void set_timer(std::chrono::nanoseconds after) {
    ++timer;
    if (after.count() > 0)
      self->delayed_send(self, after, time_over{timer});
  }

  void go_down(const std::string& why) {
    if (!down.empty())
      return;
    down = why;
    log::warning("milter {}: {}; mail is {} meanwhile", settings.name, why,
                 settings.accept_when_down ? "not filtered" : "asked to come later");
    stats.set_error(why);
    close();
    answer_down();
  }

  void answer_down() {
    steps.clear();
    if (promise.pending())
      promise.deliver(filter_verdict{fail(errc::unavailable, down)});
  }

  void close() {
    if (connection)
      self->send(connection, net::close_connection{});
    connection = nullptr;
  }

  void stop() {
    if (down.empty() && ready && !engine.waiting()) {
      engine.quit();
      flush();
    }
    close();
    self->quit();
  }
};

milter_impl::behavior_type run_milter(milter_impl::stateful_pointer<milter_state> self, config::milter settings,
                                      net::connector_actor connector, const caf::actor_addr& owner) {
  auto& state = self->state;
  state.self = self;
  state.stats = runtime::stats_handle::add(self->id(), milter_state::name, settings.name);
  state.settings = std::move(settings);
  state.connector = std::move(connector);
  self->monitor(owner);
  self->set_down_handler([self](const caf::down_msg&) { self->state.stop(); });
  return {
      [self](filter_steps& m) -> caf::result<filter_verdict> {
        auto timing = self->state.stats.measure();
        self->state.ask(m, runtime::reply_promise<filter_verdict>(self));
        return caf::delegated<filter_verdict>();
      },
      [self](filter_abort) { self->state.abort(); },
      [self](const net::received& m) {
        auto timing = self->state.stats.measure();
        self->state.heard(m);
      },
      [](const net::write_done&) {},
      [self](const net::peer_closed&) {
        self->state.connection = nullptr;
        self->state.go_down("the filter closed the connection");
      },
      [self](runtime::stop_request) { self->state.stop(); },
      [self](connection_made& m) { self->state.connected(std::move(m.connection)); },
      [self](const time_over& m) {
        if (m.number == self->state.timer)
          self->state.go_down("the filter did not answer in time");
      },
  };
}

} // namespace

milter_actor spawn_milter(caf::actor_system& system, config::milter settings, net::connector_actor connector,
                          const caf::actor_addr& owner) {
  return system.spawn(run_milter, std::move(settings), std::move(connector), owner);
}

} // namespace merpati::filter
