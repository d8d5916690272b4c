// connection_broker: one TCP connection. It moves bytes between the socket and the session and nothing else, since one
// thread runs all brokers.
//
// owns: the socket; its share of the connection limits.
// receives: send_bytes, consumed, close_connection from its session; stop_request; what the socket reports.
// sends: received, write_done, peer_closed to its session.
// dies when: the peer closes; the session ends or closes and all was sent (or the peer does not take it in time).
// supervised by: the supervisor of sessions, which waits for it when the daemon stops. Never restarted, never blocks.
#pragma once

#include <cstdint>
#include <string>

#include <caf/all.hpp>
#include <caf/io/all.hpp>

#include "actors/net/connection.hpp"
#include "actors/net/limiter.hpp"
#include "actors/net/listener.hpp"
#include "actors/net/socket_output.hpp"
#include "actors/runtime/stats.hpp"

namespace merpati::net {

struct connection_settings {
  caf::io::scribe_ptr scribe;
  int descriptor = -1; ///< of the scribe's socket; belongs to the scribe
  endpoint_info info;
  admission admitted;
  session_factory make_session;
  runtime::supervisor_actor sessions;
  int sessions_phase = 0;
  std::uint64_t parent = 0;
};

class connection_broker final : public caf::io::broker {
public:
  connection_broker(caf::actor_config& config, connection_settings settings);

  const char* name() const override { return "connection"; }
  void on_exit() override;

protected:
  caf::behavior make_behavior() override;

private:
  void begin();
  void on_data(caf::io::new_data_msg& m);
  void on_written(const caf::io::data_transferred_msg& m);
  void on_send(send_bytes& m);
  void tell_progress();
  void on_consumed(const consumed& m);
  void on_closed();
  void on_session_gone();
  void on_stop();
  void finish_when_sent();
  void fit_read_buffer(std::size_t got);
  bool over_window() const noexcept { return forwarded_ - consumed_ >= read_window; }

  connection_settings settings_;
  runtime::stats_handle stats_;
  caf::io::connection_handle socket_;
  std::shared_ptr<socket_output> output_;
  caf::actor session_;
  std::uint64_t forwarded_ = 0;
  std::uint64_t consumed_ = 0;
  std::uint64_t accepted_ = 0; // octets from the session
  std::uint64_t written_ = 0;  // of these, taken by the kernel
  std::uint64_t told_ = 0;     // of these, reported to the session
  std::size_t read_size_ = 0;
  unsigned small_reads_ = 0; // in a row
  std::size_t discarded_ = 0;
  bool paused_ = false;
  bool closing_ = false;  // nothing more goes to or comes from the session
  bool fin_sent_ = false; // waiting for the peer to close its side
};

} // namespace merpati::net
