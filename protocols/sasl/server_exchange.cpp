#include "protocols/sasl/server_exchange.hpp"

#include <array>
#include <utility>

#include "base/ascii.hpp"
#include "protocols/sasl/plain.hpp"

namespace merpati::sasl {

namespace {

constexpr std::array<std::string_view, 4> names{"PLAIN", "LOGIN", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"};

bool is_scram(mechanism which) noexcept {
  return which == mechanism::scram_sha_256 || which == mechanism::scram_sha_256_plus;
}

} // namespace

std::optional<mechanism> find_mechanism(std::string_view name) noexcept {
  for (std::size_t i = 0; i != names.size(); ++i)
    if (ascii::iequals(names[i], name))
      return static_cast<mechanism>(i);
  return std::nullopt;
}

std::string mechanism_list(const channel_bindings& bindings) {
  std::string out;
  for (std::size_t i = 0; i != names.size(); ++i)
    if (static_cast<mechanism>(i) != mechanism::scram_sha_256_plus || bindings.any())
      out.append(out.empty() ? "" : " ").append(names[i]);
  return out;
}

server_exchange::server_exchange(mechanism which, std::string nonce, channel_bindings bindings)
    : which_(which), scram_(std::move(nonce), std::move(bindings), which == mechanism::scram_sha_256_plus) {}

server_exchange::step server_exchange::begin(std::optional<std::string_view> initial) {
  if (initial)
    return receive(*initial);
  // The names that programs look for; the mechanism has no standard, only draft-murchison-sasl-login.
  return challenge{which_ == mechanism::login ? "Username:" : ""};
}

server_exchange::step server_exchange::receive(std::string_view message) {
  if (is_scram(which_))
    return native(scram_.receive(message));
  if (which_ == mechanism::login)
    return receive_login(message);
  auto plain = parse_plain(message);
  if (plain)
    return check_password{std::move(plain->authzid), std::move(plain->authcid), std::move(plain->password)};
  if (plain.error().code == errc::auth_failed)
    return failed{};
  return malformed{};
}

server_exchange::step server_exchange::receive_login(std::string_view message) {
  if (!login_name_) {
    login_name_ = message;
    return challenge{"Password:"};
  }
  // The same two texts as in PLAIN, with the same rules.
  auto plain = parse_plain(std::string(1, '\0') + *login_name_ + '\0' + std::string(message));
  if (!plain)
    return failed{};
  return check_password{{}, std::move(plain->authcid), std::move(plain->password)};
}

server_exchange::step server_exchange::keys(scram_credentials of_user) {
  return native(scram_.credentials(std::move(of_user)));
}

server_exchange::step server_exchange::native(scram_server::step s) {
  if (auto* wanted = std::get_if<scram_server::lookup>(&s))
    return keys_wanted{std::move(wanted->authzid), std::move(wanted->username)};
  if (auto* next = std::get_if<scram_server::challenge>(&s))
    return challenge{std::move(next->message)};
  if (auto* done = std::get_if<scram_server::success>(&s))
    return proven{std::move(done->authzid), std::move(done->username), std::move(done->message)};
  if (std::get<scram_server::failure>(s).message == "e=invalid-encoding")
    return malformed{};
  return failed{};
}

} // namespace merpati::sasl
