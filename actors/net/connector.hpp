// connector: opens connections to others: to delivery targets, to filters. Names are looked up before; it takes
// addresses.
//
// owns: the sockets that are being connected.
// receives: connect_to, from anybody; stop_request.
// sends: the connected socket, or why there is none, to the asker: always, at the latest when the time is over.
// dies when: told to stop; attempts under way are answered with an error.
// supervised by: the services supervisor. Runs on the multiplexer's thread; never blocks.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include <caf/all.hpp>

#include "actors/net/connection.hpp"
#include "actors/net/listener.hpp"
#include "actors/runtime/messages.hpp"
#include "base/descriptor.hpp"
#include "base/result.hpp"

namespace merpati::net {

/// A Unix-domain socket when `path` is set, else a numeric address and a port.
struct remote_endpoint {
  std::string path;
  std::string address;
  std::uint16_t port = 0;
  bool operator==(const remote_endpoint&) const = default;
};

/// "[192.0.2.1]:25", "unix:/run/filter.sock"
std::string to_string(const remote_endpoint& where);

struct connect_to {
  remote_endpoint where;
  std::string source; ///< numeric address to connect from; empty: the kernel's choice
  std::chrono::nanoseconds timeout = std::chrono::seconds(30); ///< RFC 1123 5.3.2 leaves it to TCP: minutes
};

struct connected {
  std::shared_ptr<descriptor> socket;
  endpoint_info info; ///< of a Unix-domain socket: its path as the remote address
};

} // namespace merpati::net

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(merpati::net::connect_to)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(merpati::net::connected)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(merpati::result<merpati::net::connected>)

namespace merpati::net {

/// Errors of the answer: errc::unavailable, with a text such as "connection refused"; errc::invalid for what is no
/// address.
using connector_actor =
    caf::typed_actor<caf::replies_to<connect_to>::with<result<connected>>, caf::reacts_to<runtime::stop_request>>;

connector_actor spawn_connector(caf::actor_system& system);

/// Makes the connection's broker and, by `make_session`, what talks over it. Without `sessions` nobody waits for the
/// two when the daemon stops. errc::unavailable: there is no session.
result<caf::actor> run_connection(caf::actor_system& system, connected opened, session_factory make_session,
                                  std::uint64_t parent = 0, runtime::supervisor_actor sessions = {},
                                  int sessions_phase = 0);

} // namespace merpati::net
