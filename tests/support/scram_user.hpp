// The user of RFC 7677 3, whose password is "pencil", for conversations that are recorded with its nonces.
#pragma once

#include <string>

#include "base/crypto.hpp"
#include "protocols/sasl/scram.hpp"

namespace merpati::test {

/// Keys of "user" as in the RFC; of everybody else such that no proof fits.
inline sasl::scram_credentials keys_of(const std::string& user) {
  if (user != "user")
    return sasl::decoy_credentials("secret", user);
  return sasl::derive("pencil", crypto::base64_decode("W22ZaJ0SNY7soEsUEjb6gQ==").value(), 4096).value();
}

} // namespace merpati::test
