// owns: the DNS client (with its thread and cache), the questions under way
// receives: query, from anybody; stop_request
// sends: answer to the asker, always: at the latest when the query's time is over
// dies when: told to stop or to exit (open questions are answered with an error), or when the client can't be started
// supervised by: the services supervisor. Does not block: the library works on a thread of its own
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include <caf/all.hpp>

#include "actors/dns/records.hpp"
#include "actors/policy/probe.hpp"
#include "actors/runtime/messages.hpp"
#include "config/policy_settings.hpp"

namespace merpati::dns {

/// `name` without a dot at its end, A-labels. The library's cache answers what was asked before.
struct query {
  std::string name;
  record_type type = record_type::a;
};

} // namespace merpati::dns

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(merpati::dns::query)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(merpati::dns::answer)

namespace merpati::dns {

using resolver_actor = caf::typed_actor<caf::replies_to<query>::with<answer>, caf::reacts_to<runtime::stop_request>>;

/// `counters` may be null. Throws std::runtime_error with the reason when the client can't be started.
resolver_actor spawn_resolver(caf::actor_system& system, config::resolver_settings settings,
                              std::shared_ptr<policy::counters> counters);

} // namespace merpati::dns
