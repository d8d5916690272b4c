// What a certificate and its key arrive as: PEM text with the name of the place it came from, so that an error can
// tell the administrator which file to look at. This library opens no files.
#pragma once

#include <string>
#include <vector>

namespace merpati::tls {

struct certificate_source {
  std::string chain_pem;   ///< the server's certificate first, then the intermediate ones
  std::string key_pem;     ///< unencrypted private key of the first certificate
  std::string chain_label; ///< where chain_pem came from, for messages; usually a path
  std::string key_label;
  /// Host names (lower case, "*.example.org" allowed) that select this certificate by SNI. Empty: the names in
  /// the certificate's subjectAltName.
  std::vector<std::string> names;
};

} // namespace merpati::tls
