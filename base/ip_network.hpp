// CIDR networks (RFC 4291 2.3 has the notation): "10.0.0.0/8", "2001:db8::/32", or one address.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip_address.hpp"
#include "base/result.hpp"

namespace merpati {

class ip_network {
public:
  /// An address, or an address with '/' and the length of the prefix in bits. errc::invalid, with a sentence that says
  /// what to write instead, for anything else, and where bits behind the prefix are set: whoever wrote 10.1.2.3/8
  /// meant something, but not which. IPv4-mapped networks (::ffff:0:0/96 and longer) become IPv4 networks.
  static result<ip_network> parse(std::string_view text);

  bool contains(const ip_address& address) const;
  std::string to_string() const;

  bool operator==(const ip_network&) const = default;

private:
  ip_address address_;
  std::array<std::uint8_t, 16> octets_{}; ///< of address_; IPv4: the first four
  std::uint8_t prefix_ = 0;               ///< in bits
};

using ip_networks = std::vector<ip_network>;

/// Some network of `set` has the address. False for a text that is no address.
bool contains(const ip_networks& set, std::string_view address);

} // namespace merpati
