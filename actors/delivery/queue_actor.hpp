// The queue: wakes for the recipients of the waiting list that are due, hands them to their destinations and makes what
// became of them durable. It holds in memory only those that are due now, at most loaded_max; all others are rows.
//
// owns:          the list of loaded recipients; the destinations; the number of outgoing connections
// receives:      waiting_touched (writers); attempts_done, wants_connection, connection_over, destination_idle
//                (destinations); stop_request
// sends:         add_recipients, connection_granted (destinations); commit, watch_waiting (writers); io_job (reports)
// dies when:     told to stop and nothing is under way; its supervisor starts it again, and it reads the rows
// supervised by: the services supervisor. Reads the index, never blocks on anything else.
#pragma once

#include <caf/all.hpp>

#include "actors/delivery/context.hpp"
#include "actors/delivery/destination_actor.hpp"
#include "actors/runtime/messages.hpp"
#include "actors/store/writer_actor.hpp"

namespace merpati::delivery {

/// Recipients that are due and loaded. Postfix's active queue has as many.
inline constexpr std::size_t loaded_max = 20'000;
/// Of these, for one destination: one that takes its mail slowly leaves room for others.
inline constexpr std::size_t loaded_per_destination = 2'000;

using queue_actor = caf::typed_actor<caf::reacts_to<store::waiting_touched>, caf::reacts_to<attempts_done>,
                                     caf::reacts_to<wants_connection>, caf::reacts_to<connection_over>,
                                     caf::reacts_to<destination_idle>, caf::reacts_to<runtime::stop_request>>;

queue_actor spawn_queue(caf::actor_system& system, context_ptr shared);

} // namespace merpati::delivery
