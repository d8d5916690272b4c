#include "actors/policy/client_lookup_actor.hpp"

#include <algorithm>
#include <optional>
#include <unordered_map>

#include "actors/dns/resolver_actor.hpp"
#include "actors/runtime/reply_promise.hpp"
#include "actors/runtime/stats.hpp"

namespace merpati::policy {

namespace {

struct lookup_over {
  std::uint64_t id = 0;
};

} // namespace

} // namespace merpati::policy

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(merpati::policy::lookup_over)

namespace merpati::policy {

namespace {

using inner_actor = client_lookup_actor::extend<caf::reacts_to<lookup_over>>;

struct lookup {
  runtime::reply_promise<client_facts> promise;
  ip_address address;
  std::size_t waiting = 0;        // answers that are to come
  std::vector<std::string> names; // of PTR, in its order
  std::vector<bool> confirmed;    // one for each name
  std::vector<bool> listed;       // one for each list
};

struct lookup_state {
  static inline const char* name = "client_lookup";

  client_lookup_options options;
  runtime::stats_handle stats;
  std::unordered_map<std::uint64_t, lookup> open;
  std::uint64_t last_id = 0;

  void finish(std::uint64_t id) {
    const auto found = open.find(id);
    if (found == open.end())
      return;
    auto done = std::move(found->second);
    open.erase(found);
    client_facts facts;
    const auto first = std::find(done.confirmed.begin(), done.confirmed.end(), true);
    if (first != done.confirmed.end())
      facts.name = done.names[static_cast<std::size_t>(first - done.confirmed.begin())];
    facts.lists = judge(options.lists, done.listed, options.threshold);
    done.promise.deliver(std::move(facts));
  }
};

using self_pointer = inner_actor::stateful_pointer<lookup_state>;

/// Asks DNS for look-up `id`; `then(lookup&, values)` gets the answer's values, or nothing if DNS did not answer.
template <class F>
void ask(self_pointer self, std::uint64_t id, std::string name, dns::record_type type, F then) {
  auto resolver = caf::actor_cast<dns::resolver_actor>(self->state.options.resolver->get());
  auto& one = self->state.open.at(id);
  if (!resolver) {
    then(one, std::nullopt);
    return;
  }
  ++one.waiting;
  const auto arrived = [self, id, then](std::optional<std::vector<std::string>> values) {
    const auto found = self->state.open.find(id);
    if (found == self->state.open.end())
      return; // its time is over
    --found->second.waiting;
    then(found->second, std::move(values));
    if (found->second.waiting == 0)
      self->state.finish(id);
  };
  dns::query what;
  what.name = std::move(name);
  what.type = type;
  self->request(resolver, caf::infinite, std::move(what))
      .then(
          [arrived](const dns::answer& got) {
            if (!got.records)
              return arrived(std::nullopt);
            std::vector<std::string> values;
            for (const auto& record : got.records->records)
              values.push_back(record.value);
            arrived(std::move(values));
          },
          [arrived](const caf::error&) { arrived(std::nullopt); });
}

/// Which of the names has the address; each is asked for at the same time, the first in PTR's order wins.
void confirm_names(self_pointer self, std::uint64_t id, lookup& one, const std::vector<std::string>& names) {
  for (const auto& name : names)
    if (is_presentable_name(name) && one.names.size() < reverse_names_max)
      one.names.push_back(name);
  one.confirmed.resize(one.names.size());
  const auto type = one.address.is_v6() ? dns::record_type::aaaa : dns::record_type::a;
  for (std::size_t i = 0; i < one.names.size(); ++i)
    ask(self, id, one.names[i], type, [i](lookup& of, std::optional<std::vector<std::string>> addresses) {
      if (!addresses)
        return;
      of.confirmed[i] = std::any_of(addresses->begin(), addresses->end(),
                                    [&of](const auto& text) { return ip_address::parse(text) == of.address; });
    });
}

void begin(self_pointer self, const client_query& what) {
  auto& state = self->state;
  runtime::reply_promise<client_facts> promise(self);
  if (state.open.size() >= state.options.open)
    return promise.deliver(client_facts{});
  const auto id = ++state.last_id;
  auto& one = state.open[id];
  one.promise = std::move(promise);
  one.address = what.address;
  one.listed.resize(state.options.lists.size());
  if (state.options.reverse_dns)
    ask(self, id, reverse_name(what.address), dns::record_type::ptr,
        [self, id](lookup& of, std::optional<std::vector<std::string>> names) {
          if (names)
            confirm_names(self, id, of, *names);
        });
  for (std::size_t i = 0; i < state.options.lists.size(); ++i)
    ask(self, id, list_name(what.address, state.options.lists[i].zone), dns::record_type::a,
        [self, i](lookup& of, std::optional<std::vector<std::string>> answers) {
          if (answers)
            of.listed[i] = is_listed(self->state.options.lists[i], *answers);
          else
            self->state.options.counters->list_failures.add();
        });
  if (one.waiting == 0)
    return state.finish(id);
  lookup_over over;
  over.id = id;
  self->delayed_send(self, state.options.deadline, over);
}

inner_actor::behavior_type run_lookup(self_pointer self, const client_lookup_options& options) {
  self->state.options = options;
  self->state.stats = runtime::stats_handle::add(self->id(), "client_lookup");
  return {
      [self](const client_query& what) -> caf::result<client_facts> {
        auto timing = self->state.stats.measure();
        begin(self, what);
        return caf::delegated<client_facts>();
      },
      [self](const runtime::stop_request&) { self->quit(); },
      [self](const lookup_over& over) { self->state.finish(over.id); },
  };
}

} // namespace

client_lookup_actor spawn_client_lookup(caf::actor_system& system, client_lookup_options options) {
  return system.spawn(run_lookup, std::move(options));
}

} // namespace merpati::policy
