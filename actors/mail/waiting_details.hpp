// What the waiting list keeps of one recipient beside its destination and time: everything that a later attempt or a
// report needs. Text of lines "key value"; storage does not read it.
#pragma once

#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "protocols/smtp/envelope.hpp"

namespace merpati::mail {

struct waiting_details {
  std::string message;        ///< our name for the message, as in Received
  timestamp accepted;         ///< when it came
  smtp::reverse_path sender;  ///< envelope sender of this recipient's copy
  smtp::recipient recipient;  ///< with its DSN parameters
  smtp::mail_parameters mail; ///< of MAIL: body type, UTF-8, RET, ENVID, REQUIRETLS, priority, BY; SIZE is not kept
  bool operator==(const waiting_details&) const = default;
};

/// The destination under which mail for a member's own mailbox waits that could not take it.
inline constexpr std::string_view local_destination = "local";

/// The key of the remote site: the canonical domain, or the address literal.
result<std::string> destination_of(const smtp::mailbox& recipient);

std::string write_details(const waiting_details& details);
/// errc::corrupted for what write_details does not write.
result<waiting_details> read_details(std::string_view text);

} // namespace merpati::mail
