// DNS lists of addresses, good ones and bad ones (RFC 5782), as plain functions: which name to ask, what an answer
// means, and what follows of all answers together.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip_address.hpp"
#include "config/policy_settings.hpp"

namespace merpati::policy {

/// RFC 1035 3.5 and RFC 3596 2.5: "1.2.0.192.in-addr.arpa", 32 nibbles and "ip6.arpa".
std::string reverse_name(const ip_address& address);
/// RFC 5782 2.1 and 2.4: the same labels before the list's zone.
std::string list_name(const ip_address& address, std::string_view zone);

/// True when one of `answers`, the A records of list_name(), says "listed": within 127.0.0.0/8, since an answer from
/// elsewhere is of a domain that changed hands (RFC 5782 3.4), not 127.255.255.0/24, by which lists say that they
/// don't serve us, and among those that `list` names if it names any.
bool is_listed(const config::address_list& list, const std::vector<std::string>& answers);

/// What the lists say of one client.
struct list_verdict {
  bool welcome = false;    ///< on a list of good ones: no greylisting, no refusal
  bool refused = false;    ///< weights of the bad ones reach the threshold, and it is not welcome
  std::string zone;        ///< the heaviest list that it is on; the good one if it is welcome
  std::uint64_t score = 0; ///< sum of weights
};

/// `listed[i]`: the client is on `lists[i]`. A list that did not answer counts like one that the client is not on: mail
/// never waits for a list.
list_verdict judge(const std::vector<config::address_list>& lists, const std::vector<bool>& listed,
                   std::uint64_t threshold);

/// A name that may stand in trace fields and logs: labels of letters, digits, hyphens and underscores, 253 octets.
bool is_presentable_name(std::string_view name);

} // namespace merpati::policy
