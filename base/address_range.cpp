#include "base/address_range.hpp"

#include <algorithm>
#include <charconv>

#include <arpa/inet.h>

namespace merpati {

namespace {

unsigned width_of(const ip_address& address) {
  return address.is_v6() ? 128 : 32;
}

/// Clears all bits after the first `bits`.
void mask(std::array<std::uint8_t, 16>& octets, unsigned bits) {
  for (unsigned i = 0; i < octets.size(); ++i) {
    const unsigned kept = bits <= i * 8 ? 0 : std::min(bits - i * 8, 8U);
    octets[i] = static_cast<std::uint8_t>(octets[i] & (0xff00U >> kept));
  }
}

} // namespace

std::array<std::uint8_t, 16> octets_of(const ip_address& address) {
  std::array<std::uint8_t, 16> out{};
  // The text of an address is always one that inet_pton reads.
  inet_pton(address.is_v6() ? AF_INET6 : AF_INET, address.to_string().c_str(), out.data());
  return out;
}

std::string network_of(const ip_address& address, unsigned bits) {
  bits = std::min(bits, width_of(address));
  auto octets = octets_of(address);
  mask(octets, bits);
  char text[INET6_ADDRSTRLEN];
  inet_ntop(address.is_v6() ? AF_INET6 : AF_INET, octets.data(), text, sizeof text);
  return std::string(text) + "/" + std::to_string(bits);
}

std::optional<address_range> address_range::parse(std::string_view text) {
  const auto slash = text.find('/');
  const auto address = ip_address::parse(text.substr(0, slash));
  if (!address)
    return std::nullopt;
  address_range out;
  out.v6_ = address->is_v6();
  out.bits_ = width_of(*address);
  if (slash != std::string_view::npos) {
    const auto digits = text.substr(slash + 1);
    unsigned bits = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
    if (error != std::errc() || end != digits.data() + digits.size() || bits > out.bits_)
      return std::nullopt;
    out.bits_ = bits;
  }
  out.prefix_ = octets_of(*address);
  mask(out.prefix_, out.bits_);
  return out;
}

bool address_range::contains(const ip_address& address) const {
  if (address.is_v6() != v6_)
    return false;
  auto octets = octets_of(address);
  mask(octets, bits_);
  return octets == prefix_;
}

bool contains(const std::vector<address_range>& ranges, std::string_view address) {
  const auto parsed = ip_address::parse(address);
  return parsed
         && std::any_of(ranges.begin(), ranges.end(), [&](const auto& range) { return range.contains(*parsed); });
}

} // namespace merpati
