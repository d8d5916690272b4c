// The other side of the admin port: what `merpati user`, `merpati domain` and `merpati reload` say to a running daemon.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "actors/mail/account_service.hpp"
#include "actors/mail/address_service.hpp"
#include "actors/mail/queue_service.hpp"

namespace merpati::admin {

/// Blocks while it asks. Any call answers unavailable when nobody listens.
class client final : public mail::account_service, public mail::address_service, public mail::queue_service {
public:
  client(std::string address, std::uint16_t port, std::string token);
  ~client() override;

  result<std::vector<std::string>> domains() override;
  result<std::string> add_domain(std::string_view name) override;
  result<void> remove_domain(std::string_view name) override;
  result<std::vector<mail::account_summary>> accounts() override;
  result<std::string> add_account(const mail::new_account& account) override;
  result<void> remove_account(std::string_view address) override;
  result<void> set_enabled(std::string_view address, bool enabled) override;
  result<void> set_password(std::string_view address, std::string_view password) override;
  result<void> set_quota(std::string_view address, std::uint64_t bytes) override;

  result<std::vector<mail::address_entry>> addresses() override;
  result<mail::address_entry> address(std::string_view address) override;
  result<mail::address_entry> put_address(const mail::address_entry& entry) override;
  result<void> remove_address(std::string_view address) override;
  result<std::size_t> change_members(std::string_view list, const std::vector<std::string>& add,
                                     const std::vector<std::string>& remove) override;
  result<void> set_domain_alias(std::string_view name, std::string_view target) override;
  result<std::vector<std::string>> explain(const mail::explain_request& what) override;

  result<mail::queue_listing> list(const mail::queue_filter& which, std::size_t at_most) override;
  result<std::uint64_t> change(mail::queue_action what, const mail::queue_filter& which) override;

  /// The daemon reads its certificates anew.
  result<void> reload();

private:
  struct state;
  std::unique_ptr<state> state_;
};

} // namespace merpati::admin
