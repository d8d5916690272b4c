// From a recipient's address to where its mail goes. A look-up in an index snapshot; the caller brings the view.
#pragma once

#include <string>
#include <variant>

#include "base/result.hpp"
#include "protocols/smtp/address.hpp"
#include "storage/shard.hpp"

namespace merpati::mail {

/// Into a mailbox of this node.
struct local_delivery {
  account_id account;
  std::uint32_t shard = 0;
  std::string address; ///< canonical
};
/// The domain is ours and there is no such recipient.
struct unknown_recipient {};
/// The domain is not ours.
struct remote_domain {
  std::string domain; ///< canonical
};

using route = std::variant<local_delivery, unknown_recipient, remote_domain>;

/// `view` is of shard 0, where domains and accounts are kept. A bare <Postmaster> is the postmaster of `hostname`, or
/// where that is no domain of ours, of the first one that has such an account (RFC 5321 4.5.1).
/// errc::invalid: the address has no canonical form.
result<route> find_route(const storage::read_view& view, const smtp::mailbox& recipient, const std::string& hostname);

} // namespace merpati::mail
