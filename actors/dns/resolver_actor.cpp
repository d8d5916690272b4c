#include "actors/dns/resolver_actor.hpp"

#include <stdexcept>
#include <unordered_map>

#include "actors/dns/unbound_client.hpp"
#include "actors/runtime/reply_promise.hpp"
#include "actors/runtime/stats.hpp"

namespace merpati::dns {

namespace {

/// From the client's thread.
struct client_answer {
  std::uint64_t id = 0;
  answer what;
};
struct query_over {
  std::uint64_t id = 0;
};

} // namespace

} // namespace merpati::dns

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(merpati::dns::client_answer)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(merpati::dns::query_over)

namespace merpati::dns {

namespace {

using inner_actor = resolver_actor::extend<caf::reacts_to<client_answer>, caf::reacts_to<query_over>>;

struct resolver_state {
  static inline const char* name = "resolver";

  config::resolver_settings settings;
  std::shared_ptr<policy::counters> counters;
  runtime::stats_handle stats;
  std::unordered_map<std::uint64_t, runtime::reply_promise<answer>> open;
  std::uint64_t last_id = 0;
  std::unique_ptr<unbound_client> client; // ends first: its thread sends here

  void finish(std::uint64_t id, answer what) {
    const auto found = open.find(id);
    if (found == open.end())
      return;
    auto promise = std::move(found->second);
    open.erase(found);
    if (!what.records)
      counters->dns_failures.add();
    promise.deliver(std::move(what));
  }
};

using self_pointer = inner_actor::stateful_pointer<resolver_state>;

answer refused(errc code, std::string what) {
  answer out;
  out.records = fail(code, std::move(what));
  return out;
}

void begin(self_pointer self, const query& what) {
  auto& state = self->state;
  runtime::reply_promise<answer> promise(self);
  state.counters->dns_queries.add();
  if (!is_domain_name(what.name))
    return promise.deliver(refused(errc::invalid, "this is no domain name"));
  if (state.open.size() >= state.settings.queries) {
    state.counters->dns_failures.add();
    return promise.deliver(refused(errc::too_many, "too many DNS queries are under way"));
  }
  const auto id = ++state.last_id;
  state.open.emplace(id, std::move(promise));
  query_over over;
  over.id = id;
  self->delayed_send(self, state.settings.timeout, over);
  state.client->ask(id, what.name, what.type);
}

inner_actor::behavior_type run_resolver(self_pointer self, const config::resolver_settings& settings,
                                        const std::shared_ptr<policy::counters>& counters) {
  auto& state = self->state;
  state.settings = settings;
  state.counters = counters ? counters : std::make_shared<policy::counters>();
  state.stats = runtime::stats_handle::add(self->id(), "resolver");
  // A weak address: the thread lives as long as the state, and must not keep its own actor alive.
  auto address = caf::actor_cast<caf::weak_actor_ptr>(self->ctrl());
  auto client = unbound_client::start(settings, [address](std::uint64_t id, answer what) {
    if (auto strong = caf::actor_cast<caf::strong_actor_ptr>(address)) {
      client_answer made;
      made.id = id;
      made.what = std::move(what);
      caf::anon_send(caf::actor_cast<inner_actor>(strong), std::move(made));
    }
  });
  if (!client)
    throw std::runtime_error(client.error().what);
  state.client = std::move(*client);
  return {
      [self](const query& what) -> caf::result<answer> {
        auto timing = self->state.stats.measure();
        begin(self, what);
        return caf::delegated<answer>();
      },
      [self](const runtime::stop_request&) { self->quit(); },
      [self](client_answer& what) {
        auto timing = self->state.stats.measure();
        self->state.finish(what.id, std::move(what.what));
      },
      [self](const query_over& what) {
        if (self->state.open.count(what.id) == 0)
          return;
        self->state.client->cancel(what.id);
        self->state.finish(what.id, refused(errc::unavailable, "no answer from DNS in time"));
      },
  };
}

} // namespace

resolver_actor spawn_resolver(caf::actor_system& system, config::resolver_settings settings,
                              std::shared_ptr<policy::counters> counters) {
  return system.spawn(run_resolver, std::move(settings), std::move(counters));
}

} // namespace merpati::dns
