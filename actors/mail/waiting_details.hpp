// What the waiting list keeps of one recipient beside its destination and time: everything that a later attempt or a
// report needs. Text of lines "key value"; storage does not read it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "protocols/smtp/envelope.hpp"

namespace merpati::mail {

/// What became of the attempts so far.
struct delivery_progress {
  std::uint32_t attempts = 0;
  std::optional<timestamp> last_attempt;
  std::string status;      ///< RFC 3463, such as "4.4.1"; empty before the first attempt
  std::string remote;      ///< who answered, such as "mx.example.net [192.0.2.25]"; empty: nobody did
  std::string outcome;     ///< what it said, or what went wrong before; one line
  std::string encryption;  ///< of the last attempt, such as "TLSv1.3, DANE verified"; empty: it did not come so far
  bool held = false;       ///< an administrator holds it: no attempts
  bool given_up = false;   ///< an administrator wants it returned to its sender
  bool delay_told = false; ///< the sender knows that it waits
  bool operator==(const delivery_progress&) const = default;
};

struct waiting_details {
  std::string message;               ///< our name for the message, as in Received
  timestamp accepted;                ///< when it came
  std::optional<timestamp> released; ///< when it was to be sent, where that is later (RFC 4865)
  smtp::reverse_path sender;         ///< envelope sender of this recipient's copy
  smtp::recipient recipient;         ///< with its DSN parameters
  smtp::mail_parameters mail; ///< of MAIL: body type, UTF-8, RET, ENVID, REQUIRETLS, priority, BY; SIZE is not kept
  delivery_progress progress;
  bool operator==(const waiting_details&) const = default;
};

/// The destination under which mail for a member's own mailbox waits that could not take it.
inline constexpr std::string_view local_destination = "local";

/// When rows are due that are held: never.
inline constexpr timestamp held_until{std::chrono::seconds(253'402'300'799)}; // the end of the year 9999

/// The key of the remote site: the canonical domain, or the address literal.
result<std::string> destination_of(const smtp::mailbox& recipient);

std::string write_details(const waiting_details& details);
/// errc::corrupted for what write_details does not write.
result<waiting_details> read_details(std::string_view text);

} // namespace merpati::mail
