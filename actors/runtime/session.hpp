// What session coroutines are written with. A session is an event-based actor whose handlers only push events; the
// root coroutine pops them here. It ends when the coroutine returns, throws, or the actor is killed; then its frames
// are destroyed, the connection is closed after what was written has gone out, and nothing of it is left.
//
//   task<void> greet(session_io& io) {                     // io outlives the coroutine
//     io.write_soon("* OK hello\r\n");
//     for (;;) {
//       auto event = co_await io.next(30min);
//       if (event.is_data()) engine.feed(event.data());
//       else if (event.is_closed() || event.is_timeout()) co_return;
//     }
//   }
//
// Rules: one coroutine waits at a time (the root or what it awaits); see C1 to C6 of style.md.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <caf/all.hpp>

#include "actors/net/connection.hpp"
#include "actors/runtime/coroutine_host.hpp"
#include "actors/runtime/messages.hpp"
#include "actors/runtime/stats.hpp"
#include "actors/runtime/task.hpp"
#include "base/result.hpp"
#include "protocols/tls/stream.hpp"

namespace merpati::runtime {

/// Bounds of one session; a value of zero is not allowed.
struct session_limits {
  /// Octets handed to the connection and not yet taken by the kernel above which write() waits. 64 KiB keeps a fast
  /// link busy for a scheduling round and bounds what a slow reader can make us hold. At least twice
  /// net::write_done_step.
  std::size_t write_high_water = 64 * 1024;
  /// Notices waiting unread above which further ones are dropped and notices_lost() tells so: a session that does not
  /// read its notices must look at the source again instead of holding its history.
  std::size_t notices = 1024;
  /// A TLS handshake that takes longer ends the session: Postfix and Dovecot allow 60 s at most.
  std::chrono::nanoseconds handshake_timeout = std::chrono::seconds(60);
  /// How long a proxy may take for its header: it says it before anything else (proxy-protocol.txt 2).
  std::chrono::nanoseconds proxy_timeout = std::chrono::seconds(5);
  /// How long write() waits for the peer to take anything at all before the connection is given up
  /// (RFC 5321 4.5.3.2 asks for minutes).
  std::chrono::nanoseconds write_timeout = std::chrono::minutes(5);
};

/// One thing that happened to a session.
class session_event {
public:
  enum class kind : std::uint8_t { data, closed, timed_out, notice, stop };

  static session_event of_data(std::string_view bytes) { return session_event(kind::data, bytes, {}, {}); }
  static session_event of_closed(std::string why) { return session_event(kind::closed, {}, std::move(why), {}); }
  static session_event of_timeout() { return session_event(kind::timed_out, {}, {}, {}); }
  static session_event of_notice(runtime::notice n) { return session_event(kind::notice, {}, {}, std::move(n)); }
  static session_event of_stop() { return session_event(kind::stop, {}, {}, {}); }

  kind what() const noexcept { return kind_; }
  bool is_data() const noexcept { return kind_ == kind::data; }
  bool is_closed() const noexcept { return kind_ == kind::closed; }
  bool is_timeout() const noexcept { return kind_ == kind::timed_out; }
  bool is_notice() const noexcept { return kind_ == kind::notice; }
  bool is_stop() const noexcept { return kind_ == kind::stop; }

  /// Plaintext, never empty; valid until the next call of next(), next_data() or start_tls().
  std::string_view data() const noexcept { return data_; }
  /// Why the connection is gone; empty: the peer closed it in order.
  const std::string& reason() const noexcept { return reason_; }
  const runtime::notice& notice() const noexcept { return notice_; }

private:
  session_event(kind k, std::string_view data, std::string reason, runtime::notice n)
      : kind_(k), data_(data), reason_(std::move(reason)), notice_(std::move(n)) {}

  kind kind_;
  std::string_view data_;
  std::string reason_;
  runtime::notice notice_;
};

class session_core;
class event_awaiter;
class write_awaiter;
class session_sleep_awaiter;

class session_io {
public:
  /// The next event, in this order when several wait: stop, data, notice, closed. `closed` comes after all that had
  /// arrived was taken, and again on every later call. `stop` comes once. Anything write_soon() holds is sent first.
  /// After `timeout` without an event: timed_out. No event is lost by a timeout. Data is held back, and with it all
  /// that would be made of it, while more than write_high_water octets of output are on their way to a slow reader.
  [[nodiscard]] event_awaiter next(std::chrono::nanoseconds timeout = forever);
  /// The same, but notices stay queued for a later next().
  [[nodiscard]] event_awaiter next_data(std::chrono::nanoseconds timeout = forever);

  /// Sends `bytes` (encrypted where TLS is on) after what write_soon() holds; waits only while more than
  /// write_high_water octets are on their way. `bytes` must live until the await is over. Slices of any size.
  /// errc::unavailable: the connection is closed, or the peer took nothing for write_timeout (then it is closed now).
  [[nodiscard]] write_awaiter write(std::string_view bytes);
  /// Adds to the output without sending: many small replies become one send at the next write(), next(), flush()
  /// or end. Unbounded by itself: whoever makes much output uses write().
  void write_soon(std::string_view bytes);
  /// Sends what write_soon() holds, with the same waiting as write().
  [[nodiscard]] write_awaiter flush();
  /// Octets given to write_soon() and not yet sent.
  std::size_t pending_output() const noexcept;

