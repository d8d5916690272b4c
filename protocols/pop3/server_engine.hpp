// The server's side of POP3 as a plain object (RFC 1939, 2449, 2595, 3206, 5034). It reads octets, writes octets, and
// asks questions; whoever runs it owns the socket, TLS, the directory, the mailbox and time. APOP is left out: it needs
// the password itself on the server, and RFC 1939 makes it optional.
//
// Used as the SMTP engine is: start(), then next() and an answer, again and again; feed() on need_input.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "protocols/pop3/top_filter.hpp"
#include "protocols/sasl/line_exchange.hpp"
#include "protocols/text/dot_stuffing_writer.hpp"
#include "protocols/text/line_reader.hpp"

namespace merpati::pop3 {

struct server_limits {
  std::size_t command_line_bytes = 255; ///< RFC 2449 4, with CRLF
  std::size_t auth_line_bytes = 12288;  ///< RFC 5034 4, answers to "+"
  std::size_t errors = 20;              ///< -ERR for bad commands, then close
  std::size_t failed_logins = 3;        ///< then close: guessing has to connect anew
  std::size_t output_bytes = 64 * 1024; ///< output beyond this is handed out (send_output) before more is written
};

struct server_options {
  std::string hostname;
  std::string scram_nonce;              ///< for tests; empty: a new one each time
  bool tls_available = true;            ///< STLS is offered
  bool implicit_tls = false;            ///< TLS is on before the greeting (port 995)
  bool plaintext_login_allowed = false; ///< USER, PASS and AUTH without TLS (loopback, tests)
  server_limits limits;
};

/// A message of the maildrop.
struct maildrop_entry {
  std::uint64_t size_bytes = 0; ///< octets with CRLF line ends
  std::string unique_id;        ///< 1 to 70 characters from '!' to '~' (RFC 1939 7); the same in each session
};

/// Why something can't be done now.
enum class failure : std::uint8_t {
  bad_credentials, ///< -ERR [AUTH]; only to login
  temporary,       ///< -ERR [SYS/TEMP]
  in_use,          ///< -ERR [IN-USE]: another session holds the maildrop; only to login
  permanent,       ///< -ERR [SYS/PERM]
};

/// Everything fed was consumed: send the output, then feed() more.
struct need_input {};
/// The +OK is in the output. Send it, run the TLS handshake, then tls_started(); close when the handshake fails.
struct start_tls {};
/// Check the password and lock the maildrop. Answer with login_accepted() or login_refused(). Values are SASLprepped;
/// authzid is empty but for AUTH with one.
struct login {
  std::string authzid;
  std::string user;
  std::string password;
};
/// Fetch the keys that a proof of `user` is checked against. Answer with scram_keys() or login_refused().
struct scram_lookup {
  std::string user;
};
/// The client proved that it knows the password of `user`: lock the maildrop. Answer as login.
struct scram_proven {
  std::string authzid;
  std::string user;
};
/// Send message `index` (its place in the maildrop, from 0). Answer with retrieve_accepted(), then body() until it says
/// that it has enough or the message ends, then body_end(); or with retrieve_refused().
struct retrieve {
  std::size_t index;
  std::optional<std::uint32_t> top_lines; ///< TOP: the header and so many lines of the body; body() counts them
};
/// QUIT after a login: remove these messages for good, then committed() or commit_failed(). Asked only when there are
/// any.
struct commit {
  std::vector<std::size_t> deleted; ///< ascending
};
/// A long listing or many pipelined replies fill the output: send it, then call next() again.
struct send_output {};
/// Send the output, then close the connection (and release the maildrop). Every further next() says so again.
struct close {};

using step =
    std::variant<need_input, start_tls, login, scram_lookup, scram_proven, retrieve, commit, send_output, close>;

class server_engine {
public:
  explicit server_engine(server_options options);

  /// Writes the greeting. Call once.
  void start();

  /// Hands input over. The octets must stay where they are until next() has said need_input or close, or until the
  /// next feed(), which keeps what was not consumed yet.
  void feed(std::string_view input) {
    if (mode_ != mode::closed)
      reader_.feed(input);
  }

