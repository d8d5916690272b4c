// How to reach the next server on the way of some mail: what the configuration says of a destination.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "config/delivery_settings.hpp"

namespace merpati::delivery {

struct hop {
  std::string host; ///< name, numeric address, or "unix:" and a path; empty: as DNS says (MX)
  std::uint16_t port = 25;
  config::hop_protocol protocol = config::hop_protocol::smtp;
  config::hop_tls tls = config::hop_tls::automatic;
  bool implicit_tls = false;
  std::string user;
  std::string password;
  std::string source_address;
  bool operator==(const hop&) const = default;
};

/// The most special route that fits `domain` (canonical): the domain itself, the longest ".domain" above it, "*", else
/// what [delivery] says of all.
hop hop_for(const config::delivery_settings& settings, std::string_view domain);

} // namespace merpati::delivery
