// How mail leaves: [delivery] and [[route]].
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace merpati::config {

/// What TLS a hop must have.
enum class hop_tls : std::uint8_t {
  none,      ///< never
  may,       ///< where it is offered, with any certificate (RFC 7435)
  need,      ///< with any certificate
  verify,    ///< with a certificate that a trusted authority gave to the host's name
  automatic, ///< as DNS publishes for the host (RFC 7672), else as `may`
  dane,      ///< with a certificate that matches a signed TLSA record; mail for hosts without waits
};

enum class hop_protocol : std::uint8_t { smtp, lmtp };

/// A way for some destinations, or for all: a smarthost, a mail server inside.
struct route {
  std::string domain;     ///< "example.net", ".example.net" (all below it), "*" (all that no other route names)
  std::string host;       ///< name or numeric address; "unix:" and the absolute path of a socket; empty: by MX
  std::uint16_t port = 0; ///< 0: 25, or 24 for LMTP
  hop_protocol protocol = hop_protocol::smtp;
  hop_tls tls = hop_tls::automatic;
  bool implicit_tls = false;
  std::string user;           ///< AUTH; empty: none
  std::string password;       ///< read from password_file
  std::string source_address; ///< numeric; empty: [delivery]'s
  std::size_t line = 0;
  bool operator==(const route&) const = default;
};

struct delivery_settings {
  std::vector<route> routes;
  std::uint16_t port = 25;          ///< of other servers
  std::string source_address;       ///< numeric; empty: the kernel's choice
  hop_tls tls = hop_tls::automatic; ///< where no route says otherwise
  std::string trusted_certificates; ///< PEM, read from ca_file: authorities for `verify`; empty: the system's
  std::size_t connections = 200;    ///< at a time, to all destinations
  std::size_t connections_per_destination = 20;
  std::chrono::seconds connect_timeout{30};
  std::chrono::seconds first_retry{300}; ///< doubled after each attempt
  std::chrono::seconds longest_retry{14'400};
  std::chrono::seconds delay_warning{14'400}; ///< the sender is told that its mail waits; 0: never
  std::chrono::seconds expiry{432'000};       ///< then it goes back to its sender (RFC 5321 4.5.4.1: 4 to 5 days)
};

} // namespace merpati::config
