// scripted_peer: the far end of a session in a test. It plays the connection on the deterministic scheduler and, when
// asked, the TLS client: what is sent goes to the session whole, one octet at a time or cut at random; what the session
// answers is collected.
//
//   deterministic_system system;
//   scripted_peer peer(system, settings);      // settings.root is the session under test
//   peer.send("NOOP\r\n");
//   CHECK(peer.take() == "...");
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>

#include <caf/all.hpp>

#include "actors/net/connection.hpp"
#include "actors/runtime/session.hpp"
#include "protocols/tls/stream.hpp"
#include "tests/support/actors/deterministic_system.hpp"

namespace merpati::test {

/// How input is cut before the session gets it.
enum class cutting : std::uint8_t { whole, octets, random };

class scripted_peer {
public:
  /// Starts the session of `settings`; its connection is this peer. `early` is in the session's mailbox before it runs
  /// for the first time.
  scripted_peer(deterministic_system& system, runtime::session_settings settings, std::string_view early = {})
      : system_(system) {
    auto connection = system.system().spawn<connection_actor>(wire_);
    settings.connection = caf::actor_cast<net::connection_actor>(connection);
    if (settings.kind.empty())
      settings.kind = "test";
    if (settings.info.remote_address.empty())
      settings.info = net::endpoint_info{"192.0.2.1", 40000, "192.0.2.25", 25};
    wire_->session = caf::actor_cast<caf::actor>(runtime::spawn_session(system.system(), std::move(settings)));
    wire_->connection = connection;
    caf::anon_send(connection, caf::unit);
    if (!early.empty())
      post(early);
    system_.run();
  }
  ~scripted_peer() {
    if (wire_->connection)
      close();
    wire_->session = nullptr;
  }
  scripted_peer(const scripted_peer&) = delete;
  scripted_peer& operator=(const scripted_peer&) = delete;

  /// From now on; `seed` for cutting::random.
  void cut(cutting how, std::uint32_t seed = 1) {
    cutting_ = how;
    random_.seed(seed);
  }

  /// Sends, encrypted once TLS is on, and runs all actors until nothing is left to do.
  void send(std::string_view text) {
    if (!tls_) {
      send_raw(text);
      return;
    }
    std::vector<char> cipher;
    const auto written = tls_->write(text, cipher);
    CHECK(written);
    send_raw(std::string_view(cipher.data(), cipher.size()));
  }

  /// Sends octets as they are, TLS or not.
  void send_raw(std::string_view octets) {
    while (!octets.empty()) {
      const auto size = next_size(octets.size());
      post(octets.substr(0, size));
      octets.remove_prefix(size);
      system_.run();
      pump();
    }
  }

  /// All that came from the session since the last call, decrypted once TLS is on.
  std::string take() {
    pump();
    return std::exchange(plain_, {});
  }
  /// The octets on the wire since the last call of take() or this; only without TLS.
  std::string take_raw() { return std::exchange(wire_->out, {}); }

  /// Begins TLS as client and does the handshake; the session must expect it. False: it failed.
  bool start_tls(std::shared_ptr<const tls::client_context> context, std::string_view server_name) {
    pump();
    auto made = tls::stream::client(std::move(context), server_name);
    if (!made)
      return false;
    tls_.emplace(std::move(*made));
    std::vector<char> hello;
    const auto begun = tls_->start(hello);
    CHECK(begun);
    send_raw(std::string_view(hello.data(), hello.size()));
    pump();
    return tls_->state() == tls::stream_state::established;
  }
  const tls::stream& tls() const { return *tls_; }
  /// TLS only: says that no more will be sent.
  void send_close_notify() {
    std::vector<char> cipher;
    tls_->close(cipher);
    send_raw(std::string_view(cipher.data(), cipher.size()));
  }

  /// The peer goes away; an empty reason is an orderly end.
  void close(std::string reason = {}) {
    if (wire_->connection)
      caf::anon_send(wire_->connection, net::peer_closed{std::move(reason)});
    system_.run();
  }

