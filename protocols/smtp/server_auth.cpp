// AUTH (RFC 4954): carries the messages of a SASL exchange.
#include <stdexcept>

#include "base/ascii.hpp"
#include "protocols/smtp/server_engine.hpp"

namespace merpati::smtp {

std::optional<step> server_engine::begin_auth(std::string_view argument) {
  const auto space = argument.find(' ');
  const auto name = argument.substr(0, space);
  exchange_ = sasl::line_exchange::open(name, options_.scram_nonce, tls_ ? bindings_ : sasl::channel_bindings());
  if (!exchange_)
    return auth_failed({504, "5.5.4", "Mechanism not supported"});
  auth_mechanism_ = ascii::upper(name);
  std::optional<std::string_view> initial;
  if (space != std::string_view::npos)
    initial = argument.substr(space + 1);
  return take_auth_step(exchange_->begin(initial));
}

std::optional<step> server_engine::next_auth_response() {
  const auto line = reader_.next_line(line_limit());
  if (line.status != text::line_status::ok)
    return refuse_line(line.status);
  mode_ = mode::command;
  return take_auth_step(exchange_->receive(line.text));
}

std::optional<step> server_engine::auth_failed(const reply& why) {
  exchange_.reset();
  say(why);
  return std::nullopt;
}

std::optional<step> server_engine::take_auth_step(sasl::line_exchange::step s) {
  using exchange = sasl::line_exchange;
  if (auto* next = std::get_if<exchange::challenge_line>(&s)) {
    mode_ = mode::auth_response;
    say({334, "", std::move(next->base64)});
    return std::nullopt;
  }
  if (auto* password = std::get_if<exchange::check_password>(&s))
    return ask(question::auth,
               authenticate{std::move(password->authzid), std::move(password->authcid), std::move(password->password)});
  if (auto* wanted = std::get_if<exchange::keys_wanted>(&s))
    return ask(question::keys, scram_lookup{std::move(wanted->authzid), std::move(wanted->username)});
  if (auto* done = std::get_if<exchange::proven>(&s))
    return ask(question::auth, scram_proven{std::move(done->authzid), std::move(done->username)});
  if (std::holds_alternative<exchange::cancelled>(s))
    return auth_failed({501, "5.7.0", "Authentication cancelled"});
  if (std::holds_alternative<exchange::malformed>(s))
    return auth_failed({501, "5.5.2", "Malformed authentication response"});
  return auth_failed(replies::bad_credentials());
}

void server_engine::scram_keys(sasl::scram_credentials of_user) {
  if (mode_ == mode::closed)
    return;
  if (question_ != question::keys)
    throw std::logic_error("smtp: scram_keys() answers no open question");
  question_ = question::none;
  take_auth_step(exchange_->keys(std::move(of_user))); // always a challenge
}

void server_engine::authenticated(auth_outcome outcome) {
  const auto q = answered();
  if (q == question::closed)
    return;
  if (q != question::auth && q != question::keys)
    throw std::logic_error("smtp: authenticated() answers no open question");
  exchange_.reset();
  switch (outcome) {
  case auth_outcome::success:
    authenticated_ = true;
    say({235, "2.7.0", "Authentication successful"});
    break;
  case auth_outcome::failure: say(replies::bad_credentials()); break;
  case auth_outcome::temporary: say(replies::credentials_unavailable()); break;
  }
}

} // namespace merpati::smtp
