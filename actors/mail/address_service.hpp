// What an administrator can do with addresses that are no accounts, as one interface: `mail::address_book` does it on
// the store, `admin::client` asks a running daemon to do it. Calls block until the change is on disk.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "actors/mail/address_settings.hpp"
#include "base/result.hpp"

namespace merpati::mail {

struct address_entry {
  std::string address; ///< canonical; "@example.org" is a catch-all
  address_settings settings;
  bool operator==(const address_entry&) const = default;
};

/// What to explain: the way of a message, without sending one.
struct explain_request {
  std::string recipient;
  std::string sender;                  ///< envelope sender; empty: the null sender
  std::string account;                 ///< who logged in; empty: nobody
  std::string hostname;                ///< of the configuration that is asked about
  std::string detail_separators = "+"; ///< likewise
};

/// The longest title of a list, in octets: an encoded word (RFC 2047 2) has room for no more.
inline constexpr std::size_t list_title_octets = 45;

/// Addresses are accepted in any spelling and kept canonical. Errors: invalid, not_found (a domain that is not ours, an
/// address that is not there), already_exists (the address is an account, or something of another kind), in_use, and
/// those of the store.
class address_service {
public:
  virtual ~address_service() = default;

  /// All of them, by address.
  virtual result<std::vector<address_entry>> addresses() = 0;
  virtual result<address_entry> address(std::string_view address) = 0;
  /// Makes the address or replaces it by one of the same kind; answers it as it is kept.
  virtual result<address_entry> put_address(const address_entry& entry) = 0;
  virtual result<void> remove_address(std::string_view address) = 0;
  /// Changes the members of a list in one step; answers how many it has then. Who is there already, or is not, does no
  /// harm.
  virtual result<std::size_t> change_members(std::string_view list, const std::vector<std::string>& add,
                                             const std::vector<std::string>& remove) = 0;
  /// Every address of domain `name` is that of the same local part in `target` from now on; `name` is made if it is not
  /// there. An empty target makes it a domain of its own again.
  virtual result<void> set_domain_alias(std::string_view name, std::string_view target) = 0;
  /// Each step that a message would take, a line each.
  virtual result<std::vector<std::string>> explain(const explain_request& what) = 0;
};

} // namespace merpati::mail
