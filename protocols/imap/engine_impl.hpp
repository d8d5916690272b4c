// Inside of server_engine; only its own sources include this.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>

#include "protocols/imap/command_parser.hpp"
#include "protocols/imap/command_table.hpp"
#include "protocols/imap/line_input.hpp"
#include "protocols/imap/search_program.hpp"
#include "protocols/imap/server_engine.hpp"

namespace merpati::imap {

struct server_engine::impl {
  /// What the next octets are, or whose answer is awaited.
  enum class phase : std::uint8_t {
    command,         ///< a line of a command
    literal,         ///< `left` octets of a literal inside a command
    discard_line,    ///< the rest of a line that was refused
    swallow,         ///< `left` octets of a literal that was refused
    sasl,            ///< a response of AUTHENTICATE
    logging_in,      ///< question: log_in, scram_lookup, scram_proven
    append_question, ///< question: append_begin
    append_data,     ///< `left` octets of the message
    append_tail,     ///< the end of the command after the message
    idling,          ///< DONE
    executing,       ///< question: execute, append_end, idle_end
    handshake,       ///< start_tls
    compressing,     ///< start_compression
    closing,
  };

  /// Of a discarded line this much is kept: enough for the announcement of a literal.
  static constexpr std::size_t tail_length = 32;

  explicit impl(engine_options o) : options(std::move(o)), tls(options.tls_active) {}

  // input
  std::size_t line_limit() const noexcept;
  bool read_line(); ///< true: a whole line is at the end of `text`
  void discard_line();
  void end_discarded_line();
  void swallow(std::uint64_t size);
  void swallow_some();
  void finish_refusal();
  void refuse_literal(const literal_mark& mark, reply answer);
  void next_command();

  // what a line leads to; none() when the engine has dealt with it
  static step none() { return steps::need_input{}; }
  step line_done();
  step literal_announced(std::string_view line, literal_mark mark);
  step append_announced(commands::append what, literal_mark mark);
  bool exceeds_literal_minus(const literal_mark& mark) const noexcept;
  std::optional<reply> unfit_message(const literal_mark& mark) const;
  step further_message(std::string_view line, literal_mark mark);
  step append_octets();
  step append_line_done();
  step sasl_line_done();
  step carry(sasl::line_exchange::step s);
  step idle_line_done();
  step dispatch(std::string_view line);
  std::optional<reply> refused_by_table(std::string_view line) const;
  reply parse_failure(const error& e) const;

  step run(commands::capability&, command&);
  step run(commands::logout&, command&);
  step run(commands::starttls&, command&);
  step run(commands::login&, command&);
  step run(commands::authenticate&, command&);
  step run(commands::enable&, command&);
  step run(commands::id&, command&);
  step run(commands::get_namespace&, command&);
  step run(commands::idle&, command&);
  step run(commands::select&, command&);
  step run(commands::close&, command&);
  step run(commands::unselect&, command&);
  step run(commands::compress&, command&);
  step run(commands::unauthenticate&, command&);
  step run(commands::status&, command&);
  step run(commands::fetch&, command&);
  step run(commands::store&, command&);
  step run(commands::search&, command&);
  step run(commands::sort&, command&);
  step run(commands::thread&, command&);
  step execute_search(const search_key& key, command& whole);
  template <class T>
  step run(T&, command& whole) {
    return execute(whole);
  }
  step execute(command& whole);

  // answers
  void respond(const reply& answer);
  void finish(const reply& answer);
  void login_refused(const error& reason);
  void say_bye(std::string_view code, std::string_view what);
  step advance();

  const limits& bounds() const noexcept { return options.limits; }
  bool logged_in() const noexcept { return state == session_state::authenticated || state == session_state::selected; }
  bool private_line() const noexcept { return tls || options.plaintext_login_allowed; }
  std::string capabilities() const { return capability_text(options, state, tls, tls && bindings.any()); }
  parse_mode mode() const noexcept { return {enabled.utf8(), enabled.imap4rev2}; }
  std::uint8_t state_bit() const noexcept {
    return state == session_state::selected        ? in_selected
           : state == session_state::authenticated ? in_authenticated
                                                   : in_not_authenticated;
  }
  std::string wrong_state() const {
    return state == session_state::selected        ? "Not allowed while a mailbox is selected"
           : state == session_state::authenticated ? "Not allowed now: already logged in, or no mailbox is selected"
                                                   : "Log in first";
  }

  engine_options options;
  bool tls;
  session_state state = session_state::not_authenticated;
  enabled_extensions enabled;
  phase now = phase::command;

  line_input input;
  std::string text;            ///< the command so far: lines with CRLF and literals
  std::size_t line_length = 0; ///< octets of `text` that are its last line
  std::uint64_t left = 0;      ///< octets of a literal still to come
  std::uint64_t skipped = 0;   ///< octets of a line that were thrown away
  std::string line_tail;
  reply refusal; ///< said when the rest of a refused command has come

  std::string out;
  std::string tag;
  std::string_view verb; ///< of the command at hand; from the table
  sasl::channel_bindings bindings;
  std::optional<sasl::line_exchange> exchange; ///< while AUTHENTICATE is under way
  literal_mark append_mark;
  bool replacing = false;       ///< REPLACE takes one message only
  unsigned messages_so_far = 0; ///< of this APPEND
  bool selecting = false;
  bool closing_mailbox = false;
  bool compressed = false;
  bool leaving_account = false; ///< UNAUTHENTICATE is carried out
  bool idle_malformed = false;
  unsigned bad_commands = 0;
  unsigned failed_logins = 0;
  std::vector<std::pair<std::string, std::string>> client_id;
};

} // namespace merpati::imap
