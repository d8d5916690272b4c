// What a domain publishes about TLS at its mail servers (RFC 8461): the record in DNS and the policy behind it.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace merpati::sts {

enum class policy_mode : std::uint8_t {
  enforce, ///< mail goes only to servers that fit
  testing, ///< mail goes anyway, failures are reported
  none,    ///< there is no policy any more
};

struct policy {
  policy_mode mode = policy_mode::none;
  std::vector<std::string> mx; ///< "mx.example.net" or "*.example.net", lower case; at least one unless mode is none
  std::chrono::seconds max_age{0};
  bool operator==(const policy&) const = default;
};

inline constexpr std::size_t policy_octets = 64 * 1024;                     ///< RFC 8461 3.3 suggests this limit
inline constexpr std::size_t mx_patterns = 100;                             ///< more hosts than any domain has
inline constexpr std::chrono::seconds longest_max_age{31'557'600};          ///< RFC 8461 3.2: about a year
inline constexpr std::string_view policy_path = "/.well-known/mta-sts.txt"; ///< at the host mta-sts.DOMAIN

/// The policy in the body of the HTTP answer, lines ended by LF or CRLF. errc::invalid with what is wrong;
/// errc::too_big.
result<policy> parse_policy(std::string_view body);

/// The id in the TXT records of _mta-sts.DOMAIN, each with its strings joined: 1 to 32 letters and digits.
/// errc::not_found: no record begins as one, or more than one does (RFC 8461 3.1); errc::invalid: the record is not
/// well-formed.
result<std::string> find_id(const std::vector<std::string>& records);

/// Whether `host` (lower case, without a dot at its end) is one that the policy names (RFC 8461 4.1).
bool names_host(const policy& what, std::string_view host);

} // namespace merpati::sts
