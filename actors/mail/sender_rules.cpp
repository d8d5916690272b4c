#include "actors/mail/sender_rules.hpp"

#include "actors/mail/directory.hpp"

namespace merpati::mail {

result<void> sender_delegations::add(std::string_view account, std::string_view address) {
  auto who = canonical_address(account);
  if (!who)
    return tl::make_unexpected(who.error());
  result<std::string> what = fail(errc::invalid, "");
  if (address.starts_with('@')) {
    what = canonical_domain(address.substr(1));
    if (what)
      what->insert(0, 1, '@');
  } else {
    what = canonical_address(address);
  }
  if (!what)
    return tl::make_unexpected(what.error());
  by_account_[*who].insert(std::move(*what));
  return {};
}

bool sender_delegations::allows(const std::string& account, const std::string& address) const {
  const auto found = by_account_.find(account);
  if (found == by_account_.end())
    return false;
  return found->second.contains(address) || found->second.contains(address.substr(address.rfind('@')));
}

bool may_send_as(const std::string& account, const smtp::mailbox& sender, const sender_delegations& delegations) {
  if (sender.is_bare_postmaster())
    return false;
  const auto address = smtp::canonical_address(sender);
  return address && (*address == account || delegations.allows(account, *address));
}

bool leads_to_alone(const storage::read_view& view, const routing_rules& rules, const smtp::mailbox& address,
                    const std::string& account, timestamp now) {
  auto next = address;
  for (std::size_t depth = 0; depth != alias_depth_limit; ++depth) {
    const auto where = find_route(view, rules, next, now);
    if (!where)
      return false;
    if (const auto* found = std::get_if<to_account>(&*where))
      return found->address == account;
    const auto* alias = std::get_if<to_alias>(&*where);
    if (!alias || alias->targets.size() != 1)
      return false;
    next = parse_canonical(alias->targets.front());
  }
  return false;
}

} // namespace merpati::mail
