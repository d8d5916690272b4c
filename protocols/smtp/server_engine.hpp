// The server's side of SMTP and LMTP as a plain object (RFC 5321, 1870, 2033, 2034, 2852, 2920, 3030, 3207, 3461, 4954,
// 6152, 6531, 6710, 8689, 9422). It reads octets, writes octets, and asks questions; whoever runs it owns the socket,
// TLS, the directory, the store and time.
//
//   engine.start();                                   // the greeting is in take_output()
//   loop: send(engine.take_output());
//         auto step = engine.next();                  // a question, a piece of a message, need_input or close
//         answer it with its method, feed() on need_input, end on close
//
// After every next() and every answer there may be output. Output that is held back until the next need_input or close
// (as take_output() before each wait does by itself) answers pipelined commands in one piece, as RFC 2920 3.2 wishes.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "protocols/sasl/line_exchange.hpp"
#include "protocols/smtp/data_decoder.hpp"
#include "protocols/smtp/envelope.hpp"
#include "protocols/smtp/esmtp_parameters.hpp"
#include "protocols/smtp/message_findings.hpp"
#include "protocols/smtp/newline_normaliser.hpp"
#include "protocols/smtp/reply.hpp"
#include "protocols/smtp/server_steps.hpp"
#include "protocols/text/line_reader.hpp"

namespace merpati::smtp {

enum class server_kind : std::uint8_t {
  mx,         ///< port 25: mail from anybody for our own users
  submission, ///< ports 587 and 465: mail from our own users (RFC 6409), who authenticate first
  lmtp,       ///< mail from a server in front of us, which keeps what we don't take (RFC 2033)
};

/// What becomes of a CR or LF that is not part of a CRLF inside a message. It never ends the message.
enum class bare_newlines : std::uint8_t {
  refuse,    ///< 550 5.5.2 after the message
  normalise, ///< each becomes CRLF
};

struct server_limits {
  std::size_t command_line_bytes = 2048;     ///< RFC 5321 4.5.3.1.4 asks for 512, extensions lengthen it
  std::size_t auth_line_bytes = 12288;       ///< RFC 4954 3, AUTH commands and the answers to 334
  std::uint64_t message_bytes = 50ull << 20; ///< announced with SIZE; decoded octets
  std::size_t recipients = 1000;             ///< per message; RFC 5321 4.5.3.1.8 asks for at least 100
  std::size_t errors = 20;                   ///< replies of 5xx since the last message that was taken, then 421
  std::size_t idle_commands = 100;           ///< NOOP, RSET, VRFY, HELP, EHLO without a message; more count as errors
};

struct server_options {
  server_kind kind = server_kind::mx;
  std::string hostname;                                            ///< in the greeting and the answer to EHLO
  bool tls_available = true;                                       ///< STARTTLS is offered
  bool implicit_tls = false;                                       ///< TLS is on before the greeting (port 465)
  bool plaintext_auth_allowed = false;                             ///< AUTH without TLS (loopback, tests)
  smtp::bare_newlines bare_newlines = smtp::bare_newlines::refuse; ///< BODY=BINARYMIME has no lines: nothing is bare
  /// FUTURERELEASE (RFC 4865) on submission: the longest time, and when that is over from now on; 0: not offered.
  std::chrono::seconds longest_hold{0};
  std::string latest_release;   ///< RFC 3339
  bool xclient_allowed = false; ///< the peer may say XCLIENT
  bool report_unknown = false;  ///< next() tells of unknown commands
  std::string scram_nonce;      ///< for tests; empty: a new one from the generator each time
  server_limits limits;
};

struct command; // of the verb table, server_commands.hpp

class server_engine {
public:
  explicit server_engine(server_options options);

  /// Writes the greeting, or 554 5.5.0 and close when the client talked first (input was fed before start(); on
  /// implicit TLS and on submission early input is borne). Call once.
  void start();

  /// Hands input over. The octets must stay where they are until next() has said need_input or close, or until the
  /// next feed(), which keeps what was not consumed yet.
  void feed(std::string_view input) {
    if (mode_ != mode::closed)
      reader_.feed(input);
  }

  /// The next step. After a question (start_tls, authenticate, client_claim, unknown_command, mail_from, rcpt_to,
  /// data_begin, data_end) its answer has to come before the next call; std::logic_error otherwise (a bug of the
  /// caller).
  step next();

  /// The bytes to send so far; the engine's buffer is empty afterwards.
  std::string take_output() { return std::exchange(output_, {}); }
  bool has_output() const noexcept { return !output_.empty(); }

  // --- answers; std::logic_error when no such question is open, ignored after shutdown() ---

