// session_core: the actor beneath a session coroutine.
//
// owns: the root coroutine, the TLS stream, unread input and unsent output.
// receives: received, write_done, peer_closed from its connection; notice and stop_request from anyone.
// sends: send_bytes, consumed, close_connection to its connection.
// dies when: the root coroutine is over, by return or by exception; when killed.
// supervised by: the supervisor of sessions that adopted it; never restarted. Never blocks.
#pragma once

#include <cstdint>
#include <deque>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <caf/all.hpp>

#include "actors/net/connection.hpp"
#include "actors/runtime/coroutine_host.hpp"
#include "actors/runtime/session.hpp"
#include "actors/runtime/stats.hpp"
#include "protocols/compress/deflate_layer.hpp"
#include "protocols/proxy/header_reader.hpp"

namespace merpati::runtime {

class session_core final : public caf::event_based_actor {
public:
  session_core(caf::actor_config& config, session_settings settings);

  // Waits of the coroutine.
  bool has_event(bool with_notices) const;
  session_event take_event(bool with_notices);
  /// Before a wait for events: the last data is used up and what was written goes out.
  void begin_wait();
  /// Sends as much of `bytes` as the high-water mark allows; what is left.
  std::string_view push(std::string_view bytes);
  bool over_high_water() const noexcept { return sent_ - acknowledged_ > settings_.limits.write_high_water; }
  /// Until when the peer must have taken some of the output; max when there is none.
  coroutine_host::time_point stall_deadline() const;
  void give_up(std::string why);
  bool handshaking() const noexcept;
  bool awaits_proxy_header() const noexcept { return proxy_ != nullptr; }
  void set_remote(std::string address, std::uint16_t port);

  // session_io
  void write_soon(std::string_view bytes) { output_.insert(output_.end(), bytes.begin(), bytes.end()); }
  std::size_t pending_output() const noexcept { return output_.size(); }
  /// Either side of the handshake begins; an error in `made` ends the session.
  result<void> begin_tls(result<tls::stream> made);
  const tls::stream* tls() const noexcept;
  void flush_output();
  void start_compression();
  void close();
  bool closed() const noexcept { return closing_ || gone_; }
  bool stopping() const noexcept { return stopping_; }
  bool take_notices_lost() noexcept { return std::exchange(notices_lost_, false); }
  const std::string& closed_reason() const noexcept { return reason_; }
  const session_settings& settings() const noexcept { return settings_; }
  coroutine_host& host() noexcept { return host_; }
  stats_handle& stats() noexcept { return stats_; }

  const char* name() const override { return "session"; }
  caf::invoke_message_result consume(caf::mailbox_element& message) override;
  void on_exit() override;

protected:
  caf::behavior make_behavior() override;

private:
  task<void> run();
  void on_received(net::bytes& data);
  void on_write_done(std::uint64_t total);
  void on_peer_closed(std::string reason);
  void on_notice(const notice& n);
  void on_stop();
  void on_ended(std::exception_ptr failure);
  void after_event();
  /// Takes the header from the front of `data`. False: it is not complete, or the session is over.
  bool read_proxy_header(net::bytes& data);
  void decrypt(std::string_view ciphertext, net::bytes& plain_out);
  /// Gets the next piece of compressed input ready, where the last one is used up.
  void inflate();
  void send_wire(net::bytes data);
  void report_consumed();

  session_settings settings_;
  stats_handle stats_;
  session_io io_;
  std::unique_ptr<proxy::header_reader> proxy_; ///< until the header has come
  std::shared_ptr<void> proxied_;               ///< what admit_proxied gave
  std::optional<tls::stream> tls_;
  std::unique_ptr<compress::deflate_layer> compression_;
  net::bytes input_;                            // arrived, decrypted, inflated, not taken
  net::bytes taken_;                            // what the last data event shows
  net::bytes output_;                           // plaintext not yet sent
  std::unique_ptr<std::deque<notice>> notices_; // made when the first one comes: an empty deque takes 600 octets
  std::uint64_t received_ = 0;                  // octets from the connection
  std::uint64_t consumed_ = 0;                  // of these, used up
  std::uint64_t reported_ = 0;                  // of these, told to the connection
  std::uint64_t sent_ = 0;                      // octets to the connection
  std::uint64_t direct_ = 0;                    // of these, by the direct way
  std::uint64_t acknowledged_ = 0;              // of these, taken by the kernel
  coroutine_host::time_point progress_;         // when output last moved, or began to wait
  std::string reason_;
  bool ended_ = false;   // no more input will come, output may still go
  bool gone_ = false;    // the connection is no more
  bool closing_ = false; // we closed
  bool stopping_ = false;
  bool stop_pending_ = false;
  bool notices_lost_ = false;
  coroutine_host host_; // last: its frames use all of the above
};

} // namespace merpati::runtime
