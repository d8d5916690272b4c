// SASL PLAIN (RFC 4616), the server's side: one message, no challenge.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace merpati::sasl {

struct plain_limits {
  static constexpr std::size_t identity_bytes = 255;  ///< RFC 4616 2 wants at least 255 octets of each
  static constexpr std::size_t password_bytes = 1024; ///< far above any passphrase; bounds what is hashed
};

struct plain_credentials {
  std::string authzid;  ///< empty: act as authcid
  std::string authcid;  ///< SASLprepped, never empty
  std::string password; ///< SASLprepped, never empty
  bool operator==(const plain_credentials&) const = default;
};

/// The message after base64 is removed: [authzid] NUL authcid NUL passwd. errc::invalid for any other shape, for text
/// that is no UTF-8 or that SASLprep refuses; errc::too_big above the limits. authzid is prepared like authcid.
result<plain_credentials> parse_plain(std::string_view message);

/// The same from base64 as the protocols carry it; "=" is the empty message.
result<plain_credentials> parse_plain_base64(std::string_view encoded);

/// The message, for clients.
std::string write_plain(const plain_credentials& credentials);

} // namespace merpati::sasl
