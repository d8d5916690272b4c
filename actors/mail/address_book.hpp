// Aliases, lists, forwards and aliases of domains on the store (shard 0).
#pragma once

#include <mutex>
#include <string>
#include <vector>

#include "actors/mail/address_service.hpp"
#include "actors/mail/directory.hpp"
#include "actors/mail/router.hpp"
#include "base/clock.hpp"

namespace merpati::mail {

/// Safe for several threads: changes are made one after the other.
class address_book final : public address_service {
public:
  /// `srs_secrets`: see routing_rules.
  address_book(directory_store store, std::vector<std::string> srs_secrets,
               const clock_source& clock = clock_source::system());

  result<std::vector<address_entry>> addresses() override;
  result<address_entry> address(std::string_view address) override;
  result<address_entry> put_address(const address_entry& entry) override;
  result<void> remove_address(std::string_view address) override;
  result<std::size_t> change_members(std::string_view list, const std::vector<std::string>& add,
                                     const std::vector<std::string>& remove) override;
  result<void> set_domain_alias(std::string_view name, std::string_view target) override;
  result<std::vector<std::string>> explain(const explain_request& what) override;

private:
  result<void> check_place(const address_entry& entry);

  directory_store store_;
  std::vector<std::string> srs_secrets_;
  const clock_source& clock_;
  std::mutex changes_;
};

} // namespace merpati::mail
