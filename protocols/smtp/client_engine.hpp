// The client's side of SMTP and LMTP as a plain object (RFC 5321, 1870, 2033, 2920, 3030, 3207, 3461, 4954, 6152, 6531,
// 8689). It reads octets, writes octets and says what is to happen; whoever runs it owns the socket, TLS, the message
// and time.
//
//   client_engine engine(options);
//   loop: send(engine.take_output());
//         auto step = engine.next();
//         need_input: wait engine.timeout() for octets, then feed(); lost() when none come
//         start_tls:  the handshake, then tls_started()
//         ready:      begin(message), or quit()
//         send_body:  write_body() for all octets of the message, sending take_output() as it grows, then end_body()
//         message_over: outcomes() tells what became of each recipient; ready or closed follows
//         closed:     failure() tells why, where it was not quit()
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "protocols/smtp/client_extensions.hpp"
#include "protocols/smtp/client_reply.hpp"
#include "protocols/smtp/envelope.hpp"
#include "protocols/text/dot_stuffing_writer.hpp"

namespace merpati::smtp {

enum class client_tls : std::uint8_t {
  none, ///< STARTTLS is not used
  may,  ///< used where it is offered
  need, ///< nothing but EHLO, STARTTLS and QUIT is said without it
};

struct client_options {
  std::string hostname; ///< for EHLO
  bool lmtp = false;
  client_tls tls = client_tls::may;
  bool implicit_tls = false; ///< TLS is on before the greeting
  std::string user;          ///< AUTH; empty: none
  std::string password;
  bool plaintext_auth_allowed = false; ///< without TLS: hosts on this machine only
};

struct client_message {
  envelope to; ///< at least one recipient
  std::uint64_t size_bytes = 0;
  bool size_estimated = false; ///< the message is changed on its way: DATA is used, which needs no exact size
};

enum class client_verdict : std::uint8_t {
  delivered,
  deferred,
  failed,
  untried, ///< the server takes no more recipients with this message, or the connection ended before it was its turn
};

struct client_outcome {
  client_verdict what = client_verdict::untried;
  std::string status;    ///< RFC 3463
  std::string text;      ///< what the server said, or what happened
  bool is_reply = false; ///< `text` is the server's
  bool unknown = false;  ///< the message was sent and its reply did not come: it may have been taken
};

enum class client_step : std::uint8_t { need_input, start_tls, ready, send_body, message_over, closed };

/// Why a connection is of no use.
struct client_failure {
  std::string status; ///< RFC 3463; class 5: no message will ever pass this server from here
  std::string text;
  bool is_reply = false; ///< `text` is the server's
};

class client_engine {
public:
  explicit client_engine(client_options options);

  void feed(std::string_view octets) { replies_.feed(octets); }
  client_step next();
  std::string take_output() { return std::exchange(output_, {}); }
  std::size_t pending_output() const noexcept { return output_.size(); }

  void tls_started();
  /// After `ready`. Where the server can't take the message as it is, message_over follows at once.
  void begin(client_message message);
  /// After `ready`.
  void quit();

  /// Appends the next octets of the message to the output. Between send_body and end_body(), and in all as many as
  /// size_bytes says unless that is an estimate; std::logic_error otherwise (a bug of the caller).
  void write_body(std::string_view octets);
  void end_body();

  /// The connection is gone, or its time is over: `text` says which.
  void lost(std::string text);

  /// How long the next whole reply may take, however it drips. RFC 5321 4.5.3.2
  std::chrono::seconds timeout() const noexcept;
  /// Whole replies so far.
  std::uint64_t replies() const noexcept { return reply_count_; }
  /// One for each recipient of the message that is over, in order.
  const std::vector<client_outcome>& outcomes() const noexcept { return outcomes_; }
  const std::optional<client_failure>& failure() const noexcept { return failure_; }
  const client_extensions& extensions() const noexcept { return offered_; }
  bool is_tls_active() const noexcept { return tls_; }
  /// After `ready`: the server does not take 8-bit bodies, or not binary ones, and a message with these parameters may
  /// have one, for clients send octets above 127 without a word about them. It should be looked at and converted where
  /// it needs that (RFC 6152 3, RFC 3030 3), and begun as one of body_type::seven_bit.
  bool needs_seven_bit(const mail_parameters& parameters) const noexcept;

private:
  enum class state : std::uint8_t {
    greeting,
    hello, ///< EHLO, LHLO or HELO said
    starttls,
    handshake,
    auth,
    ready,
    envelope, ///< MAIL, RCPT, DATA
    body,
    final_reply,
    over, ///< outcomes are to be told
    reset,
    quitting,
    closed,
  };
  /// What a reply that is still to come answers.
  struct pending {
    enum class command : std::uint8_t { mail, rcpt, data } what;
    std::size_t recipient = 0;
  };

  std::optional<client_step> take(const client_reply& reply);
  void say(std::string_view line);
  void say_hello(std::string_view verb);
  void take_greeting(const client_reply& reply);
  void take_hello(const client_reply& reply);
  void after_hello();
  void begin_auth();
  void take_auth(const client_reply& reply);
  void fail_connection(const client_reply& reply);
  void fail_connection(client_failure why);

  bool refuse_as_it_is();
  void send_envelope();
  void send_next_command();
  std::string mail_command() const;
  std::string rcpt_command(const recipient& to) const;
  void take_envelope(const client_reply& reply);
  void settle(std::size_t recipient, const client_reply& reply);
  void settle_open(const client_outcome& outcome);
  void after_envelope();
  void take_final(const client_reply& reply);
  void end_message();
  void leave_message();
  bool in_chunks() const noexcept;
  bool any_accepted() const;

  client_options options_;
  client_reply_reader replies_;
  client_extensions offered_;
  std::string output_;
  state state_ = state::greeting;
  bool tls_ = false;
  bool helo_ = false; ///< EHLO was refused
  bool authenticated_ = false;
  bool closing_ = false;        ///< the server said 421
  bool answered_ = false;       ///< the server has said something about this message
  bool data_sent_ = false;      ///< DATA is pipelined behind the recipients
  bool message_failed_ = false; ///< the server still has an envelope
  std::vector<std::string> auth_lines_;
  client_message message_;
  std::vector<pending> pending_; ///< front first
  std::size_t next_recipient_ = 0;
  std::vector<std::size_t> accepted_; ///< in the order of their replies
  std::vector<client_outcome> outcomes_;
  std::vector<bool> settled_;
  std::size_t messages_ = 0;
  std::uint64_t reply_count_ = 0;
  std::uint64_t chunk_left_ = 0; ///< octets of the chunk that are still to be written
  std::size_t finals_ = 0;       ///< replies after the data that have come (LMTP)
  text::dot_stuffing_writer stuffing_;
  std::optional<client_failure> failure_;
};

} // namespace merpati::smtp
