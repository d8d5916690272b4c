#include "main/client_steps.hpp"

#include <algorithm>

#include "base/address_range.hpp"
#include "base/ip_address.hpp"

namespace merpati {

namespace {

/// "60 connections a minute"; nothing for 0, which is no limit.
void add_limit(std::string& out, std::uint64_t limit, std::string_view what) {
  if (limit == 0)
    return;
  if (!out.empty())
    out += ", ";
  out.append(std::to_string(limit)).append(" ").append(what);
}

void add_limits(std::vector<std::string>& steps, const std::string& whose, const std::string& limits) {
  if (!limits.empty())
    steps.push_back("  " + whose + " may have " + limits + "; beyond that 421 4.7.0");
}

std::vector<std::string> lists(const config::policy_settings& policy) {
  std::vector<std::string> out;
  for (const auto& list : policy.lists) {
    if (list.welcome)
      out.push_back("  list " + list.zone + " is asked; who is on it is welcome: no pause, no greylisting");
    else
      out.push_back("  list " + list.zone + " is asked, weight " + std::to_string(list.weight) + "; from a sum of "
                    + std::to_string(policy.threshold) + " on recipients are refused with 550 5.7.1");
  }
  return out;
}

std::vector<std::string> stranger(const config::policy_settings& policy) {
  std::vector<std::string> out;
  const auto& rates = policy.rates;
  std::string limits;
  add_limit(limits, rates.connections_per_minute, "connections");
  add_limit(limits, rates.messages_per_minute, "messages");
  add_limit(limits, rates.recipients_per_minute, "recipients a minute");
  add_limits(out, "its network", limits);
  if (policy.reverse_dns)
    out.emplace_back("  its name is looked up, for trace fields");
  for (auto& line : lists(policy))
    out.push_back(std::move(line));
  if (policy.greet_pause.count() > 0)
    out.push_back("  it is greeted after " + std::to_string(policy.greet_pause.count())
                  + " ms; if it talks before, 554 5.5.0");
  if (policy.greylist.enabled)
    out.push_back("  unknown to the greylist, it is told 451 4.7.1 and may come again after "
                  + std::to_string(policy.greylist.delay.count()) + " s");
  return out;
}

} // namespace

result<std::vector<std::string>> client_steps(const config::settings& settings, std::string_view address,
                                              const std::string& account) {
  const auto client = ip_address::parse(address);
  if (!client)
    return fail(errc::invalid, "\"" + std::string(address) + "\" is no IP address");
  const auto& policy = settings.policy;
  const bool exempt = std::any_of(policy.exempt.begin(), policy.exempt.end(), [&](const std::string& text) {
    const auto range = address_range::parse(text);
    return range && range->contains(*client);
  });
  std::vector<std::string> out{"the client is " + client->to_string()};
  if (!account.empty()) {
    std::string limits;
    add_limit(limits, policy.rates.account_messages_per_hour, "messages");
    add_limit(limits, policy.rates.account_recipients_per_hour, "recipients an hour");
    add_limits(out, account, limits);
  } else if (client->is_loopback() || exempt) {
    out.emplace_back(client->is_loopback() ? "  on this machine: [policy] spares it" : "  [policy] names it as exempt");
  } else {
    for (auto& line : stranger(policy))
      out.push_back(std::move(line));
  }
  return out;
}

} // namespace merpati
