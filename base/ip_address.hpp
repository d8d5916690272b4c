// Numeric IP addresses as values: what is loopback, and which client network an address belongs to.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace merpati {

/// An IPv4 or IPv6 address. IPv4-mapped IPv6 addresses (::ffff:192.0.2.1) become IPv4.
class ip_address {
public:
  /// Numeric text without brackets, port or zone; nothing for anything else.
  static std::optional<ip_address> parse(std::string_view text);

  bool is_v6() const noexcept { return v6_; }
  /// 127.0.0.0/8 or ::1
  bool is_loopback() const noexcept;
  /// 0.0.0.0 or ::
  bool is_any() const noexcept;
  std::string to_string() const;
  /// What limits per client count: the IPv4 address itself, or the IPv6 /64 ("2001:db8:1:2::/64"), since one host
  /// commonly has a whole /64 to choose addresses from.
  std::string client_network() const;

  bool operator==(const ip_address&) const = default;

private:
  std::array<std::uint8_t, 16> octets_{}; ///< IPv4: the first four
  bool v6_ = false;
};

} // namespace merpati
