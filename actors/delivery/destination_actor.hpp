// A destination: the mail for one domain, the servers that take it and the connections to them. It learns how many
// connections they bear: one more with each message that went well, one fewer with each that failed to connect, as
// Postfix's queue manager does.
//
// owns:          the recipients it was given, as jobs; its delivery agents; what DNS said of the domain
// receives:      add_recipients (queue); next_job, job_done, connection_failed (its agents); connection_granted (queue)
// sends:         attempts_done, wants_connection, connection_over, destination_idle (queue)
// dies when:     the queue tells it to stop, after it was idle; with the queue
// supervised by: the queue, which loads its recipients again when it fails. Blocks never.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <caf/all.hpp>

#include "actors/delivery/context.hpp"
#include "actors/delivery/job.hpp"
#include "actors/runtime/messages.hpp"
#include "base/result.hpp"
#include "protocols/smtp/client_engine.hpp"

namespace merpati::delivery {

// queue -> destination
struct add_recipients {
  std::vector<waiting_recipient> recipients;
};
struct connection_granted {};

// agent -> destination
/// Work for agent `agent`, whose connection is ready. Where there is none now, `session` is sent job_waits when some
/// comes, and asks again.
struct next_job {
  std::uint64_t agent = 0;
  runtime::notice_sink session;
};
struct job_offer {
  std::shared_ptr<job> what; ///< null: none now
  bool is_over = false;      ///< nothing will come any more
};
/// A notice.
struct job_waits {};
/// What became of the job that `agent` had last.
struct job_done {
  std::uint64_t agent = 0;
  std::string remote;     ///< "mx.example.net [192.0.2.25]"
  std::string encryption; ///< for waiting_details
  bool reports = false;   ///< the far end passes wishes for reports on (RFC 3461)
  std::vector<smtp::client_outcome> outcomes;
};
/// No server of the domain would talk to `agent`.
struct connection_failed {
  std::uint64_t agent = 0;
  bool permanent = false;
  reason why;
  std::string encryption; ///< for waiting_details; empty: it did not come so far
};

// destination -> queue
struct attempts_done {
  std::string destination;
  std::vector<attempt_result> results;
};
struct wants_connection {
  std::string destination;
};
struct connection_over {
  std::string destination;
};
/// It has nothing to do, and no connection.
struct destination_idle {
  std::string destination;
};

} // namespace merpati::delivery

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(merpati::delivery::add_recipients)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(merpati::delivery::connection_granted)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(merpati::delivery::next_job)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(merpati::delivery::job_offer)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(merpati::delivery::job_done)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(merpati::delivery::connection_failed)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(merpati::delivery::attempts_done)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(merpati::delivery::wants_connection)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(merpati::delivery::connection_over)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(merpati::delivery::destination_idle)

namespace merpati::delivery {

using destination_actor = caf::typed_actor<caf::reacts_to<add_recipients>, caf::reacts_to<connection_granted>,
                                           caf::replies_to<next_job>::with<job_offer>, caf::reacts_to<job_done>,
                                           caf::reacts_to<connection_failed>, caf::reacts_to<runtime::stop_request>>;

/// What a destination tells its queue.
using destination_owner = caf::typed_actor<caf::reacts_to<attempts_done>, caf::reacts_to<wants_connection>,
                                           caf::reacts_to<connection_over>, caf::reacts_to<destination_idle>>;

/// `domain`: the destination of the waiting rows.
destination_actor spawn_destination(caf::actor_system& system, context_ptr shared, std::string domain,
                                    destination_owner queue);

} // namespace merpati::delivery
