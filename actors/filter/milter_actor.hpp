// A milter connection: one filter's ear for one SMTP session. It connects when it is first asked something.
//
// owns:          the connection to the filter and the state of the protocol
// receives:      filter_steps, filter_abort (its SMTP session); received, write_done, peer_closed (its connection);
//                stop_request
// sends:         connect_to (connector); send_bytes, consumed, close_connection (its connection)
// dies when:     its SMTP session tells it to stop, or ends
// supervised by: nobody: it belongs to one session, and what it fails to answer counts as a filter that is down.
//                Blocks never
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <caf/all.hpp>

#include "actors/net/connection.hpp"
#include "actors/net/connector.hpp"
#include "actors/runtime/messages.hpp"
#include "base/result.hpp"
#include "config/settings.hpp"
#include "protocols/milter/client_engine.hpp"

namespace merpati::filter {

/// What to tell the filter, in order; the first answer that is more than "go on" ends it.
struct filter_steps {
  std::vector<milter::step> steps;
  milter::macro_table macros;
};

struct filter_verdict {
  /// errc::unavailable: it is down, or has broken the protocol; the text says how.
  result<milter::said> said = fail(errc::internal, "no verdict");
};

/// The client gave the message up.
struct filter_abort {};

} // namespace merpati::filter

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(merpati::filter::filter_steps)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(merpati::filter::filter_verdict)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(merpati::filter::filter_abort)

namespace merpati::filter {

using milter_actor = caf::typed_actor<caf::replies_to<filter_steps>::with<filter_verdict>, caf::reacts_to<filter_abort>,
                                      caf::reacts_to<net::received>, caf::reacts_to<net::write_done>,
                                      caf::reacts_to<net::peer_closed>, caf::reacts_to<runtime::stop_request>>;

/// `owner`: the SMTP session, with which it ends.
milter_actor spawn_milter(caf::actor_system& system, config::milter settings, net::connector_actor connector,
                          const caf::actor_addr& owner);

} // namespace merpati::filter
