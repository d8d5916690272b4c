// Mail addresses as SMTP has them (RFC 5321 4.1.2): values, their text, and the forms they are compared in.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace merpati::smtp {

/// RFC 5321 4.5.3.1. Octets of the text as it is written, quotes included.
struct address_limits {
  static constexpr std::size_t local_part_bytes = 64; ///< 4.5.3.1.1
  static constexpr std::size_t domain_bytes = 255;    ///< 4.5.3.1.2
  static constexpr std::size_t label_bytes = 63;      ///< RFC 1035 2.3.4
  static constexpr std::size_t path_bytes = 256;      ///< 4.5.3.1.3, with its angle brackets, without a source route
  static constexpr std::size_t source_route_bytes =
      1024; ///< dropped unread by RFC 5321 appendix C; bounded all the same
};

struct address_syntax {
  bool utf8 = false; ///< RFC 6531: UTF-8 in the local part, U-labels in the domain
};

/// local-part@domain. Values that the parser made, and only those, can be written and parsed back to an equal value.
struct mailbox {
  std::string local_part; ///< without quotes and backslashes; may be empty (written "")
  std::string domain;     ///< as it was written; an address literal with its brackets; empty only for <Postmaster>

  bool is_address_literal() const noexcept { return !domain.empty() && domain.front() == '['; }
  /// RFC 5321 4.1.1.3: "<Postmaster>" without a domain, in any case of letters.
  bool is_bare_postmaster() const noexcept { return domain.empty(); }
  bool operator==(const mailbox&) const = default;
};

/// RFC 5321 Reverse-path: nothing is the null reverse-path "<>".
using reverse_path = std::optional<mailbox>;

// --- text to value; every failure is errc::invalid, or errc::too_big for a length limit ---

/// The whole of `text` as Mailbox: no brackets, no comments, no white space around.
result<mailbox> parse_mailbox(std::string_view text, address_syntax syntax = {});

/// A path at the beginning of a command's arguments, and what follows it.
template <class Path>
struct parsed_path {
  Path path;
  std::string_view rest; ///< what follows ">": empty, or begins with a space; view into the input
};
/// Reverse-path: "<>" or "<" [source route ":"] Mailbox ">". The source route is checked and dropped.
result<parsed_path<reverse_path>> parse_reverse_path(std::string_view text, address_syntax syntax = {});
/// Forward-path, or <Postmaster>. "<>" is refused.
result<parsed_path<mailbox>> parse_forward_path(std::string_view text, address_syntax syntax = {});

/// `text` is Domain (letters, digits, hyphens, dots) within the limits.
bool is_domain(std::string_view text, address_syntax syntax = {}) noexcept;
/// `text` is address-literal, brackets included (RFC 5321 4.1.3).
bool is_address_literal(std::string_view text) noexcept;

// --- value to text ---

/// Minimum quoting, as RFC 5321 4.1.2 asks for.
std::string write_mailbox(const mailbox& value);
/// With angle brackets; "<>" for the null reverse-path.
std::string write_path(const reverse_path& value);
std::string write_path(const mailbox& value);
/// The local part alone, quoted where it has to be.
std::string write_local_part(std::string_view local_part);

// --- forms for comparison ---

/// A-labels in lower case (IDNA 2008, non-transitional); an address literal in one spelling. errc::invalid when
/// `domain` has no such form.
result<std::string> canonical_domain(std::string_view domain);
/// Inverse for people: U-labels where there are any; `domain` itself when that fails.
std::string display_domain(std::string_view domain);
/// Equal for local parts that Merpati takes for the same: ASCII in lower case, other text NFC and case-folded. Without
/// quotes: not for writing.
std::string local_part_key(std::string_view local_part);
/// local_part_key, quoted where needed, '@' and canonical_domain: the text under which accounts and aliases are kept.
/// A bare postmaster has no '@'.
result<std::string> canonical_address(const mailbox& value);

// --- xtext (RFC 3461 4), which the AUTH parameter of MAIL uses ---

/// errc::invalid for a text that is no xtext.
result<std::string> decode_xtext(std::string_view text);
std::string encode_xtext(std::string_view value);

} // namespace merpati::smtp