  /// The connection actor dies without a word.
  void kill_connection() {
    caf::anon_send_exit(wire_->connection, caf::exit_reason::kill);
    system_.run();
  }

  /// With false, octets sent by the session stay unacknowledged until acknowledge().
  void acknowledge_at_once(bool on) { wire_->acknowledge = on; }
  /// Acknowledges `octets` more.
  void acknowledge(std::uint64_t octets) {
    wire_->acknowledged = std::min(wire_->acknowledged + octets, wire_->sent);
    caf::anon_send(wire_->session, net::write_done{wire_->acknowledged});
    system_.run();
  }
  std::uint64_t unacknowledged() const { return wire_->sent - wire_->acknowledged; }

  /// Octets given to the session and not yet reported as used up.
  std::uint64_t unconsumed() const { return given_ - wire_->consumed; }
  /// The session closed in order (close_connection).
  bool closed() const { return wire_->closed; }
  /// The session actor has ended, however that was.
  bool ended() const { return wire_->ended; }
  /// Why, for ended sessions.
  const caf::error& end_reason() const { return wire_->reason; }
  caf::actor session() const { return wire_->session; }
  deterministic_system& system() noexcept { return system_; }

private:
  struct wire {
    std::string out;
    std::uint64_t sent = 0;
    std::uint64_t acknowledged = 0;
    std::uint64_t consumed = 0;
    bool acknowledge = true;
    bool closed = false;
    bool ended = false;
    caf::error reason;
    caf::actor session;
    caf::actor connection;
  };

  class connection_actor final : public caf::event_based_actor {
  public:
    connection_actor(caf::actor_config& config, std::shared_ptr<wire> w)
        : caf::event_based_actor(config), wire_(std::move(w)) {}
    void on_exit() override {
      wire_->connection = nullptr;
      wire_.reset();
    }

  protected:
    caf::behavior make_behavior() override {
      set_down_handler([this](caf::down_msg& down) {
        wire_->ended = true;
        wire_->reason = down.reason;
        quit();
      });
      return {[this](caf::unit_t) { monitor(wire_->session); },
              [this](net::send_bytes& m) {
                wire_->sent += m.data.size();
                wire_->out.append(m.data.begin(), m.data.end());
                if (wire_->acknowledge) {
                  wire_->acknowledged = wire_->sent;
                  send(wire_->session, net::write_done{wire_->acknowledged});
                }
              },
              [this](const net::consumed& m) { wire_->consumed = m.total_bytes; },
              [this](net::close_connection) { wire_->closed = true; },
              [this](net::peer_closed& m) { send(wire_->session, std::move(m)); }};
    }

  private:
    std::shared_ptr<wire> wire_;
  };

  std::size_t next_size(std::size_t left) {
    switch (cutting_) {
    case cutting::octets: return 1;
    case cutting::random: return std::min<std::size_t>(left, 1 + random_() % 97);
    case cutting::whole: break;
    }
    return left;
  }

  void post(std::string_view octets) {
    given_ += octets.size();
    caf::anon_send(wire_->session, net::received{net::bytes(octets.begin(), octets.end())});
  }

  /// Decrypts what has come; answers what TLS wants answered.
  void pump() {
    while (!wire_->out.empty()) {
      const auto octets = std::exchange(wire_->out, {});
      if (!tls_) {
        plain_ += octets;
        continue;
      }
      std::vector<char> text;
      std::vector<char> reply;
      (void)tls_->feed(octets, text, reply);
      plain_.append(text.begin(), text.end());
      if (!reply.empty())
        send_raw(std::string_view(reply.data(), reply.size()));
    }
  }

  deterministic_system& system_;
  std::shared_ptr<wire> wire_ = std::make_shared<wire>();
  std::optional<tls::stream> tls_;
  std::string plain_;
  std::uint64_t given_ = 0;
  cutting cutting_ = cutting::whole;
  std::mt19937 random_{1};
};

/// One line to the session, and all that it answers.
inline std::string say(scripted_peer& peer, const std::string& line) {
  peer.send(line + "\r\n");
  return peer.take();
}

} // namespace merpati::test
