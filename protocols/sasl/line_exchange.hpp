// A SASL exchange as text protocols carry it, in lines of base64: AUTH of SMTP (RFC 4954 4) and POP3 (RFC 5034 4),
// AUTHENTICATE of IMAP (RFC 9051 6.2.2).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "protocols/sasl/server_exchange.hpp"

namespace merpati::sasl {

class line_exchange {
public:
  /// Send this as a challenge; the client's next line goes to receive().
  struct challenge_line {
    std::string base64;
  };
  using check_password = server_exchange::check_password;
  using keys_wanted = server_exchange::keys_wanted;
  /// The client proved that it knows the password, and has heard our own proof.
  struct proven {
    std::string authzid;
    std::string username;
  };
  using failed = server_exchange::failed;
  /// No base64, or no message of the mechanism.
  using malformed = server_exchange::malformed;
  /// The client gave up with "*".
  struct cancelled {};
  /// All but challenge_line and keys_wanted end the exchange.
  using step = std::variant<challenge_line, check_password, keys_wanted, proven, failed, malformed, cancelled>;

  /// Nothing: there is no such mechanism here. `nonce`: see scram_server; empty: a new one.
  static std::optional<line_exchange> open(std::string_view name, std::string nonce, channel_bindings bindings);

  /// The initial response in base64, "=" for an empty one, or nothing when the client sent none.
  step begin(std::optional<std::string_view> initial);
  /// A line of the client without its end.
  step receive(std::string_view line);
  /// The answer to keys_wanted.
  step keys(scram_credentials of_user);

private:
  line_exchange(mechanism which, std::string nonce, channel_bindings bindings)
      : exchange_(which, std::move(nonce), std::move(bindings)) {}
  step carried(server_exchange::step s);

  server_exchange exchange_;
  std::optional<proven> proven_; ///< our proof is on its way to the client, who answers with an empty line
};

} // namespace merpati::sasl
