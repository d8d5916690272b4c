// AUTH (RFC 4954): carries the messages of a SASL exchange.
#include <stdexcept>

#include "base/ascii.hpp"
#include "base/crypto.hpp"
#include "protocols/smtp/server_engine.hpp"

namespace merpati::smtp {

namespace {

/// RFC 5802 5.1 leaves the length open; 24 of [a-z2-7] are 120 bits.
constexpr std::size_t nonce_characters = 24;

} // namespace

std::optional<step> server_engine::begin_auth(std::string_view argument) {
  const auto space = argument.find(' ');
  const auto which = sasl::find_mechanism(argument.substr(0, space));
  const auto bindings = tls_ ? bindings_ : sasl::channel_bindings();
  if (!which || (*which == sasl::mechanism::scram_sha_256_plus && !bindings.any()))
    return auth_failed({504, "5.5.4", "Mechanism not supported"});
  auth_mechanism_ = ascii::upper(argument.substr(0, space));
  exchange_.emplace(*which, options_.scram_nonce.empty() ? crypto::random_text(nonce_characters) : options_.scram_nonce,
                    bindings);
  if (space == std::string_view::npos)
    return take_auth_step(exchange_->begin(std::nullopt));
  const auto encoded = argument.substr(space + 1);
  const auto initial = encoded == "=" ? std::string() : crypto::base64_decode(encoded);
  if (!initial)
    return auth_failed({501, "5.5.2", "Malformed authentication response"});
  return take_auth_step(exchange_->begin(*initial));
}

std::optional<step> server_engine::next_auth_response() {
  const auto line = reader_.next_line(line_limit());
  if (line.status != text::line_status::ok)
    return refuse_line(line.status);
  mode_ = mode::command;
  if (line.text == "*")
    return auth_failed({501, "5.7.0", "Authentication cancelled"});
  const auto message = crypto::base64_decode(line.text);
  if (!message)
    return auth_failed({501, "5.5.2", "Malformed authentication response"});
  if (auth_final_.empty())
    return take_auth_step(exchange_->receive(*message));
  // The client has heard our own proof and has nothing more to say (RFC 4954 4, RFC 5802 5).
  auth_final_.clear();
  if (!message->empty())
    return auth_failed({501, "5.5.2", "Malformed authentication response"});
  exchange_.reset();
  authenticated_ = true;
  say({235, "2.7.0", "Authentication successful"});
  return std::nullopt;
}

std::optional<step> server_engine::auth_failed(const reply& why) {
  exchange_.reset();
  auth_final_.clear();
  say(why);
  return std::nullopt;
}

std::optional<step> server_engine::take_auth_step(sasl::server_exchange::step s) {
  using exchange = sasl::server_exchange;
  if (auto* next = std::get_if<exchange::challenge>(&s)) {
    mode_ = mode::auth_response;
    say({334, "", crypto::base64_encode(next->message)});
    return std::nullopt;
  }
  if (auto* password = std::get_if<exchange::check_password>(&s))
    return ask(question::auth,
               authenticate{std::move(password->authzid), std::move(password->authcid), std::move(password->password)});
  if (auto* wanted = std::get_if<exchange::keys_wanted>(&s))
    return ask(question::keys, scram_lookup{std::move(wanted->authzid), std::move(wanted->username)});
  if (auto* done = std::get_if<exchange::proven>(&s)) {
    auth_final_ = std::move(done->message);
    return ask(question::auth, scram_proven{std::move(done->authzid), std::move(done->username)});
  }
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
  switch (outcome) {
  case auth_outcome::success: break;
  case auth_outcome::failure: auth_failed(replies::bad_credentials()); return;
  case auth_outcome::temporary: auth_failed(replies::credentials_unavailable()); return;
  }
  if (auth_final_.empty()) {
    exchange_.reset();
    authenticated_ = true;
    say({235, "2.7.0", "Authentication successful"});
    return;
  }
  mode_ = mode::auth_response;
  say({334, "", crypto::base64_encode(auth_final_)});
}

} // namespace merpati::smtp
