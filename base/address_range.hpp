// Ranges of IP addresses (CIDR), and the octets of a single address for those who need them.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip_address.hpp"

namespace merpati {

/// The address as it travels, most significant octet first: 4 octets for IPv4, 16 for IPv6, the rest is zero.
std::array<std::uint8_t, 16> octets_of(const ip_address& address);

/// The network of `address` with the first `bits` bits kept, as "192.0.2.0/24". `bits` beyond the address's own length
/// means all of it.
std::string network_of(const ip_address& address, unsigned bits);

/// All addresses of one family that share their first bits.
class address_range {
public:
  /// "192.0.2.0/24", "2001:db8::/32", or one address. Bits after the prefix are ignored. Nothing for anything else.
  static std::optional<address_range> parse(std::string_view text);
  bool contains(const ip_address& address) const;
  bool operator==(const address_range&) const = default;

private:
  std::array<std::uint8_t, 16> prefix_{};
  unsigned bits_ = 0;
  bool v6_ = false;
};

/// One of `ranges` has the address; false for a text that is none.
bool contains(const std::vector<address_range>& ranges, std::string_view address);

} // namespace merpati
