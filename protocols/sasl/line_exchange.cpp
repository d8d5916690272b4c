#include "protocols/sasl/line_exchange.hpp"

#include <utility>

#include "base/crypto.hpp"

namespace merpati::sasl {

namespace {

/// RFC 5802 5.1 leaves the length open; 24 of [a-z2-7] are 120 bits.
constexpr std::size_t nonce_characters = 24;

} // namespace

std::optional<line_exchange> line_exchange::open(std::string_view name, std::string nonce, channel_bindings bindings) {
  const auto which = find_mechanism(name);
  if (!which || (*which == mechanism::scram_sha_256_plus && !bindings.any()))
    return std::nullopt;
  if (nonce.empty())
    nonce = crypto::random_text(nonce_characters);
  return line_exchange(*which, std::move(nonce), std::move(bindings));
}

line_exchange::step line_exchange::begin(std::optional<std::string_view> initial) {
  if (!initial)
    return carried(exchange_.begin(std::nullopt));
  const auto message = *initial == "=" ? result<std::string>() : crypto::base64_decode(*initial);
  if (!message)
    return malformed{};
  return carried(exchange_.begin(*message));
}

line_exchange::step line_exchange::receive(std::string_view line) {
  if (line == "*")
    return cancelled{};
  const auto message = crypto::base64_decode(line);
  if (!message)
    return malformed{};
  if (!proven_)
    return carried(exchange_.receive(*message));
  if (!message->empty()) // it has nothing more to say (RFC 5802 5)
    return malformed{};
  return std::move(*proven_);
}

line_exchange::step line_exchange::keys(scram_credentials of_user) {
  return carried(exchange_.keys(std::move(of_user)));
}

line_exchange::step line_exchange::carried(server_exchange::step s) {
  if (auto* next = std::get_if<server_exchange::challenge>(&s))
    return challenge_line{crypto::base64_encode(next->message)};
  if (auto* password = std::get_if<check_password>(&s))
    return std::move(*password);
  if (auto* wanted = std::get_if<keys_wanted>(&s))
    return std::move(*wanted);
  if (auto* done = std::get_if<server_exchange::proven>(&s)) {
    proven_ = proven{std::move(done->authzid), std::move(done->username)};
    return challenge_line{crypto::base64_encode(done->message)};
  }
  if (std::holds_alternative<malformed>(s))
    return malformed{};
  return failed{};
}

} // namespace merpati::sasl
