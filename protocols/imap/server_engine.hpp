// The server's side of an IMAP connection as a plain object: octets in, steps and octets out (RFC 3501, RFC 9051).
//
//   engine.start();                                   // the greeting
//   for (;;) {
//     auto s = engine.next();
//     send(engine.take_output());                     // whenever there is some
//     need_input    -> engine.feed(octets from the client)
//     send_output   -> nothing but the sending above
//     execute       -> carry it out: untagged responses into engine.output(), then engine.finish(reply)
//     log_in        -> engine.login_succeeded() or engine.login_failed(error)
//     scram_lookup  -> engine.scram_keys(credentials) or engine.login_failed(error)
//     scram_proven  -> as log_in
//     append_begin  -> engine.accept_append() or engine.refuse_append(reply)
//     append_next   -> one more message of the same APPEND: answer as append_begin
//     append_data   -> keep the octets; engine.refuse_append(reply) gives up half-way
//     append_end    -> make it durable; engine.finish(reply)
//     append_cancelled -> drop what was kept
//     start_tls     -> send the output, then handshake, then engine.tls_started()
//     start_compression -> send the output, compress from then on, engine.compression_started()
//     idle_begin    -> from now on untagged responses at any time, feed() goes on
//     idle_end      -> last untagged responses; engine.finish(reply)
//     close         -> send the output and close
//   }
// Commands are carried out strictly in the order they came (RFC 9051 5.5): the next one is looked at only when the
// step at hand is answered. CAPABILITY, LOGOUT, STARTTLS, ENABLE, ID and NAMESPACE never leave the engine.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "protocols/imap/command.hpp"
#include "protocols/imap/limits.hpp"
#include "protocols/imap/reply.hpp"
#include "protocols/sasl/line_exchange.hpp"

namespace merpati::imap {

enum class session_state : std::uint8_t { not_authenticated, authenticated, selected, logout };

/// Protocol variants that the client switched on (RFC 5161).
struct enabled_extensions {
  bool imap4rev2 = false;
  bool utf8_accept = false; ///< RFC 6855
  bool condstore = false;   ///< also by using one of its commands (RFC 7162 3.1)
  bool qresync = false;     ///< RFC 7162 3.2; condstore is on too
  bool utf8() const noexcept { return imap4rev2 || utf8_accept; }
};

struct engine_options {
  bool tls_active = false;              ///< implicit TLS: the connection is already private
  bool starttls_available = false;      ///< a certificate is there
  bool plaintext_login_allowed = false; ///< LOGIN and AUTH=PLAIN without TLS; else PRIVACYREQUIRED
  bool literal_plus = true;             ///< LITERAL+ after login; false: LITERAL- there too
  bool offer_imap4rev2 = false;         ///< advertise IMAP4rev2 and let it be enabled (all its parts are carried out)
  bool offer_condstore = false;         ///< advertise CONDSTORE (RFC 7162)
  bool offer_qresync = false;           ///< advertise QRESYNC (RFC 7162 3.2)
  bool offer_searchres = false;         ///< advertise SEARCHRES: the caller keeps the saved result (RFC 5182)
  bool offer_objectid = false;          ///< advertise OBJECTID: CREATE answers with MAILBOXID (RFC 8474)
  bool offer_savedate = false;          ///< advertise SAVEDATE (RFC 8514)
  bool offer_sort = false;              ///< advertise SORT and THREAD (RFC 5256, RFC 5957, ESORT of RFC 5267)
  bool offer_preview = false;           ///< advertise PREVIEW (RFC 8970)
  bool offer_quota = false;             ///< advertise QUOTA with both resources (RFC 9208)
  bool offer_append_limit = false;      ///< advertise APPENDLIMIT (RFC 7889)
  bool offer_compress = false;          ///< advertise COMPRESS=DEFLATE (RFC 4978)
  bool offer_unauthenticate = false;    ///< advertise UNAUTHENTICATE: the caller forgets who it was (RFC 8437)
  std::string server_name = "Merpati";  ///< in greeting and ID
  std::string scram_nonce;              ///< for tests; empty: a new one each time
  std::vector<std::pair<std::string, std::string>> id_fields; ///< more for ID, after "name"
  imap::limits limits;
};

namespace steps {

struct need_input {};

/// Much output has piled up: send it, with back-pressure, before the next call.
struct send_output {};

/// Carry out a command. Never capability, logout, starttls, enable, id, get_namespace, login, authenticate, append
/// or idle; these have their own steps or none.
struct execute {
  command what;
};

/// Check a name and a password. `authorization` is empty unless the client asked to act as another (RFC 4616).
struct log_in {
  std::string user;
  std::string password;
  std::string authorization;
};

/// Fetch the keys that a proof of `user` is checked against.
struct scram_lookup {
  std::string user;
};

/// The client proved that it knows the password of `user`. `authorization` as in log_in.
struct scram_proven {
  std::string user;
  std::string authorization;
};

struct append_begin {
  commands::append what;
};

/// One more message of the same APPEND (RFC 3502); `mailbox` is empty. All become durable together, or none.
struct append_next {
  commands::append what;
};

/// The next octets of the message; they lie in what was fed and are gone with the next call of the engine.
struct append_data {
  std::string_view octets;
};

struct append_end {};

/// The command was malformed after its message: the engine has answered BAD.
struct append_cancelled {};

struct start_tls {};
struct start_compression {};
struct idle_begin {};
struct idle_end {};
struct close {};

} // namespace steps

using step = std::variant<steps::need_input, steps::send_output, steps::execute, steps::log_in, steps::scram_lookup,
                          steps::scram_proven, steps::append_begin, steps::append_next, steps::append_data,
                          steps::append_end, steps::append_cancelled, steps::start_tls, steps::start_compression,
                          steps::idle_begin, steps::idle_end, steps::close>;

class server_engine {
public:
  explicit server_engine(engine_options options);
  ~server_engine();
  server_engine(server_engine&&) noexcept;
  server_engine& operator=(server_engine&&) noexcept;

