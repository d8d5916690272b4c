#include "actors/dns/records.hpp"

#include <arpa/inet.h>

#include "base/ascii.hpp"

namespace merpati::dns {

namespace {

std::size_t octet(char c) {
  return static_cast<unsigned char>(c);
}

/// RFC 1035 3.1, without compression, which the resolver has undone.
std::optional<std::string> read_name(std::string_view octets) {
  std::string out;
  while (!octets.empty()) {
    const auto length = octet(octets[0]);
    octets.remove_prefix(1);
    if (length == 0)
      return octets.empty() ? std::optional(ascii::lower(out)) : std::nullopt;
    if (length > 63 || length > octets.size() || out.size() + length > 254) // RFC 1035 2.3.4
      return std::nullopt;
    if (!out.empty())
      out += '.';
    for (const char c : octets.substr(0, length)) {
      // A dot within a label or an octet that is no character would make the text say something else.
      if (c == '.' || c <= ' ' || c == '\x7f')
        return std::nullopt;
      out += c;
    }
    octets.remove_prefix(length);
  }
  return std::nullopt;
}

/// RFC 1035 3.3.14; RFC 7208 3.3: joined without spaces.
std::optional<std::string> read_text(std::string_view octets) {
  std::string out;
  while (!octets.empty()) {
    const auto length = octet(octets[0]);
    octets.remove_prefix(1);
    if (length > octets.size())
      return std::nullopt;
    out += octets.substr(0, length);
    octets.remove_prefix(length);
  }
  return out;
}

std::optional<std::string> read_address(int family, std::size_t size, std::string_view octets) {
  char text[INET6_ADDRSTRLEN];
  if (octets.size() != size || !inet_ntop(family, octets.data(), text, sizeof text))
    return std::nullopt;
  return text;
}

} // namespace

bool is_domain_name(std::string_view name) {
  if (name.empty() || name.size() > 253)
    return false;
  std::size_t label = 0;
  for (const char c : name) {
    if (c == '.' ? label == 0 : c <= ' ' || c == '\x7f' || c == '\\')
      return false;
    label = c == '.' ? 0 : label + 1;
    if (label > 63)
      return false;
  }
  return label != 0;
}

std::optional<record> read_record(record_type type, std::string_view octets) {
  if (octets.size() > record_octets)
    return std::nullopt;
  record out;
  std::optional<std::string> value;
  switch (type) {
  case record_type::a: value = read_address(AF_INET, 4, octets); break;
  case record_type::aaaa: value = read_address(AF_INET6, 16, octets); break;
  case record_type::cname:
  case record_type::ptr: value = read_name(octets); break;
  case record_type::txt: value = read_text(octets); break;
  case record_type::tlsa: value = std::string(octets); break;
  case record_type::mx: // RFC 1035 3.3.9
    if (octets.size() < 3)
      return std::nullopt;
    out.preference = static_cast<std::uint16_t>(octet(octets[0]) << 8 | octet(octets[1]));
    value = read_name(octets.substr(2));
    break;
  }
  if (!value)
    return std::nullopt;
  out.value = std::move(*value);
  return out;
}

} // namespace merpati::dns
