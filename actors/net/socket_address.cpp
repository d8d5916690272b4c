#include "actors/net/socket_address.hpp"

#include <cstddef>
#include <cstring>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include "actors/net/connection.hpp"

namespace merpati::net {

result<socket_address> socket_address::parse(const std::string& address, std::uint16_t port) {
  socket_address out;
  auto& four = reinterpret_cast<sockaddr_in&>(out.octets);
  auto& six = reinterpret_cast<sockaddr_in6&>(out.octets);
  if (inet_pton(AF_INET, address.c_str(), &four.sin_addr) == 1) {
    four.sin_family = AF_INET;
    four.sin_port = htons(port);
    out.size = sizeof four;
    return out;
  }
  if (inet_pton(AF_INET6, address.c_str(), &six.sin6_addr) == 1) {
    six.sin6_family = AF_INET6;
    six.sin6_port = htons(port);
    out.size = sizeof six;
    return out;
  }
  return fail(errc::invalid, "\"" + address + "\" is not a numeric IPv4 or IPv6 address");
}

result<socket_address> socket_address::of_path(const std::string& path) {
  socket_address out;
  auto& local = reinterpret_cast<sockaddr_un&>(out.octets);
  if (path.empty() || path.size() >= sizeof local.sun_path)
    return fail(errc::invalid, "\"" + path + "\" can't be the path of a socket: it has 1 to 107 octets");
  local.sun_family = AF_UNIX;
  std::memcpy(local.sun_path, path.data(), path.size());
  out.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
  return out;
}

std::string socket_address::address() const {
  char text[INET6_ADDRSTRLEN] = {};
  if (family() == AF_INET)
    inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in&>(octets).sin_addr, text, sizeof text);
  else if (family() == AF_INET6)
    inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6&>(octets).sin6_addr, text, sizeof text);
  return text;
}

std::uint16_t socket_address::port() const noexcept {
  if (family() == AF_INET)
    return ntohs(reinterpret_cast<const sockaddr_in&>(octets).sin_port);
  if (family() == AF_INET6)
    return ntohs(reinterpret_cast<const sockaddr_in6&>(octets).sin6_port);
  return 0;
}

endpoint_info endpoints_of(int descriptor) {
  endpoint_info info;
  socket_address end;
  if (::getsockname(descriptor, end.get(), &end.size) == 0 && end.family() == AF_UNIX) {
    info.remote_address = info.local_address = "127.0.0.1";
    return info;
  }
  end = {};
  if (::getpeername(descriptor, end.get(), &end.size) == 0) {
    info.remote_address = end.address();
    info.remote_port = end.port();
  }
  end = {};
  if (::getsockname(descriptor, end.get(), &end.size) == 0) {
    info.local_address = end.address();
    info.local_port = end.port();
  }
  return info;
}

} // namespace merpati::net
