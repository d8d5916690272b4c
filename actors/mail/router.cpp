#include "actors/mail/router.hpp"

namespace merpati::mail {

namespace {

route to_account(const storage::read_view& view, const std::string& address) {
  auto account = view.account(address);
  if (!account)
    return unknown_recipient{};
  return local_delivery{account->id, account->shard, account->name};
}

route to_postmaster(const storage::read_view& view, const std::string& hostname) {
  auto found = to_account(view, "postmaster@" + hostname);
  if (std::holds_alternative<local_delivery>(found))
    return found;
  for (const auto& domain : view.domains()) {
    found = to_account(view, "postmaster@" + domain.name);
    if (std::holds_alternative<local_delivery>(found))
      return found;
  }
  return unknown_recipient{};
}

} // namespace

result<route> find_route(const storage::read_view& view, const smtp::mailbox& recipient, const std::string& hostname) {
  if (recipient.is_bare_postmaster())
    return to_postmaster(view, hostname);
  auto domain = smtp::canonical_domain(recipient.domain);
  if (!domain)
    return tl::make_unexpected(domain.error());
  if (!view.domain(*domain))
    return remote_domain{std::move(*domain)};
  auto address = smtp::canonical_address(recipient);
  if (!address)
    return tl::make_unexpected(address.error());
  return to_account(view, *address);
}

} // namespace merpati::mail
