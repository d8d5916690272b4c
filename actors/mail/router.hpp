// From an address to what it leads to, one step: an account, an alias, a list, another server's domain, or nothing.
// Look-ups in an index snapshot; the caller brings the view. Where a list's members lead is delivery_plan's business.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "actors/mail/address_settings.hpp"
#include "base/clock.hpp"
#include "base/result.hpp"
#include "protocols/smtp/address.hpp"
#include "storage/shard.hpp"

namespace merpati::mail {

struct routing_rules {
  std::string hostname;                 ///< a bare <Postmaster> is first looked for in this domain
  std::string detail_separators = "+";  ///< "alice+books@" is alice's; empty: no details
  std::vector<std::string> srs_secrets; ///< of rewritten senders, the current one first; empty: none are rewritten
};

/// Hears of each step, for `merpati explain`. Null: nobody does.
class step_recorder {
public:
  virtual ~step_recorder() = default;
  virtual void step(std::string_view what) = 0;
};

/// Puts the parts together only where somebody listens.
template <class... Parts>
void note(step_recorder* recorder, const Parts&... parts) {
  if (recorder)
    recorder->step((std::string() + ... + parts));
}

/// Into a mailbox of this node, and perhaps on from there.
struct to_account {
  account_id account;
  std::uint32_t shard = 0;
  std::string address;           ///< canonical
  std::string detail;            ///< behind the separator; empty: none
  std::uint64_t quota_bytes = 0; ///< 0: none
  std::uint64_t quota_messages = 0;
  std::vector<std::string> forwards;
  bool keep_copy = true;
};
struct to_alias {
  std::string address; ///< canonical
  std::vector<std::string> targets;
};
struct to_list {
  std::string address; ///< canonical
  list_settings list;
};
/// The domain is not ours. Also what an address that we rewrote ourselves leads back to.
struct to_remote {
  smtp::mailbox address;
  bool is_returning = false; ///< a bounce on its way back, relayed for anybody
};
/// The domain is ours and there is no such recipient.
struct unknown_recipient {};

using route = std::variant<to_account, to_alias, to_list, to_remote, unknown_recipient>;

/// `view` is of shard 0, where domains, accounts and addresses are kept. Looked for in this order: the address itself
/// (account, alias, list), without its detail, an address that we rewrote (SRS), LIST-owner and LIST-bounces,
/// postmaster and abuse (RFC 2142; in every domain, whoever is responsible), the domain's catch-all. errc::invalid: the
/// address has no canonical form; errc::corrupted: settings that can't be read.
result<route> find_route(const storage::read_view& view, const routing_rules& rules, const smtp::mailbox& recipient,
                         timestamp now, step_recorder* recorder = nullptr);

/// Aliases of aliases, lists of lists: more levels are a mistake, or somebody's trap.
inline constexpr std::size_t alias_depth_limit = 20;

/// Where bounces of what a list sends go: "list-bounces@example.org".
smtp::mailbox bounce_address(const std::string& list);

/// A canonical address as a value.
smtp::mailbox parse_canonical(std::string_view address);

} // namespace merpati::mail
