// owns: the look-ups under way
// receives: client_query, from the door; stop_request
// sends: dns::query to the resolver; client_facts to the asker, always, at the latest when the look-up's time is over
// dies when: told to stop or to exit; never by what DNS says
// supervised by: the services supervisor. Does not block
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <caf/all.hpp>

#include "actors/policy/list_rules.hpp"
#include "actors/policy/probe.hpp"
#include "actors/runtime/messages.hpp"
#include "actors/runtime/supervisor.hpp"
#include "config/policy_settings.hpp"

namespace merpati::policy {

struct client_query {
  ip_address address;
};

/// What DNS says of a client. A part that it did not say in time is absent.
struct client_facts {
  std::string name; ///< from PTR, and it has this address (RFC 8601 2.7.3, "iprev"); else empty
  list_verdict lists;
};

struct client_lookup_options {
  bool reverse_dns = true;
  std::vector<config::address_list> lists;
  std::uint64_t threshold = 1;
  std::chrono::milliseconds deadline{8'000};     ///< of a whole look-up: two queries one after the other
  std::size_t open = 1'000;                      ///< look-ups under way; beyond it nothing is known of a client
  std::shared_ptr<runtime::actor_slot> resolver; ///< a dns::resolver_actor; empty for a moment: nothing is known
  std::shared_ptr<policy::counters> counters;    ///< not null
};

constexpr std::size_t reverse_names_max = 10; ///< of one address, the rest is not looked at (RFC 7208 5.5)

} // namespace merpati::policy

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(merpati::policy::client_query)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(merpati::policy::client_facts)

namespace merpati::policy {

using client_lookup_actor =
    caf::typed_actor<caf::replies_to<client_query>::with<client_facts>, caf::reacts_to<runtime::stop_request>>;

client_lookup_actor spawn_client_lookup(caf::actor_system& system, client_lookup_options options);

} // namespace merpati::policy
