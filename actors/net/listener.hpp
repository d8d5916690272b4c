// listener: accepts connections on one address and port, or Unix-domain socket, and makes a connection broker and a
// session for each.
//
// owns: the listening socket and the counts of its live connections.
// receives: stop_request (stops accepting and quits; connections live on), new connections, the ends of connections.
// sends: adopt_child to the supervisor of sessions, when there is one.
// dies when: told to stop, or its socket breaks (exit with an error: its supervisor opens it again).
// supervised by: the daemon's root supervisor. Runs on the multiplexer's thread; never blocks.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include <caf/all.hpp>

#include "actors/net/connection.hpp"
#include "actors/runtime/messages.hpp"
#include "actors/runtime/supervisor.hpp"
#include "base/result.hpp"

namespace merpati::net {

/// Counts connections over all listeners that share it: the process has one. Thread-safe.
class connection_limiter;

struct connection_limits {
  /// All connections of the process. The descriptor limit binds too, see reserved_descriptors.
  std::size_t total = 20'000;
  /// Per IPv4 address or IPv6 /64 network (one customer's line); loopback is not counted, since local relays and
  /// proxies come from there.
  std::size_t per_address = 50;
  /// Descriptors never given to clients: the store, logs, outgoing connections and reloads need them, and at EMFILE
  /// an acceptor spins.
  std::size_t reserved_descriptors = 256;
  bool count_loopback = false; ///< true: loopback addresses are limited like all others
};

std::shared_ptr<connection_limiter> make_limiter(connection_limits limits);
/// Live connections now.
std::size_t live_connections(const connection_limiter& limiter) noexcept;

/// Makes the session of an accepted connection: calls runtime::spawn_session and gives its handle. Called on the
/// network thread: it must not block. A null handle or an exception refuses the connection.
using session_factory = std::function<caf::actor(caf::actor_system&, accepted_connection)>;

struct listener_settings {
  std::string kind; ///< "imap", "smtp", ...
  /// Numeric IPv4 or IPv6; "::" takes IPv6 only, "0.0.0.0" IPv4 only. Or "unix:" and the path of a socket.
  std::string address;
  unsigned socket_mode = 0660; ///< of a Unix-domain socket
  std::uint16_t port = 0;      ///< 0: any free one, see bound_listener::port
  session_factory make_session;
  /// Peers whose connections are not theirs: counted in the total alone. Empty: nobody.
  std::function<bool(std::string_view address)> is_proxy;
  std::shared_ptr<connection_limiter> limiter;
  /// Sessions are given to this supervisor when it is set.
  runtime::supervisor_actor sessions;
  int sessions_phase = 0;
  /// Sent, best effort, before closing to a client over a limit ("421 4.7.0 ...\r\n"); empty on ports with
  /// implicit TLS.
  std::string refusal;
  std::uint64_t parent = 0;
};

struct bound_listener {
  caf::actor actor;
  std::string address;
  std::uint16_t port = 0; ///< the real one
};

/// Binds and listens at once (SO_REUSEADDR, backlog 1024), then spawns the actor. errc::in_use: the port is taken;
/// errc::not_permitted: a low port without the right; errc::invalid: not an address of this machine.
result<bound_listener> listen(caf::actor_system& system, listener_settings settings);

} // namespace merpati::net
