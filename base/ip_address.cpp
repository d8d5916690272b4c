#include "base/ip_address.hpp"

#include <algorithm>

#include <arpa/inet.h>

namespace merpati {

std::optional<ip_address> ip_address::parse(std::string_view text) {
  // The longest text of an IPv6 address has 45 characters (INET6_ADDRSTRLEN counts the NUL).
  if (text.empty() || text.size() >= INET6_ADDRSTRLEN || text.find('\0') != std::string_view::npos)
    return std::nullopt;
  std::string terminated(text);
  ip_address out;
  if (inet_pton(AF_INET, terminated.c_str(), out.octets_.data()) == 1)
    return out;
  if (inet_pton(AF_INET6, terminated.c_str(), out.octets_.data()) != 1)
    return std::nullopt;
  static constexpr std::array<std::uint8_t, 12> mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (std::equal(mapped.begin(), mapped.end(), out.octets_.begin())) {
    std::copy(out.octets_.begin() + 12, out.octets_.end(), out.octets_.begin());
    std::fill(out.octets_.begin() + 4, out.octets_.end(), std::uint8_t{0});
    return out;
  }
  out.v6_ = true;
  return out;
}

bool ip_address::is_loopback() const noexcept {
  if (!v6_)
    return octets_[0] == 127;
  return std::all_of(octets_.begin(), octets_.end() - 1, [](auto o) { return o == 0; }) && octets_.back() == 1;
}

bool ip_address::is_any() const noexcept {
  return std::all_of(octets_.begin(), octets_.end(), [](auto o) { return o == 0; });
}

std::string ip_address::to_string() const {
  char buffer[INET6_ADDRSTRLEN];
  inet_ntop(v6_ ? AF_INET6 : AF_INET, octets_.data(), buffer, sizeof buffer);
  return buffer;
}

std::string ip_address::client_network() const {
  if (!v6_)
    return to_string();
  ip_address prefix = *this;
  std::fill(prefix.octets_.begin() + 8, prefix.octets_.end(), std::uint8_t{0});
  return prefix.to_string() + "/64";
}

} // namespace merpati