  /// Writes the greeting. Call once, before all else.
  void start();
  /// Writes BYE in the greeting's place (too many connections, RFC 9051 7.1.5) and ends; next() says close.
  void refuse(std::string_view code, std::string_view text);

  /// Hands over octets from the client. They must stay where they are until next() says need_input again; call only
  /// when it did (octets fed earlier are then used up), except that in IDLE feeding is always possible.
  void feed(std::string_view octets);

  /// What to do now. After a question it must be answered before the next call.
  step next();

  /// What waits to be sent; the engine's buffer is empty afterwards. May be called at any time, also between the
  /// parts of a long response.
  std::string take_output();
  /// Where the caller appends untagged responses.
  std::string& output() noexcept;

  /// Answers execute, append_end and idle_end. SELECT and EXAMINE: OK makes the state selected, NO authenticated;
  /// CLOSE and UNSELECT: OK makes it authenticated.
  void finish(const reply& answer);

  void login_succeeded();
  void scram_keys(sasl::scram_credentials of_user);
  /// What the TLS connection offers to SCRAM-SHA-256-PLUS: before start() with implicit TLS, before tls_started() else.
  void set_channel_bindings(sasl::channel_bindings bindings);
  /// auth_failed: [AUTHENTICATIONFAILED]; not_permitted: [AUTHORIZATIONFAILED]; others by reply_for().
  void login_failed(const error& reason);

  void accept_append();
  /// NO; the rest of what still comes is read and dropped. Legal from append_begin to append_data.
  void refuse_append(const reply& answer);

  /// The handshake is done: everything that was read in clear is forgotten (RFC 9051 6.2.1, 11.3).
  void tls_started();

  void compression_started();

  /// Ends the session from our side: "* BYE [code] text". Open steps need no answer any more; next() says close.
  void shutdown(std::string_view code, std::string_view text);

  /// The open mailbox is gone or can't be read any more: back to authenticated, with "* OK [CLOSED]".
  void mailbox_closed();

  /// A CONDSTORE-enabling command was carried out (RFC 7162 3.1); the engine notices those it parses by itself.
  void enable_condstore() noexcept;

  session_state state() const noexcept;
  const enabled_extensions& enabled() const noexcept;
  bool tls_active() const noexcept;
  /// True while IDLE runs: untagged responses may be sent.
  bool idling() const noexcept;
  /// True between execute (or append_end) and finish().
  bool busy() const noexcept;
  /// Name and version that the client gave with ID; empty before.
  const std::vector<std::pair<std::string, std::string>>& client_id() const noexcept;
  /// The tag of the command at hand, for ESEARCH.
  std::string_view tag() const noexcept;

private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

} // namespace merpati::imap
