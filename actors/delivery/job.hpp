// What queue, destinations and delivery agents hand to each other.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <caf/all.hpp>

#include "actors/mail/waiting_details.hpp"
#include "base/ids.hpp"

namespace merpati::delivery {

/// A row of the waiting list, loaded.
struct waiting_recipient {
  std::uint32_t shard = 0;
  waiting_id id;
  body_id body;
  std::string destination;
  mail::waiting_details details;
};

/// One transaction with a remote server: one body, one sender, one set of parameters, and some recipients.
struct job {
  std::uint32_t shard = 0;
  body_id body;
  std::vector<waiting_recipient> recipients; ///< at least one
  const mail::waiting_details& details() const noexcept { return recipients.front().details; }
  /// Whether `other` can go with the same MAIL command.
  bool takes(const waiting_recipient& other) const;
};

/// RFC 5321 4.5.3.1.8: what every server must take at least.
inline constexpr std::size_t recipients_per_job = 100;

enum class verdict : std::uint8_t {
  delivered, ///< the far end has taken it, and the wish for a report with it
  relayed,   ///< taken by a far end that knows nothing of reports (RFC 3461 5.2.2)
  deferred,  ///< to be tried again
  failed,    ///< for good
  due_here,  ///< not tried yet: it is for a mailbox of this server
};

/// What went wrong, or right.
struct reason {
  std::string status; ///< RFC 3463: "4.4.1"
  std::string remote; ///< "mx.example.net [192.0.2.25]"; empty: nobody answered
  std::string text;   ///< what it said, or what went wrong before
};

struct attempt_result {
  waiting_recipient who; ///< details.progress is that after the attempt
  verdict what = verdict::deferred;
};

} // namespace merpati::delivery
