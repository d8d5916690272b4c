// SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 5802, RFC 7677): the keys that are stored, and the server's side of the
// exchange.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "base/result.hpp"

namespace merpati::sasl {

inline constexpr std::size_t scram_salt_bytes = 16;
inline constexpr std::uint32_t scram_iterations = 4096; ///< RFC 7677 4: at least 4096

/// What is kept instead of the password. All fields raw octets.
struct scram_credentials {
  std::string salt;
  std::string stored_key; ///< H(HMAC(SaltedPassword, "Client Key"))
  std::string server_key; ///< HMAC(SaltedPassword, "Server Key")
  std::uint32_t iterations = scram_iterations;
  bool operator==(const scram_credentials&) const = default;
};

/// Keys of `password` (SASLprepped here as a stored string). `salt` from a generator, scram_salt_bytes long;
/// `iterations` from 1. errc::invalid when the password has no prepared form or is empty. Takes milliseconds.
result<scram_credentials> derive(std::string_view password, std::string_view salt,
                                 std::uint32_t iterations = scram_iterations);

/// Credentials that nobody can meet, the same for a name each time: what an unknown user is shown, so that an answer
/// does not tell who exists. `secret` belongs to the server.
scram_credentials decoy_credentials(std::string_view secret, std::string_view username);

/// What the TLS connection offers to be bound to; empty: nothing.
struct channel_bindings {
  std::string tls_exporter;         ///< RFC 9266
  std::string tls_server_end_point; ///< RFC 5929 4

  bool any() const noexcept { return !tls_exporter.empty() || !tls_server_end_point.empty(); }
};

/// One exchange. Messages are those inside base64.
class scram_server {
public:
  static constexpr std::size_t message_bytes = 4096; ///< limit of a client message; names have 255 octets at most

  /// Fetch the user's credentials and answer with credentials(). Names are SASLprepped; authzid is empty when none was
  /// sent.
  struct lookup {
    std::string authzid;
    std::string username;
  };
  /// Send this and receive() the answer.
  struct challenge {
    std::string message;
  };
  /// The client proved that it knows the password; send the message (it proves our side) with the success.
  struct success {
    std::string message;
    std::string authzid;
    std::string username;
  };
  /// The exchange is over. `message` is RFC 5802's "e=..."; protocols that have no place for it leave it out.
  struct failure {
    std::string message;
  };
  using step = std::variant<lookup, challenge, success, failure>;

  /// `nonce` from a generator: 18 printable ASCII characters or more, no comma. `bindings`: what -PLUS was offered
  /// with. `plus`: the client chose that mechanism.
  explicit scram_server(std::string nonce, channel_bindings bindings = {}, bool plus = false);

  /// The next message of the client.
  step receive(std::string_view message);
  /// The answer to lookup: always a challenge.
  step credentials(scram_credentials of_user);

private:
  enum class state : std::uint8_t { first, lookup, final, done };

  step client_first(std::string_view message);
  step client_final(std::string_view message);
  step fail(std::string_view what);
  std::optional<step> read_binding_flag(std::string_view& message);

  state state_ = state::first;
  std::string nonce_;
  channel_bindings bindings_;
  bool plus_ = false;
  std::string binding_data_; ///< of the type that the client chose
  std::string gs2_header_;
  std::string client_first_bare_;
  std::string server_first_;
  std::string authzid_;
  std::string username_;
  scram_credentials stored_;
};

} // namespace merpati::sasl
