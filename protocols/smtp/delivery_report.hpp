// What a sender is told of its message: delivery status reports (RFC 3461, 3464, 6522, 6533) as whole messages.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "protocols/smtp/envelope.hpp"

namespace merpati::smtp {

enum class report_kind : std::uint8_t {
  failed,
  delayed,   ///< it waits and is tried again
  delivered, ///< into a mailbox here, or taken by a server that could not promise more reports
  relayed,   ///< taken by a server that knows nothing of reports
};

/// One of the recipients that a report is about.
struct reported_recipient {
  recipient who;
  std::string status;  ///< RFC 3463
  std::string remote;  ///< "mx.example.net [192.0.2.25]"; empty: no server answered
  std::string outcome; ///< what it said, or what went wrong before; any octets
  std::optional<timestamp> last_attempt;
  std::optional<timestamp> retry_until; ///< of a delay
};

struct delivery_report {
  report_kind kind = report_kind::failed;
  std::string hostname; ///< who reports
  std::string id;       ///< unique at `hostname`, an atom: Message-ID and boundary are made of it
  timestamp now;
  mailbox to; ///< the sender of the message
  mail_parameters parameters;
  timestamp accepted;                         ///< when the message came
  std::string message_name;                   ///< ours, as in Received
  std::vector<reported_recipient> recipients; ///< at least one
  std::string original; ///< the header block of the message, with its empty line; or, with `whole`, all of it
  bool whole = false;
};

/// Original octets beyond which a report returns the header alone, whatever RET says: a report is no way to send mail.
inline constexpr std::size_t returned_message_bytes = 256 * 1024;

/// Whether the sender is to hear of this (RFC 3461 4.1; without NOTIFY of failures and delays). Never for the null
/// reverse-path.
bool wants_report(report_kind kind, const reverse_path& sender, const rcpt_parameters& recipient) noexcept;

/// The message, with CRLF; ASCII where the addresses and the original are. To be sent from the null reverse-path.
std::string write_report(const delivery_report& report);

} // namespace merpati::smtp