  /// The next step. After a question its answer has to come before the next call; std::logic_error otherwise (a bug of
  /// the caller).
  step next();

  /// The bytes to send so far; the engine's buffer is empty afterwards.
  std::string take_output() { return std::exchange(output_, {}); }
  bool has_output() const noexcept { return !output_.empty(); }
  /// Octets that wait in the output: take them before giving more than a buffer's worth to body().
  std::size_t output_bytes() const noexcept { return output_.size(); }

  // --- answers; std::logic_error when no such question is open, ignored after shutdown() ---
  void tls_started();
  void scram_keys(sasl::scram_credentials of_user);
  void login_accepted(std::vector<maildrop_entry> maildrop);
  void login_refused(failure why);
  void retrieve_accepted();
  void retrieve_refused(failure why);
  /// The next octets of the message. False: TOP has all it wants; go on to body_end().
  bool body(std::string_view octets);
  void body_end();
  void committed();
  void commit_failed(failure why);

  /// What the TLS connection offers to SCRAM-SHA-256-PLUS: before start() with implicit TLS, before tls_started() else.
  void set_channel_bindings(sasl::channel_bindings bindings) { bindings_ = std::move(bindings); }

  /// The message can't be read to its end: the connection has to be closed, since no reply can say so any more.
  void body_failed();

  /// Ends the session from our side at any time; nothing is deleted. `response_code` without brackets, may be empty.
  void shutdown(std::string_view response_code, std::string_view text);

  // --- facts ---
  bool tls_active() const noexcept { return tls_; }
  bool is_logged_in() const noexcept { return mode_ == mode::transaction; }
  const server_options& options() const noexcept { return options_; }

private:
  friend struct command_handlers;

  enum class mode : std::uint8_t { fresh, authorization, transaction, auth_response, closed };
  enum class question : std::uint8_t { none, tls, login, keys, retrieve, body, commit };
  struct listing {
    bool unique_ids = false;
    std::size_t next = 0;
  };

  std::optional<step> next_line();
  std::optional<step> run_command(std::string_view line);
  std::optional<step> continue_listing();
  std::optional<step> begin_auth(std::string_view mechanism, std::optional<std::string_view> initial);
  std::optional<step> take_auth_step(sasl::line_exchange::step s);
  sasl::channel_bindings offered_bindings() const { return tls_ ? bindings_ : sasl::channel_bindings(); }
  std::optional<step> ask_login(std::string_view user, std::string_view password);
  void fail_login();
  void refuse_plaintext();
  void reset_deletions();
  void begin_text(std::size_t index, std::optional<std::uint32_t> top_lines);
  std::optional<std::size_t> message_number(std::string_view text);
  step ask(question q, step s);
  bool answer(question q);
  void ok(std::string_view text);
  void error(std::string_view response_code, std::string_view text);
  void bad_command(std::string_view text);
  void end_session();
  bool login_possible() const noexcept { return tls_ || options_.plaintext_login_allowed; }

  server_options options_;
  text::line_reader reader_;
  text::dot_stuffing_writer stuffing_;
  std::optional<top_filter> top_; ///< for the TOP that is being answered
  std::string text_ok_;           ///< of the RETR or TOP that is being answered
  std::string output_;
  sasl::channel_bindings bindings_;
  std::optional<sasl::line_exchange> exchange_; ///< while AUTH is under way
  std::string user_;                            ///< what USER said; empty: PASS may not follow
  std::vector<maildrop_entry> maildrop_;
  std::vector<bool> deleted_;
  std::size_t deleted_count_ = 0;
  std::uint64_t octets_ = 0;       ///< of what is not deleted
  std::optional<listing> listing_; ///< LIST or UIDL that is being written
  mode mode_ = mode::fresh;
  question question_ = question::none;
  bool tls_ = false;
  std::size_t errors_ = 0;
  std::size_t failed_logins_ = 0;
};

} // namespace merpati::pop3
