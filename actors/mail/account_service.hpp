// What an administrator can do with domains and accounts, as one interface: `mail::directory` does it on the store,
// `admin::client` asks a running daemon to do it. Calls block until the change is on disk.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace merpati::mail {

/// An account as lists show it. Quota 0 means none.
struct account_summary {
  std::string address;
  bool enabled = true;
  std::uint64_t quota_bytes = 0;
  std::uint64_t used_bytes = 0;
  std::uint64_t messages = 0;
  bool operator==(const account_summary&) const = default;
};

struct new_account {
  std::string address;
  std::string password; ///< in clear; see password_min_characters
  std::uint64_t quota_bytes = 0;
};

/// NIST SP 800-63B 5.1.1.2: at least 8 characters, and long ones allowed.
inline constexpr std::size_t password_min_characters = 8;
/// Longer ones only make hashing and protocols' line limits work harder.
inline constexpr std::size_t password_max_octets = 256;

/// Names are accepted in any case and with U-labels, and answered canonical: lower case, A-labels.
/// Errors: invalid (a malformed name or unfit password), not_found, already_exists, in_use (a domain that still has
/// accounts), and those of the store (disk_full, unavailable, shutting_down, corrupted).
class account_service {
public:
  virtual ~account_service() = default;

  virtual result<std::vector<std::string>> domains() = 0;
  virtual result<std::string> add_domain(std::string_view name) = 0;
  virtual result<void> remove_domain(std::string_view name) = 0;

  virtual result<std::vector<account_summary>> accounts() = 0;
  /// Makes the account with its default mailboxes; its domain must exist. Answers the canonical address.
  virtual result<std::string> add_account(const new_account& account) = 0;
  /// With all its mail.
  virtual result<void> remove_account(std::string_view address) = 0;
  virtual result<void> set_enabled(std::string_view address, bool enabled) = 0;
  virtual result<void> set_password(std::string_view address, std::string_view password) = 0;
  virtual result<void> set_quota(std::string_view address, std::uint64_t bytes) = 0;
};

/// 20 characters of [a-z2-7] in groups of five: 100 bits, easy to read out.
std::string generated_password();

} // namespace merpati::mail
