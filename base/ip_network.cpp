#include "base/ip_network.hpp"

#include <algorithm>

#include <arpa/inet.h>

#include "base/ascii.hpp"

namespace merpati {

namespace {

constexpr std::uint8_t mapped_bits = 96; ///< RFC 4291 2.5.5.2: what stands before the IPv4 address

std::array<std::uint8_t, 16> octets_of(const ip_address& address) {
  std::array<std::uint8_t, 16> out{};
  inet_pton(address.is_v6() ? AF_INET6 : AF_INET, address.to_string().c_str(), out.data());
  return out;
}

/// `octets` with every bit behind the first `bits` cleared.
std::array<std::uint8_t, 16> masked(std::array<std::uint8_t, 16> octets, std::uint8_t bits) {
  const std::size_t whole = bits / 8;
  if (whole < octets.size()) {
    octets[whole] = static_cast<std::uint8_t>(octets[whole] & (0xff00u >> (bits % 8)));
    std::fill(octets.begin() + static_cast<std::ptrdiff_t>(whole) + 1, octets.end(), std::uint8_t{0});
  }
  return octets;
}

std::string text_of(const std::array<std::uint8_t, 16>& octets, bool v6) {
  char buffer[INET6_ADDRSTRLEN];
  inet_ntop(v6 ? AF_INET6 : AF_INET, octets.data(), buffer, sizeof buffer);
  return buffer;
}

} // namespace

result<ip_network> ip_network::parse(std::string_view text) {
  const auto slash = std::min(text.find('/'), text.size());
  const auto address = ip_address::parse(text.substr(0, slash));
  if (!address)
    return fail(errc::invalid, "write a network such as \"10.0.0.0/8\" or \"2001:db8::/32\", or a numeric address");
  const bool mapped = !address->is_v6() && text.substr(0, slash).find(':') != std::string_view::npos;
  const std::uint8_t most = address->is_v6() ? 128 : 32;
  ip_network out;
  out.address_ = *address;
  out.octets_ = octets_of(*address);
  out.prefix_ = most;
  if (slash < text.size()) {
    const auto bits = ascii::parse_number<std::uint8_t>(text.substr(slash + 1));
    const auto before = mapped ? mapped_bits : std::uint8_t{0};
    if (!bits || *bits < before || *bits - before > most)
      return fail(errc::invalid, "write a prefix from " + std::to_string(before) + " to "
                                     + std::to_string(before + most) + " after the slash");
    out.prefix_ = static_cast<std::uint8_t>(*bits - before);
  }
  const auto network = masked(out.octets_, out.prefix_);
  if (network != out.octets_)
    return fail(errc::invalid, "bits behind the prefix are set; the network is \"" + text_of(network, address->is_v6())
                                   + "/" + std::to_string(out.prefix_) + "\"");
  return out;
}

bool ip_network::contains(const ip_address& address) const {
  return address.is_v6() == address_.is_v6() && masked(octets_of(address), prefix_) == octets_;
}

std::string ip_network::to_string() const {
  return address_.to_string() + "/" + std::to_string(prefix_);
}

bool contains(const ip_networks& set, std::string_view address) {
  if (set.empty())
    return false;
  const auto parsed = ip_address::parse(address);
  return parsed && std::any_of(set.begin(), set.end(), [&](const ip_network& n) { return n.contains(*parsed); });
}

} // namespace merpati
