#include "protocols/sasl/scram.hpp"

#include <algorithm>

#include "base/ascii.hpp"
#include "base/crypto.hpp"
#include "protocols/sasl/plain.hpp"
#include "protocols/sasl/saslprep.hpp"

namespace merpati::sasl {

namespace {

std::string hmac(std::string_view key, std::string_view data) {
  return std::string(crypto::as_text(crypto::hmac_sha256(key, data)));
}

std::string hash(std::string_view data) {
  return std::string(crypto::as_text(crypto::sha256(data)));
}

// The next "x=value" of a comma-separated message; false when there is none with this name.
bool take_attribute(std::string_view& message, char name, std::string_view& value) {
  if (message.size() < 2 || message[0] != name || message[1] != '=')
    return false;
  const auto comma = message.find(',');
  value = message.substr(2, comma == std::string_view::npos ? comma : comma - 2);
  message = comma == std::string_view::npos ? std::string_view{} : message.substr(comma + 1);
  return true;
}

// RFC 5802 5.1: "=2C" is a comma, "=3D" an equals sign, any other "=" is an error.
bool decode_name(std::string_view text, std::string& out) {
  std::string raw;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '=') {
      raw += text[i];
      continue;
    }
    const auto code = text.substr(i, 3);
    if (code != "=2C" && code != "=3D")
      return false;
    raw += code == "=2C" ? ',' : '=';
    i += 2;
  }
  auto prepared = saslprep(raw, saslprep_use::query);
  if (!prepared || prepared->empty() || raw.size() > plain_limits::identity_bytes)
    return false;
  out = std::move(*prepared);
  return true;
}

// RFC 5802 7: printable but comma.
bool is_nonce(std::string_view text) noexcept {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c <= '~' && c != ','; });
}

} // namespace

result<scram_credentials> derive(std::string_view password, std::string_view salt, std::uint32_t iterations) {
  if (salt.empty() || iterations == 0)
    return fail(errc::invalid, "SCRAM needs a salt and at least one iteration");
  auto prepared = saslprep(password, saslprep_use::stored);
  if (!prepared)
    return tl::unexpected(prepared.error());
  if (prepared->empty())
    return fail(errc::invalid, "the password is empty");
  const auto salted = crypto::pbkdf2_sha256(*prepared, salt, iterations);
  scram_credentials out;
  out.salt = salt;
  out.stored_key = hash(hmac(crypto::as_text(salted), "Client Key"));
  out.server_key = hmac(crypto::as_text(salted), "Server Key");
  out.iterations = iterations;
  return out;
}

scram_credentials decoy_credentials(std::string_view secret, std::string_view username) {
  scram_credentials out;
  out.salt = hmac(secret, "salt:" + std::string(username)).substr(0, scram_salt_bytes);
  // Nobody knows a preimage of this StoredKey.
  out.stored_key = hmac(secret, "stored:" + std::string(username));
  out.server_key = hmac(secret, "server:" + std::string(username));
  return out;
}

scram_server::scram_server(std::string nonce, channel_bindings bindings, bool plus)
    : nonce_(std::move(nonce)), bindings_(std::move(bindings)), plus_(plus) {}

scram_server::step scram_server::fail(std::string_view what) {
  state_ = state::done;
  return failure{"e=" + std::string(what)};
}

scram_server::step scram_server::receive(std::string_view message) {
  if (message.size() > message_bytes)
    return fail("other-error");
  switch (state_) {
  case state::first: return client_first(message);
  case state::final: return client_final(message);
  case state::lookup:
  case state::done: break;
  }
  return fail("other-error");
}

// gs2-cbind-flag and its comma (RFC 5802 6).
std::optional<scram_server::step> scram_server::read_binding_flag(std::string_view& message) {
  if (message.starts_with("p=")) {
    const auto name = message.substr(2, std::min(message.find(','), message.size()) - 2);
    if (name == "tls-exporter")
      binding_data_ = bindings_.tls_exporter;
    else if (name == "tls-server-end-point")
      binding_data_ = bindings_.tls_server_end_point;
    if (!plus_ || message.size() < name.size() + 3)
      return fail(plus_ ? "invalid-encoding" : "channel-binding-not-supported");
    if (binding_data_.empty())
      return fail("unsupported-channel-binding-type");
    message.remove_prefix(name.size() + 3);
    return std::nullopt;
  }
  if (!message.starts_with("n,") && !message.starts_with("y,"))
    return fail("invalid-encoding");
  // A client that can bind and believes that we can't has seen a list of mechanisms that somebody shortened.
  if (plus_ || (message.front() == 'y' && bindings_.any()))
    return fail("server-does-support-channel-binding");
  message.remove_prefix(2);
  return std::nullopt;
}

// gs2-header client-first-message-bare (RFC 5802 7).
scram_server::step scram_server::client_first(std::string_view message) {
  auto rest = message;
  if (auto failed = read_binding_flag(rest))
    return std::move(*failed);
  std::string_view value;
  if (rest.starts_with(',')) {
    rest.remove_prefix(1);
  } else if (!take_attribute(rest, 'a', value) || !decode_name(value, authzid_)) {
    return fail("invalid-encoding");
  }
  gs2_header_ = message.substr(0, message.size() - rest.size());
  client_first_bare_ = rest;
  if (rest.starts_with("m="))
    return fail("extensions-not-supported");
  if (!take_attribute(rest, 'n', value))
    return fail("invalid-encoding");
  if (!decode_name(value, username_))
    return fail("invalid-username-encoding");
  if (!take_attribute(rest, 'r', value) || !is_nonce(value))
    return fail("invalid-encoding");
  nonce_.insert(0, value);
  state_ = state::lookup;
  return lookup{authzid_, username_};
}

scram_server::step scram_server::credentials(scram_credentials of_user) {
  if (state_ != state::lookup)
    return fail("other-error");
  stored_ = std::move(of_user);
  server_first_ =
      "r=" + nonce_ + ",s=" + crypto::base64_encode(stored_.salt) + ",i=" + std::to_string(stored_.iterations);
  state_ = state::final;
  return challenge{server_first_};
}

// "c=" base64 ",r=" nonce [",extensions"] ",p=" base64
scram_server::step scram_server::client_final(std::string_view message) {
  const auto proof_at = message.rfind(",p=");
  if (proof_at == std::string_view::npos)
    return fail("invalid-encoding");
  const auto without_proof = message.substr(0, proof_at);
  auto rest = without_proof;
  std::string_view binding;
  std::string_view nonce;
  if (!take_attribute(rest, 'c', binding) || !take_attribute(rest, 'r', nonce))
    return fail("invalid-encoding");
  if (!crypto::equal_constant_time(binding, crypto::base64_encode(gs2_header_ + binding_data_)))
    return fail("channel-bindings-dont-match");
  if (nonce != nonce_)
    return fail("other-error");
  const auto proof = crypto::base64_decode(message.substr(proof_at + 3));
  if (!proof || proof->size() != stored_.stored_key.size())
    return fail("invalid-proof");
  const auto signed_text = client_first_bare_ + "," + server_first_ + "," + std::string(without_proof);
  auto client_key = hmac(stored_.stored_key, signed_text); // ClientSignature, then XOR the proof
  for (std::size_t i = 0; i != client_key.size(); ++i)
    client_key[i] = static_cast<char>(client_key[i] ^ (*proof)[i]);
  if (!crypto::equal_constant_time(hash(client_key), stored_.stored_key))
    return fail("invalid-proof");
  state_ = state::done;
  return success{"v=" + crypto::base64_encode(hmac(stored_.server_key, signed_text)), authzid_, username_};
}

} // namespace merpati::sasl
