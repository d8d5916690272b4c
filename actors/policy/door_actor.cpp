#include "actors/policy/door_actor.hpp"

#include <algorithm>

#include "actors/policy/greylist_file.hpp"
#include "actors/policy/greylist_rules.hpp"
#include "actors/policy/rate_limiter.hpp"
#include "actors/runtime/stats.hpp"
#include "base/address_range.hpp"
#include "base/log.hpp"

namespace merpati::policy {

namespace {

struct save_now {};

} // namespace

} // namespace merpati::policy

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(merpati::policy::save_now)

namespace merpati::policy {

namespace {

using namespace std::chrono_literals;
using inner_actor = door_actor::extend<caf::reacts_to<save_now>>;

rate_limiter::limits rate(std::uint64_t count, std::chrono::nanoseconds window, std::size_t keys) {
  rate_limiter::limits out;
  out.count = count;
  out.window = window;
  out.keys = keys;
  return out;
}

greylist_rules::limits greylist_limits(const config::greylist_settings& from) {
  greylist_rules::limits out;
  out.delay = from.delay;
  out.window = from.window;
  out.known_after = static_cast<std::uint32_t>(from.known_after);
  out.known = from.known;
  return out;
}

struct door_state {
  static inline const char* name = "door";

  explicit door_state(door_options from)
      : options(std::move(from)),
        connections(rate(options.policy.rates.connections_per_minute, 1min, options.networks)),
        messages(rate(options.policy.rates.messages_per_minute, 1min, options.networks)),
        recipients(rate(options.policy.rates.recipients_per_minute, 1min, options.networks)),
        account_messages(rate(options.policy.rates.account_messages_per_hour, 1h, options.accounts)),
        account_recipients(rate(options.policy.rates.account_recipients_per_hour, 1h, options.accounts)),
        greylist(greylist_limits(options.policy.greylist)) {
    for (const auto& text : options.policy.exempt)
      if (auto range = address_range::parse(text))
        exempt.push_back(*range);
  }

  door_options options;
  std::vector<address_range> exempt;
  rate_limiter connections;
  rate_limiter messages;
  rate_limiter recipients;
  rate_limiter account_messages;
  rate_limiter account_recipients;
  greylist_rules greylist;
  bool greylist_changed = false;
  bool saving = false;
  bool stopping = false;
  runtime::stats_handle stats;

