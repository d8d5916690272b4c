#include "protocols/proxy/header_reader.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include <arpa/inet.h>

#include "base/ascii.hpp"
#include "base/ip_address.hpp"

namespace merpati::proxy {

namespace {

constexpr std::string_view v1_start = "PROXY ";
constexpr std::string_view v2_start{"\r\n\r\n\0\r\nQUIT\n", 12};
constexpr std::size_t v2_fixed = 16; ///< signature, version and command, family, length

std::uint8_t octet(std::string_view from, std::size_t at) {
  return static_cast<std::uint8_t>(from[at]);
}
std::uint16_t number(std::string_view from, std::size_t at) {
  return static_cast<std::uint16_t>(octet(from, at) << 8 | octet(from, at + 1));
}

/// Decimal without leading zeros, as version 1 has it.
std::optional<std::uint16_t> port_of(std::string_view text) {
  if (text.size() > 1 && text.front() == '0')
    return std::nullopt;
  return ascii::parse_number<std::uint16_t>(text);
}

/// The text up to the next space, which is taken away too; the whole rest where there is none.
std::string_view next_word(std::string_view& text) {
  const auto space = std::min(text.find(' '), text.size());
  const auto word = text.substr(0, space);
  text.remove_prefix(std::min(space + 1, text.size()));
  return word;
}

std::string address_text(int family, std::string_view octets) {
  char buffer[INET6_ADDRSTRLEN];
  inet_ntop(family, octets.data(), buffer, sizeof buffer);
  return ip_address::parse(buffer)->to_string(); // IPv4-mapped ones become IPv4
}

/// Type, two octets of length, value; repeated to the end. None of them is looked at.
bool is_tlv_list(std::string_view rest) {
  while (!rest.empty()) {
    if (rest.size() < 3 || rest.size() - 3 < number(rest, 1))
      return false;
    rest.remove_prefix(3 + std::size_t{number(rest, 1)});
  }
  return true;
}

} // namespace

header_reader::status header_reader::refuse(std::string_view why) noexcept {
  why_ = why;
  return status::malformed;
}

header_reader::status header_reader::feed(std::string_view octets) {
  taken_ = 0;
  while (status_ == status::more && taken_ < octets.size()) {
    buffer_ += octets[taken_++];
    status_ = step();
  }
  return status_;
}

/// Looks at the octet that came last: the header's end is known only when it is there.
header_reader::status header_reader::step() {
  const std::string_view have = buffer_;
  if (have.starts_with(v1_start))
    return step_v1();
  if (have.starts_with(v2_start))
    return step_v2();
  if (v1_start.starts_with(have) || v2_start.starts_with(have))
    return status::more;
  return refuse("no PROXY header");
}

header_reader::status header_reader::step_v1() {
  const std::string_view have = buffer_;
  const char last = have.back();
  const bool after_cr = have[have.size() - 2] == '\r';
  if (last == '\n' && after_cr)
    return finish_v1(have.substr(0, have.size() - 2));
  if (after_cr || (last != '\r' && (last < ' ' || last > '~')))
    return refuse("a control character in the PROXY line");
  if (have.size() >= v1_bytes)
    return refuse("the PROXY line is too long");
  return status::more;
}

header_reader::status header_reader::finish_v1(std::string_view line) {
  line.remove_prefix(v1_start.size());
  value_.version = 1;
  const auto family = next_word(line);
  if (family == "UNKNOWN") // and whatever follows
    return status::done;
  if (family != "TCP4" && family != "TCP6")
    return refuse("an unknown family in the PROXY line");
  const auto source_text = next_word(line);
  const auto destination_text = next_word(line);
  const auto source = ip_address::parse(source_text);
  const auto destination = ip_address::parse(destination_text);
  const bool six = family == "TCP6";
  for (const auto text : {source_text, destination_text})
    if ((text.find(':') != std::string_view::npos) != six)
      return refuse("an address of the wrong family in the PROXY line");
  const auto source_port = port_of(next_word(line));
  const auto destination_port = port_of(line); // the rest: nothing may follow
  if (!source || !destination || !source_port || !destination_port)
    return refuse("a malformed address or port in the PROXY line");
  value_.has_addresses = true;
  value_.source_address = source->to_string();
  value_.source_port = *source_port;
  value_.destination_address = destination->to_string();
  value_.destination_port = *destination_port;
  return status::done;
}

header_reader::status header_reader::step_v2() {
  const std::string_view have = buffer_;
  if (have.size() == v2_start.size() + 1) {
    const auto version_command = octet(have, 12);
    if (version_command != 0x20 && version_command != 0x21)
      return refuse("an unknown version or command in the PROXY header");
  }
  if (have.size() < v2_fixed)
    return status::more;
  const std::size_t length = number(have, 14);
  if (length > v2_payload_bytes)
    return refuse("the PROXY header is too long");
  if (have.size() < v2_fixed + length)
    return status::more;
  return finish_v2(have.substr(v2_fixed));
}

header_reader::status header_reader::finish_v2(std::string_view payload) {
  value_.version = 2;
  if (octet(buffer_, 12) == 0x20) // LOCAL: whatever the rest says, it is to be ignored
    return status::done;
  int family = AF_UNSPEC;
  std::size_t addresses = 0;
  switch (octet(buffer_, 13)) {
  case 0x00: return status::done; // unspecified: what follows has no form that is known
  case 0x11:
    family = AF_INET;
    addresses = 4;
    break;
  case 0x21:
    family = AF_INET6;
    addresses = 16;
    break;
  case 0x31: addresses = 108; break; // Unix, stream: two paths, of no use here
  default: return refuse("a family or transport in the PROXY header that carries no mail"); // datagrams among them
  }
  const auto block = 2 * addresses + (family == AF_UNSPEC ? 0 : 4);
  if (payload.size() < block)
    return refuse("the PROXY header is shorter than its addresses");
  if (!is_tlv_list(payload.substr(block)))
    return refuse("a malformed value behind the addresses of the PROXY header");
  if (family == AF_UNSPEC)
    return status::done;
  value_.has_addresses = true;
  value_.source_address = address_text(family, payload);
  value_.destination_address = address_text(family, payload.substr(addresses));
  value_.source_port = number(payload, 2 * addresses);
  value_.destination_port = number(payload, 2 * addresses + 2);
  return status::done;
}

namespace {

std::string in_family(const ip_address& address, bool six) {
  return (six && !address.is_v6() ? "::ffff:" : "") + address.to_string();
}

void append_octets(std::string& out, const ip_address& address, bool six) {
  std::array<char, 16> octets{};
  inet_pton(six ? AF_INET6 : AF_INET, in_family(address, six).c_str(), octets.data());
  out.append(octets.data(), six ? 16 : 4);
}

void append_number(std::string& out, std::size_t value) {
  out += static_cast<char>(value >> 8 & 0xff);
  out += static_cast<char>(value & 0xff);
}

} // namespace

std::string write_header(const header& value) {
  const auto source = ip_address::parse(value.source_address);
  const auto destination = ip_address::parse(value.destination_address);
  const bool known = value.has_addresses && source && destination;
  const bool six = known && (source->is_v6() || destination->is_v6());
  if (value.version == 1) {
    if (!known)
      return "PROXY UNKNOWN\r\n";
    return std::string(six ? "PROXY TCP6 " : "PROXY TCP4 ") + in_family(*source, six) + " "
           + in_family(*destination, six) + " " + std::to_string(value.source_port) + " "
           + std::to_string(value.destination_port) + "\r\n";
  }
  std::string out(v2_start);
  out += known ? '\x21' : '\x20';
  out += !known ? '\0' : six ? '\x21' : '\x11';
  append_number(out, !known ? 0u : six ? 36u : 12u);
  if (!known)
    return out;
  append_octets(out, *source, six);
  append_octets(out, *destination, six);
  append_number(out, value.source_port);
  append_number(out, value.destination_port);
  return out;
}

} // namespace merpati::proxy
