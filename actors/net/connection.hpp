// The seam between bytes and sessions: what a connection and its session say to each other. In the daemon the
// connection is a broker (net/connection_broker); in tests any actor plays it, so that whole sessions, TLS included,
// run on the deterministic scheduler. On another node it will be the same two interfaces through CAF networking.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <caf/all.hpp>

namespace merpati::net {

using bytes = std::vector<char>;

/// Where a connection comes from and where it arrived.
struct endpoint_info {
  std::string remote_address; ///< numeric IPv4 or IPv6
  std::uint16_t remote_port = 0;
  std::string local_address;
  std::uint16_t local_port = 0;
};

/// A way past the connection for octets that nothing else is waiting before: from the session's own thread into the
/// socket. Saves a reply the hop to the network thread. The rest, and all where there is none, goes as send_bytes.
class direct_output {
public:
  virtual ~direct_output() = default;
  /// How many of `octets` the kernel took, from the front; 0 while anything that was queued before still waits.
  virtual std::size_t try_send(std::string_view octets) noexcept = 0;
  /// So many octets follow as send_bytes: until they are written try_send() takes nothing.
  virtual void queued(std::size_t octets) noexcept = 0;
};

// connection -> session
struct received {
  bytes data; ///< never empty; moved, not copied
};
struct write_done {
  std::uint64_t total_bytes = 0; ///< octets of send_bytes handed to the kernel since the connection began
};
struct peer_closed {
  std::string reason; ///< empty: an orderly end of file
};

// session -> connection
struct send_bytes {
  bytes data;
};
/// Of all octets received so far these were used up. The connection stops reading from the peer, and TCP pushes back,
/// while more than read_window octets are with the session: counted by the connection, so that not even a session that
/// has no time to run is flooded.
struct consumed {
  std::uint64_t total_bytes = 0; ///< since the connection began; never goes back
};
struct close_connection {}; ///< after all that was sent has been handed to the kernel

/// Octets a session may hold unread. 128 KiB fills a 10 Mbit/s line over 100 ms of round trip.
inline constexpr std::size_t read_window = 128 * 1024;
/// A session tells what it consumed whenever this much has come together; an interactive session hardly ever does.
inline constexpr std::size_t consumed_step = read_window / 4;
/// A connection reports written octets whenever this much has come together: small beside what a session may have on
/// its way (session_limits::write_high_water), so that it is never kept waiting by the remainder.
inline constexpr std::size_t write_done_step = 16 * 1024;

} // namespace merpati::net

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(merpati::net::received)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(merpati::net::write_done)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(merpati::net::peer_closed)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(merpati::net::send_bytes)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(merpati::net::consumed)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(merpati::net::close_connection)

namespace merpati::net {

using connection_actor =
    caf::typed_actor<caf::reacts_to<send_bytes>, caf::reacts_to<consumed>, caf::reacts_to<close_connection>>;

/// What a session is given of an accepted connection.
struct accepted_connection {
  connection_actor connection;
  endpoint_info info;
  std::shared_ptr<direct_output> output; ///< null: there is none
};

} // namespace merpati::net
