// A delivery agent: one outgoing connection. It tries the hosts of a destination until one talks to it, then takes jobs
// from the destination as long as there are any.
//
// owns:          the list of hosts that are left to try; then the session over the connection
// receives:      what the connector answers; the end of the conversation
// sends:         connect_to (connector); next_job, job_done, connection_failed (destination)
// dies when:     the conversation is over, or no host is left; with its destination
// supervised by: its destination, which takes its job back when it fails. Blocks never.
#pragma once

#include <cstdint>
#include <string>

#include <caf/all.hpp>

#include "actors/delivery/context.hpp"
#include "actors/delivery/destination_actor.hpp"
#include "actors/delivery/hop.hpp"

namespace merpati::delivery {

/// `domain`: of the recipients. `number` names it to its destination.
caf::actor spawn_delivery_agent(caf::actor_system& system, context_ptr shared, hop next, mail_hosts hosts,
                                std::string domain, std::uint64_t number, destination_actor destination);

} // namespace merpati::delivery
