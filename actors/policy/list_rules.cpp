#include "actors/policy/list_rules.hpp"

#include <algorithm>

#include "base/address_range.hpp"
#include "base/ascii.hpp"

namespace merpati::policy {

namespace {

/// The labels of an address, last first, each with its dot.
std::string reversed(const ip_address& address) {
  static constexpr std::string_view digits = "0123456789abcdef";
  const auto octets = octets_of(address);
  std::string out;
  if (!address.is_v6()) {
    for (std::size_t i = 4; i-- > 0;)
      out += std::to_string(octets[i]) + '.';
    return out;
  }
  for (std::size_t i = octets.size(); i-- > 0;) {
    out += digits[octets[i] & 15];
    out += '.';
    out += digits[octets[i] >> 4];
    out += '.';
  }
  return out;
}

} // namespace

std::string reverse_name(const ip_address& address) {
  return reversed(address) + (address.is_v6() ? "ip6.arpa" : "in-addr.arpa"); // RFC 1035 3.5, RFC 3596 2.5
}

std::string list_name(const ip_address& address, std::string_view zone) {
  return reversed(address) + std::string(zone); // RFC 5782 2.1, 2.4
}

bool is_listed(const config::address_list& list, const std::vector<std::string>& answers) {
  for (const auto& text : answers) {
    const auto address = ip_address::parse(text);
    if (!address || address->is_v6())
      continue;
    const auto octets = octets_of(*address);
    if (octets[0] != 127 || (octets[1] == 255 && octets[2] == 255)) // RFC 5782 2.1
      continue;
    const auto number = static_cast<std::uint32_t>(octets[0] << 24 | octets[1] << 16 | octets[2] << 8 | octets[3]);
    if (list.answers.empty() || std::any_of(list.answers.begin(), list.answers.end(), [number](const auto& range) {
          return range.first <= number && number <= range.last;
        }))
      return true;
  }
  return false;
}

list_verdict judge(const std::vector<config::address_list>& lists, const std::vector<bool>& listed,
                   std::uint64_t threshold) {
  list_verdict out;
  std::uint64_t heaviest = 0;
  std::string welcomed_by;
  for (std::size_t i = 0; i < lists.size() && i < listed.size(); ++i) {
    if (!listed[i])
      continue;
    if (lists[i].welcome) {
      if (!out.welcome)
        welcomed_by = lists[i].zone;
      out.welcome = true;
      continue;
    }
    out.score += lists[i].weight;
    if (lists[i].weight > heaviest) {
      heaviest = lists[i].weight;
      out.zone = lists[i].zone;
    }
  }
  if (out.welcome)
    out.zone = welcomed_by;
  else
    out.refused = out.score >= threshold && out.score > 0;
  return out;
}

bool is_presentable_name(std::string_view name) {
  if (name.empty() || name.size() > 253) // RFC 1035 2.3.4
    return false;
  std::size_t label = 0;
  for (const char c : name) {
    if (c == '.') {
      if (label == 0)
        return false;
      label = 0;
    } else if (!ascii::is_alnum(c) && c != '-' && c != '_') {
      return false;
    } else if (++label > 63) {
      return false;
    }
  }
  return label != 0;
}

} // namespace merpati::policy
