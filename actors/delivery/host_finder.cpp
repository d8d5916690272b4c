#include "actors/delivery/host_finder.hpp"

#include <algorithm>
#include <utility>

#include "base/ip_address.hpp"

namespace merpati::delivery {

namespace {

using runtime::task;
using found_hosts = tl::expected<mail_hosts, no_hosts>;

tl::unexpected<no_hosts> temporary(std::string text) {
  return tl::make_unexpected(no_hosts{false, {"4.4.3", "", std::move(text)}});
}

tl::unexpected<no_hosts> permanent(std::string status, std::string text) {
  return tl::make_unexpected(no_hosts{true, {std::move(status), "", std::move(text)}});
}

// Not a member of the awaiting expression: g++ 12 frees what a conditional makes there twice.
task<dns::answer> ask(runtime::coroutine_host& host, const dns::resolver_actor& resolver, std::string name,
                      dns::record_type type) {
  dns::query query{std::move(name), type};
  auto answered = co_await host.ask<dns::answer>(resolver, std::move(query));
  if (answered)
    co_return std::move(*answered);
  dns::answer none;
  none.records = tl::make_unexpected(answered.error());
  co_return none;
}

struct addresses {
  std::vector<std::string> values;
  bool name_exists = true;
  std::string failure; ///< DNS did not answer one of the questions
  bool secure = true;  ///< every answer was
  std::string canonical;
};

/// RFC 7672 2.2.2, 2.2.3: the name at the end of secure CNAME records comes before the host's own; where they lead out
/// of what is signed, its own alone, if the first of them is signed.
task<std::vector<std::string>> tlsa_bases(runtime::coroutine_host& host, dns::resolver_actor resolver, std::string name,
                                          addresses found) {
  std::vector<std::string> out;
  if (found.secure && !found.canonical.empty())
    out.push_back(found.canonical);
  bool own_name = found.secure;
  if (!found.secure && !found.canonical.empty()) {
    auto alias = co_await ask(host, resolver, name, dns::record_type::cname);
    own_name = alias.records && alias.secure && !alias.records->records.empty();
  }
  if (own_name)
    out.push_back(name);
  co_return out;
}

/// RFC 8305 4 in small: the families take turns, IPv6 first.
std::vector<std::string> alternate(const std::vector<std::string>& six, const std::vector<std::string>& four) {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < std::max(six.size(), four.size()) && out.size() < addresses_max; ++i) {
    if (i < six.size())
      out.push_back(six[i]);
    if (i < four.size())
      out.push_back(four[i]);
  }
  return out;
}

task<addresses> addresses_of(runtime::coroutine_host& host, dns::resolver_actor resolver, std::string name) {
  addresses out;
  std::vector<std::string> by_family[2];
  constexpr dns::record_type types[] = {dns::record_type::aaaa, dns::record_type::a};
  for (std::size_t i = 0; i != 2; ++i) {
    auto answered = co_await ask(host, resolver, name, types[i]);
    if (!answered.records) {
      out.failure = answered.records.error().what;
      continue;
    }
    out.name_exists = answered.records->name_exists;
    out.secure = out.secure && answered.secure;
    if (!answered.canonical.empty())
      out.canonical = answered.canonical;
    for (const auto& record : answered.records->records)
      by_family[i].push_back(record.value);
  }
  out.values = alternate(by_family[0], by_family[1]);
  co_return out;
}

bool is_ours(const own_places& own, const std::string& address) {
  const auto parsed = ip_address::parse(address);
  return !parsed || parsed->is_loopback() || parsed->is_any()
         || std::find(own.addresses.begin(), own.addresses.end(), address) != own.addresses.end();
}

bool is_ours(const own_places& own, const mail_host& host) {
  return host.name == own.hostname
         || std::any_of(host.addresses.begin(), host.addresses.end(), [&](const auto& a) { return is_ours(own, a); });
}

found_hosts loop(const std::string& domain) {
  return permanent("5.4.6", "mail for " + domain + " is to come to this server, which is not set up to take it");
}

found_hosts of_literal(const std::string& literal, const own_places& own) {
  auto text = literal.substr(1, literal.size() - 2);
  if (text.size() > 5 && text.compare(0, 5, "ipv6:") == 0)
    text.erase(0, 5);
  const auto address = ip_address::parse(text);
  if (!address)
    return permanent("5.1.2", literal + " is an address of no kind that is known");
  if (is_ours(own, address->to_string()))
    return loop(literal);
  mail_host only;
  only.name = address->to_string();
  only.addresses = {only.name};
  return mail_hosts{std::move(only)};
}

/// RFC 5321 5.1: by preference, at random among equals.
std::vector<dns::record> in_order(std::vector<dns::record> records, std::uint32_t seed) {
  std::shuffle(records.begin(), records.end(), std::mt19937(seed));
  std::stable_sort(records.begin(), records.end(),
                   [](const auto& a, const auto& b) { return a.preference < b.preference; });
  return records;
}

} // namespace

