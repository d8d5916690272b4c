#include "actors/delivery/delivery_agent.hpp"

#include <deque>
#include <utility>

#include "actors/delivery/conversation.hpp"
#include "actors/runtime/session.hpp"
#include "actors/runtime/stats.hpp"
#include "base/log.hpp"
#include "base/socket_path.hpp"

namespace merpati::delivery {

namespace {

struct candidate {
  std::string name;
  net::remote_endpoint where;
  tls_demand demand;
  bool tls_failed_before = false; ///< and therefore none is demanded
};

struct agent_state {
  static inline const char* name = "delivery_agent";

  context_ptr shared;
  hop next;
  std::deque<candidate> left;
  std::uint64_t number = 0;
  destination_actor destination;
  candidate current;
  runtime::stats_handle stats;
  connection_failed failure; ///< of the host that was tried last
};

using self_pointer = caf::stateful_actor<agent_state>*;

/// A host whose policy can't be met is left out, which `failure` tells where no other one takes the mail.
std::deque<candidate> candidates_of(const hop& next, const mail_hosts& hosts, const std::string& domain,
                                    connection_failed& failure) {
  std::deque<candidate> out;
  if (is_socket_path(next.host)) {
    mail_host here;
    here.name = next.host;
    auto demand = tls_demand_for(next, here, domain);
    net::remote_endpoint where;
    where.path = socket_path(next.host);
    if (demand)
      out.push_back({next.host, std::move(where), std::move(*demand), false});
    else
      failure.why = demand.error();
    return out;
  }
  for (const auto& host : hosts) {
    const auto demand = tls_demand_for(next, host, domain);
    if (!demand) {
      log::info("delivery: {} is not used: {}", host.name, demand.error().text);
      failure.why = demand.error();
      failure.encryption = "none: the host's policy can't be met";
      continue;
    }
    for (const auto& address : host.addresses) {
      net::remote_endpoint where;
      where.address = address;
      where.port = next.port;
      out.push_back({host.name, std::move(where), *demand, false});
    }
  }
  return out;
}

void try_next(self_pointer self);

void begin_conversation(self_pointer self, const candidate& with, net::connected& opened) {
  auto& state = self->state;
  state.current = with;
  conversation_settings talk;
  talk.shared = state.shared;
  talk.next = state.next;
  talk.demand = with.demand;
  talk.tls_failed_before = with.tls_failed_before;
  talk.host_name = with.name;
  talk.agent = state.number;
  talk.destination = state.destination;
  talk.end = std::make_shared<farewell>(caf::actor_cast<caf::actor>(self), with.name);
  // The end of the connection says nothing here: it may come before the session's last result. The farewell comes when
  // all copies of `talk` are gone, however that happens.
  auto factory = [talk = std::move(talk)](caf::actor_system& system, net::accepted_connection accepted) {
    runtime::session_settings session;
    session.kind = "delivery";
    session.connection = std::move(accepted.connection);
    session.info = std::move(accepted.info);
    session.output = std::move(accepted.output);
    session.root = [talk](runtime::session_io& io) { return converse(io, talk); };
    return caf::actor_cast<caf::actor>(runtime::spawn_session(system, std::move(session)));
  };
  auto running = net::run_connection(self->system(), std::move(opened), std::move(factory), self->id(),
                                     state.shared->sessions, state.shared->sessions_phase);
  if (!running)
    log::error("delivery: no session with {}: {}", with.name, running.error().what);
}

void try_next(self_pointer self) {
  auto& state = self->state;
  if (state.left.empty()) {
    state.failure.agent = state.number;
    caf::anon_send(state.destination, state.failure);
    self->quit();
    return;
  }
  auto with = std::move(state.left.front());
  state.left.pop_front();
  net::connect_to request;
  request.where = with.where;
  request.source = state.next.source_address;
  request.timeout = state.shared->settings.connect_timeout;
  state.stats.set_label(with.name);
  self->request(state.shared->connector(), caf::infinite, std::move(request))
      .then(
          [self, with](result<net::connected>& opened) {
            if (opened)
              return begin_conversation(self, with, *opened);
            log::info("delivery: no connection to {} at {}: {}", with.name, net::to_string(with.where),
                      opened.error().what);
            self->state.failure.permanent = false;
            self->state.failure.encryption.clear();
            self->state.failure.why = {"4.4.1", "", "no connection to " + with.name + ": " + opened.error().what};
            try_next(self);
          },
          [self](const caf::error&) {
            self->state.failure.why = {"4.3.0", "", "connections can't be opened now"};
            self->state.left.clear();
            try_next(self);
          });
}

caf::behavior run_agent(self_pointer self, context_ptr shared, hop next, const mail_hosts& hosts,
                        const std::string& domain, std::uint64_t number, destination_actor destination) {
  auto& state = self->state;
  state.shared = std::move(shared);
  state.left = candidates_of(next, hosts, domain, state.failure);
  state.next = std::move(next);
  state.number = number;
  state.destination = std::move(destination);
  state.stats = runtime::stats_handle::add(self->id(), agent_state::name);
  self->set_default_handler(caf::drop);
  try_next(self);
  return {[self](conversation_over& over) {
            if (over.useful) {
              self->quit();
              return;
            }
            auto& failure = self->state.failure;
            // RFC 7435: without encryption is better than not at all, where nothing else was asked for.
            if (over.tls_failed && self->state.current.demand.need == tls_need::may && !self->state.next.implicit_tls) {
              log::info("delivery: {}: {}; once more without TLS", over.why.remote, over.why.text);
              self->state.current.demand.need = tls_need::none;
              self->state.current.tls_failed_before = true;
              self->state.left.push_front(self->state.current);
              return try_next(self);
            }
            // A refusal for good by one host is the word of all of them only when no other takes the mail.
            failure.permanent = over.permanent;
            failure.why = std::move(over.why);
            failure.encryption = std::move(over.encryption);
            log::info("delivery: {}: {}", failure.why.remote, failure.why.text);
            try_next(self);
          },
          [self](runtime::stop_request) { self->quit(); }};
}

} // namespace

caf::actor spawn_delivery_agent(caf::actor_system& system, context_ptr shared, hop next, mail_hosts hosts,
                                std::string domain, std::uint64_t number, destination_actor destination) {
  return system.spawn(run_agent, std::move(shared), std::move(next), std::move(hosts), std::move(domain), number,
                      std::move(destination));
}

} // namespace merpati::delivery
