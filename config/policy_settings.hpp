// What an administrator may choose about strangers who bring mail, and about DNS: the values of [policy] and
// [resolver].
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace merpati::config {

/// An A record of an address list, as a number: 127.0.0.2 is 0x7f000002.
struct answer_range {
  std::uint32_t first = 0;
  std::uint32_t last = 0;
  bool operator==(const answer_range&) const = default;
};

/// A list of addresses in DNS (RFC 5782): of bad ones ([[policy.dnsbl]]) or good ones ([[policy.dnswl]]).
struct address_list {
  std::string zone;                  ///< lower case, without a dot at its end
  bool welcome = false;              ///< a list of good ones
  std::uint64_t weight = 1;          ///< of a list of bad ones, from 1
  std::vector<answer_range> answers; ///< which answers count; empty: all of 127.0.0.0/8
  bool operator==(const address_list&) const = default;
};

/// Off unless asked for: it delays the first mail of everybody, codes for logging in elsewhere included, by minutes.
struct greylist_settings {
  bool enabled = false;
  std::chrono::seconds delay{60};          ///< shorter than any mail server waits before its second try
  std::chrono::seconds window{172'800};    ///< two days; whoever comes again later begins anew
  std::uint64_t known_after = 5;           ///< different triplets that passed, and the network is known
  std::chrono::seconds known{35 * 86'400}; ///< monthly mail keeps a network known
};

/// Of one client network (IPv4 address or IPv6 /64), or of one account. 0: no limit.
struct rate_settings {
  std::uint64_t connections_per_minute = 60;         ///< a large provider opens one a second for a busy site
  std::uint64_t messages_per_minute = 120;           ///< two for each connection
  std::uint64_t recipients_per_minute = 1'200;       ///< ten for each message; a list with 1,000 passes at once
  std::uint64_t account_messages_per_hour = 300;     ///< more than people write; a stolen password sends no million
  std::uint64_t account_recipients_per_hour = 1'500; ///< one message to the most recipients there may be, and more
};

struct policy_settings {
  bool reverse_dns = true;                      ///< look up the client's name, for Received
  std::chrono::milliseconds greet_pause{1'000}; ///< who talks before our greeting is no mail server; 0: no pause
  std::vector<std::string> exempt;              ///< addresses and CIDR ranges that are spared all of this
  std::uint64_t threshold = 1;                  ///< sum of weights at which a listed client is refused
  std::vector<address_list> lists;
  greylist_settings greylist;
  rate_settings rates;
};

struct resolver_settings {
  std::vector<std::string> forwarders; ///< "192.0.2.53" or "192.0.2.53@5353"; empty: see `recursive`
  bool recursive = false;              ///< true: asks the root servers itself; false: those of /etc/resolv.conf
  std::filesystem::path trust_anchor;  ///< DNSSEC root key file, absolute; empty: the distribution's where there is one
  std::chrono::milliseconds timeout{5'000}; ///< of one query; a session must not wait for minutes
  std::uint64_t queries = 2'000;            ///< under way at once; about 10 KB each
};

} // namespace merpati::config
