// What stands behind an address or a domain that is no account: the text that the store keeps for the router. A first
// line says what it is, each further line is "key value"; addresses are canonical.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.hpp"

namespace merpati::mail {

/// Mail for the address goes to each target, with its sender as it came. At "@example.org" it is the domain's
/// catch-all.
struct alias_settings {
  std::vector<std::string> targets;
  bool operator==(const alias_settings&) const = default;
};

/// Who may send to a list.
enum class posting_rule : std::uint8_t { anyone, members, owners };

/// A distribution list: mail goes to each member with the list's own sender and the list's fields.
struct list_settings {
  std::string title; ///< the phrase of List-Id; may be empty
  posting_rule posting = posting_rule::anyone;
  std::vector<std::string> owners;  ///< get bounces and may always post
  std::vector<std::string> members; ///< sorted, each once
  bool operator==(const list_settings&) const = default;
};

/// An account of this address passes its mail on.
struct forward_settings {
  std::vector<std::string> targets;
  bool keep_copy = true; ///< into the account's mailbox too
  bool operator==(const forward_settings&) const = default;
};

using address_settings = std::variant<alias_settings, list_settings, forward_settings>;

std::string write_settings(const address_settings& settings);
/// errc::corrupted for a text that write_settings does not write.
result<address_settings> read_settings(std::string_view text);

struct domain_settings {
  std::string alias_of; ///< every address here is that of the same local part there; empty: a domain of its own
  bool operator==(const domain_settings&) const = default;
};

std::string write_settings(const domain_settings& settings);
result<domain_settings> read_domain_settings(std::string_view text);

/// "anyone", "members", "owners".
std::string_view to_string(posting_rule rule) noexcept;
result<posting_rule> parse_posting_rule(std::string_view word);

} // namespace merpati::mail
