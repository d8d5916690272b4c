// What MAIL and RCPT say about a message: addresses and the parameters of the extensions, as values.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "protocols/smtp/address.hpp"

namespace merpati::smtp {

/// BODY of MAIL: RFC 6152, RFC 3030 3.
enum class body_type : std::uint8_t {
  seven_bit, ///< 7BIT, or nothing said
  eight_bit, ///< 8BITMIME
  binary,    ///< BINARYMIME: no lines, any octets; by BDAT only
};

/// BY of MAIL (RFC 2852 4).
struct deliver_by {
  std::chrono::seconds within{0}; ///< negative when the time had passed at an earlier hop
  bool return_late = false;       ///< R: give up after that time; else N: tell the sender and go on
  bool trace = false;             ///< T: the sender wants to hear of each relay
  bool operator==(const deliver_by&) const = default;
};

/// RET of MAIL: how much of the message a failure report returns (RFC 3461 4.3).
enum class returned_part : std::uint8_t { full, headers };

/// What MAIL said beside the reverse-path.
struct mail_parameters {
  std::optional<std::uint64_t> size_bytes; ///< SIZE (RFC 1870); already within the limit
  body_type body = body_type::seven_bit;
  bool utf8 = false; ///< SMTPUTF8 (RFC 6531)
  /// AUTH (RFC 4954 5), decoded from xtext: nothing when absent; an empty text stands for AUTH=<>. Unverified: trust
  /// it only from an authenticated peer that may say so.
  std::optional<std::string> auth;
  std::optional<returned_part> returned;        ///< RET
  std::string envelope_id;                      ///< ENVID, decoded; empty: none (RFC 3461 4.4)
  bool require_tls = false;                     ///< REQUIRETLS (RFC 8689)
  std::optional<int> priority;                  ///< MT-PRIORITY, -9 to 9 (RFC 6710)
  std::optional<smtp::deliver_by> deliver;      ///< BY
  std::optional<std::chrono::seconds> hold_for; ///< HOLDFOR (RFC 4865), within what was offered
  std::optional<timestamp> hold_until;          ///< HOLDUNTIL
  bool operator==(const mail_parameters&) const = default;
};

/// NOTIFY of RCPT: a set of these (RFC 3461 4.1).
enum notify_bit : std::uint8_t {
  notify_success = 1,
  notify_failure = 2,
  notify_delay = 4,
  notify_never = 8, ///< alone
};

/// What RCPT said beside the forward-path. Kept with the recipient wherever it goes.
struct rcpt_parameters {
  std::uint8_t notify = 0;        ///< notify_bit values; 0: nothing said, which asks for failures and delays
  std::string original_type;      ///< ORCPT's address type as it was written ("rfc822"); empty: no ORCPT
  std::string original_recipient; ///< ORCPT's address, decoded from xtext
  bool operator==(const rcpt_parameters&) const = default;
};

struct recipient {
  mailbox address;
  rcpt_parameters parameters;
  bool operator==(const recipient&) const = default;
};

struct envelope {
  reverse_path sender;
  mail_parameters parameters;
  std::vector<recipient> recipients; ///< accepted ones, in order, repetitions included
  bool operator==(const envelope&) const = default;
};

} // namespace merpati::smtp