task<found_hosts> find_addresses(runtime::coroutine_host& host, dns::resolver_actor resolver, std::string name) {
  if (const auto literal = ip_address::parse(name)) {
    mail_host only;
    only.name = name;
    only.addresses = {literal->to_string()};
    co_return mail_hosts{std::move(only)};
  }
  auto found = co_await addresses_of(host, resolver, name);
  if (!found.values.empty()) {
    mail_host only;
    only.name = name;
    only.addresses = found.values;
    only.tlsa_bases = co_await tlsa_bases(host, resolver, name, std::move(found));
    co_return mail_hosts{std::move(only)};
  }
  // The name stands in our configuration: that DNS does not know it may be a mistake that will be mended.
  co_return temporary("there is no address for " + name + (found.failure.empty() ? "" : ": " + found.failure));
}

task<found_hosts> find_hosts(runtime::coroutine_host& host, dns::resolver_actor resolver, std::string domain,
                             own_places own, std::uint32_t seed) {
  if (domain.starts_with('['))
    co_return of_literal(domain, own);
  auto answered = co_await ask(host, resolver, domain, dns::record_type::mx);
  if (!answered.records)
    co_return temporary("DNS does not tell who takes mail for " + domain + ": " + answered.records.error().what);
  if (!answered.records->name_exists)
    co_return permanent("5.1.2", "there is no domain " + domain);
  const bool mx_secure = answered.secure;
  auto records = in_order(std::move(answered.records->records), seed);
  if (records.size() == 1 && records.front().value.empty()) // RFC 7505 4.2
    co_return permanent("5.1.10", domain + " takes no mail (null MX)");
  std::erase_if(records, [](const auto& record) { return record.value.empty(); });
  const bool implicit = records.empty(); // RFC 5321 5.1: the domain itself
  if (implicit)
    records.push_back({domain, 0});

  mail_hosts out;
  std::string failure;
  std::string missing;
  for (std::size_t i = 0; i < records.size() && out.size() < hosts_max; ++i) {
    auto found = co_await addresses_of(host, resolver, records[i].value);
    mail_host candidate;
    candidate.name = records[i].value;
    candidate.addresses = found.values;
    if (is_ours(own, candidate)) {
      // RFC 5321 5.1: nothing goes to hosts that are not preferred to this one.
      const auto preference = records[i].preference;
      std::erase_if(out, [&](const auto& earlier) {
        return std::any_of(records.begin(), records.end(), [&](const auto& record) {
          return record.value == earlier.name && record.preference >= preference;
        });
      });
      if (out.empty())
        co_return loop(domain);
      break;
    }
    if (!found.failure.empty())
      failure = found.failure;
    if (candidate.addresses.empty()) {
      missing = candidate.name;
      continue;
    }
    if (mx_secure) // RFC 7672 2.1.1: who could forge the MX records could name a host with TLSA records
      candidate.tlsa_bases = co_await tlsa_bases(host, resolver, candidate.name, std::move(found));
    out.push_back(std::move(candidate));
  }
  if (!out.empty())
    co_return out;
  if (!failure.empty())
    co_return temporary("DNS does not tell the addresses of the mail servers of " + domain + ": " + failure);
  if (implicit)
    co_return permanent("5.1.2", domain + " has neither mail servers nor an address");
  co_return permanent("5.4.4", "the mail server of " + domain + ", " + missing + ", has no address");
}

} // namespace merpati::delivery
