// TLSA records (RFC 6698) as a sending mail server uses them (RFC 7672).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace merpati::tls {

struct tlsa_record {
  std::uint8_t usage = 0;    ///< 2: an authority of the peer's own (DANE-TA), 3: its certificate or key (DANE-EE)
  std::uint8_t selector = 0; ///< 0: the whole certificate, 1: its public key
  std::uint8_t matching = 0; ///< 0: the data themselves, 1: SHA-256, 2: SHA-512
  std::string data;          ///< octets
  bool operator==(const tlsa_record&) const = default;
};

/// What a peer's certificate is checked against.
struct dane_check {
  std::vector<tlsa_record> records; ///< usable ones, at least one
  /// Beside the server's name: names that a certificate below an authority of usage 2 may bear (RFC 7672 3.2.2).
  std::vector<std::string> names;
};

/// Of one host: more than any has, and each one that is tried costs the handshake time.
inline constexpr std::size_t tlsa_records_max = 32;

/// RFC 6698 2.1; nothing when `octets` are too short for a record.
std::optional<tlsa_record> read_tlsa(std::string_view octets);

/// Whether a certificate can be checked against it: usage 2 or 3 (RFC 7672 3.1.3), a selector and a matching type
/// that are known, data that fit them.
bool is_usable(const tlsa_record& record);

} // namespace merpati::tls