  /// Yes, to mail_from, rcpt_to, data_begin, data_end and unknown_command. `text` goes into the reply of data_end:
  /// "queued as 4711".
  void accept(std::string_view text = {});
  /// No, to the same and to client_claim. With code 421 the session ends.
  void refuse(const reply& why);
  /// To data_end: over LMTP one reply for each recipient, in the order of the envelope (RFC 2033 4.2), where accept()
  /// and refuse() say the same for each; else one reply. After a 421 the session ends.
  void answer_each(std::span<const reply> replies);
  void authenticated(auth_outcome outcome);
  void scram_keys(sasl::scram_credentials of_user);
  /// Yes, to client_claim: the session is as after connecting (XCLIENT_README), greeting included; `logged_in` tells
  /// whether the client has authenticated to the peer that speaks for it.
  void speaks_for(bool logged_in);
  /// The handshake is done: input in clear that came behind STARTTLS is dropped, the session is as after connecting
  /// but without a new greeting (RFC 3207 4.2).
  void tls_started();

  /// Ends the session from our side, at any time and whatever question is open: the reply goes out (421 4.3.2,
  /// 421 4.4.2, ...), next() says data_aborted when a message was open, and then close.
  void shutdown(const reply& why);

  /// What the TLS connection offers to SCRAM-SHA-256-PLUS: before start() with implicit TLS, before tls_started() else.
  void set_channel_bindings(sasl::channel_bindings bindings) { bindings_ = std::move(bindings); }

  // --- facts ---
  const std::string& helo() const noexcept { return helo_; } ///< empty before HELO or EHLO
  bool is_extended() const noexcept { return extended_; }    ///< EHLO or LHLO, not HELO
  bool tls_active() const noexcept { return tls_; }
  bool is_authenticated() const noexcept { return authenticated_; }
  /// Of the last AUTH: "SCRAM-SHA-256"; empty where there was none.
  const std::string& auth_mechanism() const noexcept { return auth_mechanism_; }
  const server_options& options() const noexcept { return options_; }
  std::size_t errors() const noexcept { return errors_; }
  /// True while a message is being received (for the minimum data rate).
  bool in_data() const noexcept { return mode_ == mode::data || mode_ == mode::chunk; }

private:
  friend struct command_handlers;

  enum class mode : std::uint8_t { fresh, command, auth_response, data, chunk, closed };
  enum class question : std::uint8_t { none, tls, auth, keys, claim, unknown, mail, rcpt, begin, end, closed };

  void greet();
  void forget_client();
  std::optional<step> next_command();
  std::optional<step> run(const command& found, std::string_view argument);
  reply refuse_order(std::uint8_t legal_states) const;
  std::uint8_t state() const noexcept;
  bool auth_offered() const noexcept;
  extension_set offered() const noexcept;
  std::string extension_list() const;
  std::optional<step> next_auth_response();
  std::optional<step> next_data();
  std::optional<step> next_chunk();
  std::optional<step> end_of_chunk();
  std::optional<step> begin_chunk(std::uint64_t size_bytes, bool last);
  std::optional<reply> refusal_of_chunk(std::uint64_t size_bytes) const;
  std::optional<reply> refusal_of(const message_findings& found) const;
  step give(std::string_view octets);
  void begin_accepted();
  void answer_all(const reply& r);
  void end_message(bool taken);
  std::optional<step> refuse_line(text::line_status status);
  std::optional<step> begin_auth(std::string_view argument);
  std::optional<step> take_auth_step(sasl::line_exchange::step s);
  std::optional<step> auth_failed(const reply& why);
  step ask(question q, step s);
  question answered();
  void say(const reply& r);
  void end_session(const std::optional<reply>& farewell);
  void count_idle();
  void reset_transaction() noexcept;
  std::size_t line_limit() const;

  server_options options_;
  text::line_reader reader_;
  data_decoder decoder_;
  sasl::channel_bindings bindings_;
  std::optional<sasl::line_exchange> exchange_; ///< while AUTH is under way
  octet_inspector inspector_;                   ///< of a message in chunks
  newline_normaliser normaliser_;
  std::string output_;
  std::string auth_mechanism_;
  std::string helo_;
  smtp::envelope envelope_;
  mail_from pending_mail_;
  rcpt_to pending_recipient_;
  mode mode_ = mode::fresh;
  question question_ = question::none;
  bool extended_ = false;
  bool tls_ = false;
  bool authenticated_ = false;
  bool sender_given_ = false;
  bool recipient_refused_ = false; ///< RCPT was tried and refused since MAIL
  bool message_open_ = false;      ///< the caller holds a message that was begun and neither ended nor aborted
  bool abort_pending_ = false;     ///< the caller has to be told that it is dropped
  bool in_chunks_ = false;         ///< BDAT was said in this transaction
  bool chunk_is_last_ = false;
  std::uint64_t chunk_left_ = 0;       ///< octets of the current chunk that have not come yet
  std::optional<reply> chunk_refusal_; ///< the chunk is swallowed, then this is said
  std::size_t errors_ = 0;
  std::size_t idle_commands_ = 0;
};

} // namespace merpati::smtp
