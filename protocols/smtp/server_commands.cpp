#include "protocols/smtp/server_commands.hpp"

#include <array>

#include "base/ascii.hpp"
#include "protocols/smtp/command_arguments.hpp"

namespace merpati::smtp {

/// One function for each verb. They run only where the table allows it.
struct command_handlers {
  using result = std::optional<step>;

  static argument_context context(const server_engine& e) {
    return {e.extended_, e.offered(), e.options_.limits.message_bytes, e.envelope_.parameters.utf8,
            e.options_.longest_hold};
  }

  static result ehlo(server_engine& e, std::string_view argument) { return greet(e, argument, true); }
  static result helo(server_engine& e, std::string_view argument) { return greet(e, argument, false); }

  static result greet(server_engine& e, std::string_view argument, bool extended) {
    if (!is_acceptable_helo(argument)) {
      const bool lmtp = e.options_.kind == server_kind::lmtp;
      e.say(replies::bad_syntax(lmtp       ? "Syntax: LHLO hostname"
                                : extended ? "Syntax: EHLO hostname"
                                           : "Syntax: HELO hostname"));
      return std::nullopt;
    }
    e.reset_transaction(); // RFC 5321 4.1.4
    e.helo_ = argument;
    e.extended_ = extended;
    e.say({250, "", extended ? e.extension_list() : e.options_.hostname});
    return std::nullopt;
  }

  static result mail(server_engine& e, std::string_view argument) {
    auto parsed = parse_mail_arguments(argument, context(e));
    if (!parsed) {
      e.say(parsed.error());
      return std::nullopt;
    }
    e.pending_mail_ = *parsed;
    return e.ask(server_engine::question::mail, std::move(*parsed));
  }

  static result rcpt(server_engine& e, std::string_view argument) {
    auto parsed = parse_rcpt_arguments(argument, context(e));
    if (!parsed) {
      e.recipient_refused_ = true;
      e.say(parsed.error());
      return std::nullopt;
    }
    if (e.envelope_.recipients.size() >= e.options_.limits.recipients) { // RFC 5321 4.5.3.1.10
      e.say(replies::too_many_recipients());
      return std::nullopt;
    }
    e.pending_recipient_ = *parsed;
    return e.ask(server_engine::question::rcpt, std::move(*parsed));
  }

  static result data(server_engine& e, std::string_view) {
    if (e.envelope_.parameters.body == body_type::binary) { // RFC 3030 3
      e.say(replies::out_of_order("BODY=BINARYMIME needs BDAT"));
      return std::nullopt;
    }
    return e.ask(server_engine::question::begin, data_begin{&e.envelope_});
  }

  static result bdat(server_engine& e, std::string_view argument) {
    const auto parsed = parse_chunk_arguments(argument);
    if (parsed)
      return e.begin_chunk(parsed->size_bytes, parsed->last);
    // Nobody knows where the next command begins; octets of a message must not be taken for commands.
    e.end_session(parsed.error());
    return std::nullopt;
  }

  static result rset(server_engine& e, std::string_view) {
    e.reset_transaction();
    e.say({250, "2.0.0", "Ok"});
    return std::nullopt;
  }

  static result noop(server_engine& e, std::string_view) {
    e.say({250, "2.0.0", "Ok"});
    return std::nullopt;
  }

  static result quit(server_engine& e, std::string_view) {
    e.end_session(reply{221, "2.0.0", "Bye"});
    return std::nullopt;
  }

  static result help(server_engine& e, std::string_view) {
    e.say({214, "2.0.0", "EHLO HELO MAIL RCPT DATA BDAT RSET NOOP VRFY STARTTLS AUTH HELP QUIT"});
    return std::nullopt;
  }

  // RFC 5321 3.5.3 and 7.3: who exists is not told here.
  static result vrfy(server_engine& e, std::string_view argument) {
    if (argument.empty())
      e.say(replies::bad_syntax("Syntax: VRFY address"));
    else
      e.say({252, "2.5.0", "Cannot verify, send some mail and try"});
    return std::nullopt;
  }

  static result not_implemented(server_engine& e, std::string_view) {
    e.say(replies::not_implemented());
    return std::nullopt;
  }

  static result starttls(server_engine& e, std::string_view) {
    if (e.tls_) {
      e.say(replies::out_of_order("TLS is active already"));
      return std::nullopt;
    }
    if (!e.options_.tls_available)
      return not_implemented(e, {});
    e.say({220, "2.0.0", "Ready to start TLS"});
    return e.ask(server_engine::question::tls, start_tls{});
  }

  static result xclient(server_engine& e, std::string_view argument) {
    auto parsed = parse_xclient(argument);
    if (!parsed) {
      e.say(parsed.error());
      return std::nullopt;
    }
    return e.ask(server_engine::question::claim, client_claim{std::move(*parsed)});
  }

  static result auth(server_engine& e, std::string_view argument) {
    if (!e.extended_ || e.authenticated_) { // RFC 4954 4
      e.say(replies::out_of_order(e.authenticated_ ? "Authenticated already" : "Send EHLO first"));
      return std::nullopt;
    }
    if (!e.auth_offered()) {
      e.say(replies::encryption_needed());
      return std::nullopt;
    }
    if (argument.empty()) {
      e.say(replies::bad_syntax("Syntax: AUTH mechanism [initial-response]"));
      return std::nullopt;
    }
    return e.begin_auth(argument);
  }
};

namespace {

using h = command_handlers;

constexpr std::array<command, 21> table{{
    // Sorted by how often they come.
    {"RCPT", state_sender | state_rcpt, flag_authenticated, h::rcpt},
    {"MAIL", state_greeted, flag_authenticated, h::mail},
    {"DATA", state_rcpt, flag_synchronises | flag_no_argument, h::data},
    {"BDAT", state_any, 0, h::bdat},
    {"EHLO", state_any, flag_synchronises | flag_idle | flag_not_lmtp, h::ehlo},
    {"LHLO", state_any, flag_synchronises | flag_idle | flag_lmtp, h::ehlo},
    {"QUIT", state_any, flag_no_argument, h::quit},
    {"RSET", state_any, flag_no_argument | flag_idle, h::rset},
    {"NOOP", state_any, flag_idle, h::noop},
    {"STARTTLS", state_greeted | state_sender | state_rcpt, flag_synchronises | flag_no_argument, h::starttls},
    {"AUTH", state_greeted, flag_synchronises | flag_submission, h::auth},
    {"XCLIENT", state_greeted, flag_synchronises | flag_xclient, h::xclient},
    {"HELO", state_any, flag_synchronises | flag_idle | flag_not_lmtp, h::helo},
    {"HELP", state_any, flag_idle, h::help},
    {"VRFY", state_any, flag_idle, h::vrfy},
    {"EXPN", state_any, flag_idle, h::not_implemented},
    {"TURN", state_any, flag_idle, h::not_implemented},
    {"ETRN", state_any, flag_idle, h::not_implemented},
    {"SEND", state_any, flag_idle, h::not_implemented},
    {"SOML", state_any, flag_idle, h::not_implemented},
    {"SAML", state_any, flag_idle, h::not_implemented},
}};

} // namespace

std::span<const command> command_table() noexcept {
  return table;
}

} // namespace merpati::smtp
