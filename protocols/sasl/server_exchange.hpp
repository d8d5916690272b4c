// The server's side of one SASL exchange (RFC 4422), whatever the mechanism: messages in, questions and messages out.
// Messages are those inside base64; how they travel is the protocol's business.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "protocols/sasl/scram.hpp"

namespace merpati::sasl {

enum class mechanism : std::uint8_t { plain, login, scram_sha_256, scram_sha_256_plus };

/// By its name in any case; nothing for one that we do not have.
std::optional<mechanism> find_mechanism(std::string_view name) noexcept;

/// "PLAIN LOGIN SCRAM-SHA-256", and "SCRAM-SHA-256-PLUS" where there is something to be bound to. The strongest ones
/// are last: programs choose by themselves, and some old ones take the first they know.
std::string mechanism_list(const channel_bindings& bindings);

class server_exchange {
public:
  /// Send this and receive() the answer.
  struct challenge {
    std::string message;
  };
  /// Is this the password? The exchange is over; names and password are SASLprepped, authzid may be empty.
  struct check_password {
    std::string authzid;
    std::string authcid;
    std::string password;
  };
  /// Fetch the user's keys and answer with keys().
  struct keys_wanted {
    std::string authzid;
    std::string username;
  };
  /// The client proved that it knows the password. `message` goes to the client with the success.
  struct proven {
    std::string authzid;
    std::string username;
    std::string message;
  };
  /// The exchange is over.
  struct failed {};
  /// No message of this mechanism: the exchange is over.
  struct malformed {};
  using step = std::variant<challenge, check_password, keys_wanted, proven, failed, malformed>;

  /// `nonce`: see scram_server.
  server_exchange(mechanism which, std::string nonce, channel_bindings bindings);

  /// The client's initial response, or nothing when it sent none.
  step begin(std::optional<std::string_view> initial);
  step receive(std::string_view message);
  /// The answer to keys_wanted.
  step keys(scram_credentials of_user);

private:
  step receive_login(std::string_view message);
  step native(scram_server::step s);

  mechanism which_;
  scram_server scram_;
  std::optional<std::string> login_name_;
};

} // namespace merpati::sasl
