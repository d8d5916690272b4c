#include "protocols/pop3/server_commands.hpp"

#include <algorithm>
#include <array>
#include <limits>

#include "base/ascii.hpp"

namespace merpati::pop3 {

namespace {

std::string scan_line(std::size_t index, const maildrop_entry& entry, bool unique_ids) {
  return std::to_string(index + 1) + ' ' + (unique_ids ? entry.unique_id : std::to_string(entry.size_bytes));
}

std::string_view take_word(std::string_view& text) {
  const auto word = text.substr(0, text.find(' '));
  text.remove_prefix(word.size());
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  return word;
}

} // namespace

/// One function for each verb. They run only where the table allows it.
struct command_handlers {
  using result = std::optional<step>;

  static result user(server_engine& e, std::string_view argument) {
    if (argument.empty()) {
      e.bad_command("Syntax: USER name");
      return std::nullopt;
    }
    // The same answer for every name: who exists is not told.
    e.user_ = argument;
    e.ok("Send PASS");
    return std::nullopt;
  }

  static result pass(server_engine& e, std::string_view argument) {
    if (e.user_.empty()) {
      e.bad_command("Send USER first");
      return std::nullopt;
    }
    const auto name = std::exchange(e.user_, {}); // RFC 1939 7: PASS may follow USER only
    if (argument.empty()) {
      e.bad_command("Syntax: PASS password");
      return std::nullopt;
    }
    return e.ask_login(name, argument);
  }

  static result auth(server_engine& e, std::string_view argument) {
    const auto mechanism = take_word(argument);
    if (mechanism.empty()) {
      e.bad_command("Syntax: AUTH mechanism [initial-response]");
      return std::nullopt;
    }
    return e.begin_auth(mechanism, argument.empty() ? std::nullopt : std::optional(argument));
  }

  static result stls(server_engine& e, std::string_view) {
    if (e.tls_ || !e.options_.tls_available) {
      e.bad_command(e.tls_ ? "TLS is active already" : "TLS is not available");
      return std::nullopt;
    }
    e.ok("Begin TLS negotiation");
    return e.ask(server_engine::question::tls, start_tls{});
  }

  // RFC 2449 5.
  static result capa(server_engine& e, std::string_view) {
    e.ok("Capability list follows");
    e.output_ += "TOP\r\nUIDL\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\nPIPELINING\r\nEXPIRE NEVER\r\n";
    if (e.login_possible())
      e.output_ += "USER\r\nSASL " + sasl::mechanism_list(e.offered_bindings()) + "\r\n";
    if (e.options_.tls_available && !e.tls_)
      e.output_ += "STLS\r\n";
    e.output_ += "IMPLEMENTATION Merpati\r\n.\r\n";
    return std::nullopt;
  }

  static result quit(server_engine& e, std::string_view) {
    if (e.mode_ != server_engine::mode::transaction || e.deleted_count_ == 0) {
      e.ok("Bye");
      e.end_session();
      return std::nullopt;
    }
    commit request;
    for (std::size_t i = 0; i != e.deleted_.size(); ++i)
      if (e.deleted_[i])
        request.deleted.push_back(i);
    return e.ask(server_engine::question::commit, std::move(request));
  }

  static result stat(server_engine& e, std::string_view) {
    e.ok(std::to_string(e.maildrop_.size() - e.deleted_count_) + ' ' + std::to_string(e.octets_));
    return std::nullopt;
  }

  static result list(server_engine& e, std::string_view argument) { return listing(e, argument, false); }
  static result uidl(server_engine& e, std::string_view argument) { return listing(e, argument, true); }

  static result listing(server_engine& e, std::string_view argument, bool unique_ids) {
    if (argument.empty()) {
      e.ok(std::to_string(e.maildrop_.size() - e.deleted_count_) + " messages");
      e.listing_ = server_engine::listing{unique_ids, 0};
      return std::nullopt;
    }
    if (const auto index = e.message_number(argument))
      e.ok(scan_line(*index, e.maildrop_[*index], unique_ids));
    return std::nullopt;
  }