  counters& counts() { return *options.counters; }
  bool is_exempt(const ip_address& address) const {
    return address.is_loopback()
           || std::any_of(exempt.begin(), exempt.end(), [&](const auto& range) { return range.contains(address); });
  }
  bool keeps_file() const { return options.policy.greylist.enabled && options.files && !options.greylist_file.empty(); }
};

/// The state needs its options to be built, so it is held by a pointer that is filled first.
struct door_holder {
  static inline const char* name = door_state::name;
  std::unique_ptr<door_state> door;
};

using self_pointer = inner_actor::stateful_pointer<door_holder>;

door_state& state_of(self_pointer self) {
  return *self->state.door;
}

check_verdict too_fast(std::chrono::nanoseconds wait) {
  check_verdict out;
  out.what = check_verdict::kind::too_fast;
  out.retry_in = std::chrono::ceil<std::chrono::seconds>(wait);
  return out;
}

// An address that can't be read is none of a socket: sessions of other transports are not policed by address.
std::optional<ip_address> policed(const door_state& state, const std::string& text) {
  auto address = ip_address::parse(text);
  if (!address || state.is_exempt(*address))
    return std::nullopt;
  return address;
}

caf::result<connection_verdict> check_connection(self_pointer self, const connection_check& what) {
  auto& state = state_of(self);
  connection_verdict verdict;
  const auto address = policed(state, what.address);
  if (!address) {
    verdict.exempt = true;
    state.counts().admitted.add();
    return verdict;
  }
  if (state.connections.take(address->client_network(), 1, self->clock().now()) > 0ns) {
    verdict.admitted = false;
    state.counts().refused_rate.add();
    return verdict;
  }
  verdict.greet_pause = state.options.policy.greet_pause;
  auto lookups = state.options.lookups ? caf::actor_cast<client_lookup_actor>(state.options.lookups->get())
                                       : client_lookup_actor();
  if (!lookups) {
    state.counts().admitted.add();
    return verdict;
  }
  auto promise = self->make_response_promise<connection_verdict>();
  client_query query;
  query.address = *address;
  auto decide = [self, promise, verdict](const client_facts& facts) mutable {
    auto& counts = state_of(self).counts();
    verdict.name = facts.name;
    verdict.zone = facts.lists.zone;
    verdict.listed = facts.lists.refused;
    verdict.welcome = facts.lists.welcome;
    (verdict.listed ? counts.refused_listed : counts.admitted).add();
    if (verdict.welcome) {
      verdict.greet_pause = 0ms;
      counts.welcomed.add();
    }
    promise.deliver(std::move(verdict));
  };
  // What can't be looked up is not known, and mail does not wait for it.
  self->request(lookups, caf::infinite, std::move(query)).then(decide, [decide](const caf::error&) mutable {
    decide(client_facts{});
  });
  return promise;
}

check_verdict check_sender(self_pointer self, const sender_check& what) {
  auto& state = state_of(self);
  const auto address = policed(state, what.address);
  if (!address)
    return {};
  const auto wait = state.messages.take(address->client_network(), 1, self->clock().now());
  if (wait == 0ns)
    return {};
  state.counts().refused_rate.add();
  return too_fast(wait);
}

check_verdict check_recipient(self_pointer self, const recipient_check& what) {
  auto& state = state_of(self);
  const auto address = policed(state, what.address);
  if (!address)
    return {};
  if (const auto wait = state.recipients.take(address->client_network(), 1, self->clock().now()); wait > 0ns) {
    state.counts().refused_rate.add();
    return too_fast(wait);
  }
  if (!state.options.policy.greylist.enabled || what.trusted)
    return {};
  const auto wait =
      state.greylist.check(greylist_network(*address), what.sender, what.recipient, state.options.clock->now());
  state.greylist_changed = true;
  if (wait == 0s) {
    state.counts().passed.add();
    return {};
  }
  state.counts().greylisted.add();
  check_verdict out;
  out.what = check_verdict::kind::greylisted;
  out.retry_in = wait;
  return out;
}

check_verdict check_account(self_pointer self, const send_check& what) {
  auto& state = state_of(self);
  const auto now = self->clock().now();
  const auto wait = std::max(state.account_messages.wait(what.account, 1, now),
                             state.account_recipients.wait(what.account, what.recipients, now));
  if (wait > 0ns) {
    state.counts().refused_account.add();
    return too_fast(wait);
  }
  state.account_messages.charge(what.account, 1, now);
  state.account_recipients.charge(what.account, what.recipients, now);
  return {};
}

/// Reads what earlier runs learnt. Mail that comes meanwhile is judged without it and merged with it.
void load(self_pointer self) {
  auto& state = state_of(self);
  auto content = std::make_shared<result<std::string>>(std::string());
  store::io_job job;
  job.run = [content, file = state.options.greylist_file] { *content = load_greylist(file); };
  self->request(state.options.files->next(), caf::infinite, std::move(job))
      .then(
          [self, content](const store::io_done&) {
            auto& own = state_of(self);
            if (!*content) {
              log::warning("greylisting begins anew: {}; check the file and its owner", content->error().what);
            } else if (const auto bad = own.greylist.restore(**content, own.options.clock->now()); bad > 0) {
              log::warning("{}: {} lines can't be read and are forgotten", own.options.greylist_file.string(), bad);
            }
          },
          [](const caf::error& why) { log::warning("greylisting begins anew: {}", caf::to_string(why)); });
}

void save(self_pointer self) {
  auto& state = state_of(self);
  if (state.saving)
    return;
  if (!state.greylist_changed || !state.keeps_file()) {
    if (state.stopping)
      self->quit();
    return;
  }
  state.saving = true;
  state.greylist_changed = false;
  auto outcome = std::make_shared<result<void>>();
  store::io_job job;
  job.run = [outcome, file = state.options.greylist_file, content = state.greylist.save()] {
    *outcome = save_greylist(file, content);
  };
  const auto saved = [self](bool good, const std::string& why) {
    auto& own = state_of(self);
    own.saving = false;
    if (!good) {
      own.counts().greylist_save_failures.add();
      log::warning("greylisting is not saved: {}; a restart would forget it", why);
      own.greylist_changed = !own.stopping;
    }
    if (own.stopping)
      save(self); // what changed meanwhile, then the end
  };
  self->request(state.options.files->next(), caf::infinite, std::move(job))
      .then(
          [saved, outcome](const store::io_done&) {
            saved(outcome->has_value(), *outcome ? std::string() : outcome->error().what);
          },
          [saved](const caf::error& why) { saved(false, caf::to_string(why)); });
}

inner_actor::behavior_type run_door(self_pointer self, const door_options& options) {
  self->state.door = std::make_unique<door_state>(options);
  auto& state = state_of(self);
  state.stats = runtime::stats_handle::add(self->id(), "door");
  if (state.keeps_file()) {
    load(self);
    self->delayed_send(self, options.save_every, save_now{});
  }
  const auto counted = [self](auto check, const auto& what) {
    auto timing = state_of(self).stats.measure();
    return check(self, what);
  };
  return {
      [=](const connection_check& what) { return counted(check_connection, what); },
      [=](const sender_check& what) { return counted(check_sender, what); },
      [=](const recipient_check& what) { return counted(check_recipient, what); },
      [=](const send_check& what) { return counted(check_account, what); },
      [self](const runtime::stop_request&) {
        state_of(self).stopping = true;
        save(self);
      },
      [self](const save_now&) {
        auto& own = state_of(self);
        if (own.stopping)
          return;
        save(self);
        self->delayed_send(self, own.options.save_every, save_now{});
      },
  };
}

} // namespace

std::string reply_text(const check_verdict& verdict) {
  const auto again = "try again in " + std::to_string(verdict.retry_in.count()) + " seconds";
  switch (verdict.what) {
  case check_verdict::kind::ok: return {};
  case check_verdict::kind::too_fast: return "Too much mail in a short time, " + again;
  case check_verdict::kind::greylisted: return "Greylisted, " + again;
  }
  return {};
}

door_actor spawn_door(caf::actor_system& system, door_options options) {
  return system.spawn(run_door, std::move(options));
}

} // namespace merpati::policy
