// Which hosts take mail for a domain (RFC 5321 5.1, RFC 7505), as a coroutine that asks the resolver.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "actors/delivery/job.hpp"
#include "actors/dns/resolver_actor.hpp"
#include "actors/runtime/coroutine_host.hpp"
#include "actors/runtime/task.hpp"
#include "protocols/tls/tlsa.hpp"

namespace merpati::delivery {

enum class dane_state : std::uint8_t {
  absent,   ///< no secure TLSA records
  usable,   ///< some that a certificate can be checked against
  unusable, ///< secure ones, but none of these
  failed,   ///< DNS did not tell, or its answer is forged
};

/// What TLSA records say of a host.
struct dane_finding {
  dane_state what = dane_state::absent;
  std::string base;                      ///< the name that they were found under (RFC 7672 2.2.3)
  std::vector<tls::tlsa_record> records; ///< the usable ones
  std::string why;                       ///< of `failed`
};

struct mail_host {
  std::string name;                   ///< for TLS and for people; of an address literal: the address
  std::vector<std::string> addresses; ///< numeric, in the order to try; at least one
  /// Where TLSA records may be, in the order to look. Empty: an answer on the way to this host was not signed.
  std::vector<std::string> tlsa_bases;
  dane_finding dane;
};

/// Hosts in the order to try, at least one.
using mail_hosts = std::vector<mail_host>;

/// Why there is none. `permanent`: it will not help to ask again.
struct no_hosts {
  bool permanent = false;
  reason why;
};

/// What tells this server from others.
struct own_places {
  std::string hostname;
  std::vector<std::string> addresses; ///< numeric: where this server takes mail from others on the port that it
                                      ///< delivers to; loopback addresses are always ours
};

/// RFC 5321 5.1 wants more than one to be tried, and a bound.
inline constexpr std::size_t hosts_max = 10;
/// Of one host.
inline constexpr std::size_t addresses_max = 6;

/// `domain`: canonical, or an address literal with its brackets. A host that is this server, and all that are less
/// preferred, are left out; when that leaves none it is a loop (5.4.6).
runtime::task<tl::expected<mail_hosts, no_hosts>> find_hosts(runtime::coroutine_host& host,
                                                             dns::resolver_actor resolver, std::string domain,
                                                             own_places own, std::uint32_t seed);

/// The addresses of one host that is named in the configuration.
runtime::task<tl::expected<mail_hosts, no_hosts>> find_addresses(runtime::coroutine_host& host,
                                                                 dns::resolver_actor resolver, std::string name);

} // namespace merpati::delivery