  static result retr(server_engine& e, std::string_view argument) {
    const auto index = e.message_number(argument);
    if (!index)
      return std::nullopt;
    e.begin_text(*index, std::nullopt);
    return e.ask(server_engine::question::retrieve, retrieve{*index, std::nullopt});
  }

  static result top(server_engine& e, std::string_view argument) {
    const auto number = take_word(argument);
    const bool digits =
        !argument.empty() && std::all_of(argument.begin(), argument.end(), [](char c) { return ascii::is_digit(c); });
    if (!digits) {
      e.bad_command("Syntax: TOP message lines");
      return std::nullopt;
    }
    const auto index = e.message_number(number);
    if (!index)
      return std::nullopt;
    // More lines than any message has is no error (RFC 1939 7).
    const auto lines = ascii::parse_number<std::uint32_t>(argument).value_or(std::numeric_limits<std::uint32_t>::max());
    e.begin_text(*index, lines);
    return e.ask(server_engine::question::retrieve, retrieve{*index, lines});
  }

  static result dele(server_engine& e, std::string_view argument) {
    if (const auto index = e.message_number(argument)) {
      e.deleted_[*index] = true;
      ++e.deleted_count_;
      e.octets_ -= e.maildrop_[*index].size_bytes;
      e.ok("Message deleted");
    }
    return std::nullopt;
  }

  static result noop(server_engine& e, std::string_view) {
    e.ok("");
    return std::nullopt;
  }

  static result rset(server_engine& e, std::string_view) {
    e.reset_deletions();
    e.ok(std::to_string(e.maildrop_.size()) + " messages (" + std::to_string(e.octets_) + " octets)");
    return std::nullopt;
  }
};

// Goes on with LIST or UIDL until it is done or the output is full.
std::optional<step> server_engine::continue_listing() {
  for (; listing_->next != maildrop_.size(); ++listing_->next) {
    if (output_.size() >= options_.limits.output_bytes)
      return send_output{};
    if (!deleted_[listing_->next])
      output_ += scan_line(listing_->next, maildrop_[listing_->next], listing_->unique_ids) + "\r\n";
  }
  output_ += ".\r\n";
  listing_.reset();
  return std::nullopt;
}

// A message-number of the client; an answer is given when there is no such message.
std::optional<std::size_t> server_engine::message_number(std::string_view text) {
  const auto number = ascii::parse_number<std::size_t>(text);
  if (!number) {
    bad_command("A message number is needed");
    return std::nullopt;
  }
  if (*number == 0 || *number > maildrop_.size() || deleted_[*number - 1]) {
    bad_command("No such message");
    return std::nullopt;
  }
  return *number - 1;
}

namespace {

using h = command_handlers;

constexpr std::array<command, 15> table{{
    {"RETR", state_transaction, 0, h::retr},
    {"DELE", state_transaction, 0, h::dele},
    {"UIDL", state_transaction, 0, h::uidl},
    {"LIST", state_transaction, 0, h::list},
    {"TOP", state_transaction, 0, h::top},
    {"STAT", state_transaction, flag_no_argument, h::stat},
    {"RSET", state_transaction, flag_no_argument, h::rset},
    {"NOOP", state_transaction, flag_no_argument, h::noop},
    {"USER", state_authorization, flag_login, h::user},
    {"PASS", state_authorization, flag_login, h::pass},
    {"AUTH", state_authorization, flag_login | flag_synchronises, h::auth},
    {"STLS", state_authorization, flag_no_argument | flag_synchronises, h::stls},
    {"CAPA", state_any, flag_no_argument, h::capa},
    {"QUIT", state_any, flag_no_argument, h::quit},
    {"APOP", 0, 0, nullptr}, // RFC 1939 7: optional, and not offered
}};

} // namespace

std::span<const command> command_table() noexcept {
  return table;
}

} // namespace merpati::pop3