  /// Server side STARTTLS, STLS: sends what is pending in clear, DROPS all clear-text input that was read ahead (the
  /// caller drops its own; RFC 3207 4.2, 6), then does the handshake. `alpn` as in tls::stream::server.
  /// errc::invalid: handshake failed; errc::unavailable: closed or too slow. After an error only the end is left.
  [[nodiscard]] task<result<void>> start_tls(std::shared_ptr<const tls::server_context> context, std::string alpn = {});
  /// Client side, over a connection of ours: what is pending goes out in clear, clear-text input that was read ahead is
  /// DROPPED, then the handshake. `server_name`, `dane` as in tls::stream::client. Errors as start_tls().
  [[nodiscard]] task<result<void>> start_client_tls(std::shared_ptr<const tls::client_context> context,
                                                    std::string server_name,
                                                    std::shared_ptr<const tls::dane_check> dane = nullptr);
  /// Sends what is pending as it is; from then on all is compressed, in both directions (RFC 4978). Once.
  void start_compression();
  /// The TLS stream once established, for info() and channel bindings; null in clear.
  const tls::stream* tls() const noexcept;

  /// Asks another actor; `R` is the type of its one reply value (void: an empty reply). Never waits with .await.
  /// errc::unavailable: the actor is gone or failed, or (ask_for) did not answer in time: then the request may still be
  /// carried out (C4). errc::internal: it does not know the message, or replied with another type.
  /// When R is itself a result<T>, it is handed through as it is.
  template <class R, class Handle, class... Args>
  [[nodiscard]] auto ask(const Handle& whom, Args&&... args) {
    return host().template ask<R>(whom, std::forward<Args>(args)...);
  }
  template <class R, class Handle, class... Args>
  [[nodiscard]] auto ask_for(std::chrono::nanoseconds timeout, const Handle& whom, Args&&... args) {
    return host().template ask_for<R>(timeout, whom, std::forward<Args>(args)...);
  }

  /// Lets time pass. True: all of it; false: cut short because the connection closed or a stop was asked for.
  [[nodiscard]] session_sleep_awaiter sleep(std::chrono::nanoseconds duration);

  /// Closes in order: what was written goes out (TLS with close_notify), then the connection ends. next() gives closed.
  void close();
  bool closed() const noexcept;
  /// A stop was asked for (also after its event was taken).
  bool stopping() const noexcept;

  const net::endpoint_info& info() const noexcept;
  /// The connection is another's, for whom the peer speaks.
  void set_remote(std::string address, std::uint16_t port);
  const session_limits& limits() const noexcept;
  /// Handle of this session for whoever shall send it notices.
  notice_sink self() const;
  /// The actor beneath, for monitor(), send() and system().
  caf::event_based_actor& actor() const noexcept;
  /// Monotonic time on the actor system's clock (virtual in tests).
  std::chrono::steady_clock::time_point now() const;
  /// True once since the last call when notices were dropped.
  bool notices_lost() noexcept;
  /// What the admin port shows beside the kind, such as "alice@example.org".
  void set_label(std::string_view text);

  session_io(const session_io&) = delete;
  session_io& operator=(const session_io&) = delete;

private:
  friend class session_core;
  explicit session_io(session_core& core) noexcept : core_(core) {}
  coroutine_host& host() const noexcept;

  session_core& core_;
};

/// Messages a session takes.
using session_actor =
    caf::typed_actor<caf::reacts_to<net::received>, caf::reacts_to<net::write_done>, caf::reacts_to<net::peer_closed>,
                     caf::reacts_to<notice>, caf::reacts_to<stop_request>>;

struct session_settings {
  std::string kind; ///< "imap", "smtp", ...; shown by the admin port, groups the statistics
  net::connection_actor connection;
  net::endpoint_info info;
  std::shared_ptr<net::direct_output> output; ///< the connection's, where it has one
  /// With a context: TLS from the first octet (implicit TLS); the root starts when the handshake is over.
  std::shared_ptr<const tls::server_context> tls;
  std::string alpn; ///< for implicit TLS, as in tls::stream::server
  /// Set: the connection comes from a proxy and begins with a PROXY header, whose addresses take the place of those in
  /// `info` before anything else happens. Called with the client's address; what it returns is kept as long as the
  /// session, null: the client has too many connections.
  std::function<std::shared_ptr<void>(std::string_view address)> admit_proxied;
  /// The session itself. What it captures lives as long as the session; it is called once.
  std::function<task<void>(session_io&)> root;
  session_limits limits;
  std::uint64_t parent = 0; ///< actor id shown as its parent
};

/// Starts a session. An exception out of the root is logged at error level, closes this connection, and ends this
/// actor with exit reason unhandled_exception; nobody else is affected. The session monitors the connection and the
/// connection monitors the session: the end of one is the end of the other.
session_actor spawn_session(caf::actor_system& system, session_settings settings);

} // namespace merpati::runtime

#include "actors/runtime/session_awaiters.hpp" // IWYU pragma: export
