#include "protocols/sasl/plain.hpp"

#include "base/crypto.hpp"
#include "protocols/sasl/saslprep.hpp"

namespace merpati::sasl {

result<plain_credentials> parse_plain(std::string_view message) {
  const auto first = message.find('\0');
  const auto second = first == std::string_view::npos ? first : message.find('\0', first + 1);
  if (second == std::string_view::npos || message.find('\0', second + 1) != std::string_view::npos)
    return fail(errc::invalid, "PLAIN needs two NULs");
  const auto authzid = message.substr(0, first);
  const auto authcid = message.substr(first + 1, second - first - 1);
  const auto password = message.substr(second + 1);
  if (authcid.empty() || password.empty()) // RFC 4616 2: 1*SAFE
    return fail(errc::invalid, "PLAIN needs a name and a password");
  if (authzid.size() > plain_limits::identity_bytes || authcid.size() > plain_limits::identity_bytes
      || password.size() > plain_limits::password_bytes)
    return fail(errc::too_big, "PLAIN has a name or password that is too long");
  auto acting = saslprep(authzid, saslprep_use::query);
  auto name = saslprep(authcid, saslprep_use::query);
  auto secret = saslprep(password, saslprep_use::query);
  // RFC 4616 2: preparation that fails, or leaves nothing, is a failed authentication.
  if (!acting || !name || !secret || name->empty() || secret->empty() || acting->empty() != authzid.empty())
    return fail(errc::auth_failed, "PLAIN has a name or password that SASLprep refuses");
  return plain_credentials{std::move(*acting), std::move(*name), std::move(*secret)};
}

result<plain_credentials> parse_plain_base64(std::string_view encoded) {
  if (encoded == "=")
    encoded = {};
  auto message = crypto::base64_decode(encoded);
  if (!message)
    return tl::unexpected(message.error());
  return parse_plain(*message);
}

std::string write_plain(const plain_credentials& credentials) {
  std::string out = credentials.authzid;
  out += '\0';
  out += credentials.authcid;
  out += '\0';
  return out + credentials.password;
}

} // namespace merpati::sasl
