// Domains and accounts on the store. Account and domain rows live in shard 0, where logins and the router look them
// up; an account whose mailboxes live in another shard has a copy of its row there, for quota.
#pragma once

#include <functional>
#include <memory>
#include <mutex>

#include "actors/mail/account_service.hpp"
#include "base/clock.hpp"
#include "storage/shard.hpp"

namespace merpati::mail {

/// How the directory reaches the shards: by calls on open shards (command line), or by asking the writer actors.
struct directory_store {
  std::function<result<storage::read_view>(std::uint32_t shard)> read;
  /// Carries out one mutation and answers once it is on disk. Called by one thread at a time for a directory.
  std::function<result<storage::outcome>(std::uint32_t shard, storage::mutation)> apply;
  std::uint32_t shards = 1;

  /// apply() where the outcome itself says nothing.
  result<void> change(std::uint32_t shard, storage::mutation what) const;
};

/// What stands behind the last '@' of a canonical address.
std::string_view domain_of(std::string_view address);

/// Safe for several threads: changes are made one after the other.
class directory final : public account_service {
public:
  explicit directory(directory_store store, const clock_source& clock = clock_source::system());

  result<std::vector<std::string>> domains() override;
  result<std::string> add_domain(std::string_view name) override;
  result<void> remove_domain(std::string_view name) override;

  result<std::vector<account_summary>> accounts() override;
  result<std::string> add_account(const new_account& account) override;
  result<void> remove_account(std::string_view address) override;
  result<void> set_enabled(std::string_view address, bool enabled) override;
  result<void> set_password(std::string_view address, std::string_view password) override;
  result<void> set_quota(std::string_view address, std::uint64_t bytes) override;

private:
  result<storage::account_row> find(std::string_view address);
  result<void> put(const storage::account_row& row);
  result<void> make_default_mailboxes(const storage::account_row& row);
  /// Makes what a crash in add_account left out.
  result<void> complete(const storage::account_row& row);
  result<std::uint32_t> shard_for_new_account();

  directory_store store_;
  const clock_source& clock_;
  std::mutex changes_;
};

/// For shards that this process has open itself (the command line, while no daemon runs). The shards, not the list of
/// them, outlive it.
directory_store direct_store(const std::vector<std::unique_ptr<storage::shard>>& shards);

/// The canonical form of a domain: A-labels, lower case. errc::invalid when it is none.
result<std::string> canonical_domain(std::string_view name);
/// The canonical form of an address: local part in lower case, canonical domain. errc::invalid when it is none.
result<std::string> canonical_address(std::string_view address);

} // namespace merpati::mail
