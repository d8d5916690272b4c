// Numeric addresses as the kernel wants them, and back.
#pragma once

#include <cstdint>
#include <string>

#include <sys/socket.h>

#include "base/result.hpp"

namespace merpati::net {

struct socket_address {
  sockaddr_storage octets{};
  socklen_t size = sizeof(sockaddr_storage);

  /// errc::invalid: not a numeric IPv4 or IPv6 address.
  static result<socket_address> parse(const std::string& address, std::uint16_t port);
  /// errc::invalid: empty, or longer than the kernel's 107 octets.
  static result<socket_address> of_path(const std::string& path);

  const sockaddr* get() const noexcept { return reinterpret_cast<const sockaddr*>(&octets); }
  sockaddr* get() noexcept { return reinterpret_cast<sockaddr*>(&octets); }
  int family() const noexcept { return octets.ss_family; }
  /// Numeric, without a port; empty for a Unix-domain socket.
  std::string address() const;
  std::uint16_t port() const noexcept; ///< 0 for a Unix-domain socket
};

struct endpoint_info;
/// Both ends of a connected socket. Who is at the other end of a Unix-domain socket is on this machine: 127.0.0.1.
endpoint_info endpoints_of(int descriptor);

} // namespace merpati::net
