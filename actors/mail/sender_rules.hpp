// Who may send under which address: a submitted message names its sender twice, in the envelope and in From, and both
// have to belong to the account that logged in (RFC 6409 6.1).
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "actors/mail/router.hpp"
#include "base/clock.hpp"
#include "base/result.hpp"
#include "protocols/smtp/address.hpp"
#include "storage/shard.hpp"

namespace merpati::mail {

/// Addresses beyond its own that an account may send under, as the administrator configured them.
class sender_delegations {
public:
  /// Both in any spelling; `address` may be "@example.org": all of that domain. errc::invalid: one of them has no
  /// canonical form.
  result<void> add(std::string_view account, std::string_view address);
  /// Canonical forms.
  bool allows(const std::string& account, const std::string& address) const;

private:
  std::map<std::string, std::set<std::string>> by_account_;
};

/// `account` (canonical address) may send as `sender`: it is its own address, or one delegated to it.
bool may_send_as(const std::string& account, const smtp::mailbox& sender, const sender_delegations& delegations);

/// Mail to `address` comes to `account` (canonical address) and to nobody else: a detail of its address, or an alias,
/// also through other aliases. `view` is of shard 0. What can't be read leads nowhere.
bool leads_to_alone(const storage::read_view& view, const routing_rules& rules, const smtp::mailbox& address,
                    const std::string& account, timestamp now);

} // namespace merpati::mail
