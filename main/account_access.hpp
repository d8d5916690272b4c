// How commands reach accounts, addresses and the waiting list: through the daemon's admin port while it runs, on the
// store itself while it does not.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <vector>

#include "actors/admin/admin_client.hpp"
#include "actors/mail/address_book.hpp"
#include "actors/mail/directory.hpp"
#include "actors/mail/queue_control.hpp"
#include "base/result.hpp"
#include "config/settings.hpp"
#include "storage/shard.hpp"

namespace merpati {

class account_access {
public:
  /// The failure's sentence says what to do.
  static result<account_access> open(const config::settings& settings);

  mail::account_service& accounts() const {
    return client_ ? static_cast<mail::account_service&>(*client_) : *directory_;
  }
  mail::address_service& addresses() const { return client_ ? static_cast<mail::address_service&>(*client_) : *book_; }
  mail::queue_service& queue() const { return client_ ? static_cast<mail::queue_service&>(*client_) : *queue_; }

private:
  std::unique_ptr<admin::client> client_;
  std::vector<std::unique_ptr<storage::shard>> shards_;
  std::unique_ptr<mail::directory> directory_;
  std::unique_ptr<mail::address_book> book_;
  std::unique_ptr<mail::queue_control> queue_;
};

/// Reads the settings, opens the way to accounts and addresses, and lets `act` use it; the exit status.
int with_access(const std::filesystem::path& config,
                const std::function<int(const config::settings&, const account_access&)>& act);

} // namespace merpati
