// What an administrator sees of the waiting list and can do with it, as one interface: `mail::queue_control` does it on
// the store, `admin::client` asks a running daemon to do it. Calls block until a change is on disk.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "actors/mail/waiting_details.hpp"
#include "base/clock.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"

namespace merpati::mail {

/// One recipient that waits. Its name for people is "SHARD-ID" in decimal, such as "0-4711".
struct queued_recipient {
  std::uint32_t shard = 0;
  waiting_id id;
  std::string destination;
  timestamp next_due;
  std::uint64_t size_bytes = 0;
  waiting_details details;
};

/// Which recipients are meant: those for which all that is set holds. At least one must be set where something is
/// changed, so that nothing changes everything by mistake.
struct queue_filter {
  std::string message;                 ///< our name for the message, or one recipient's "SHARD-ID"
  std::string recipient;               ///< address, in any spelling
  std::string sender;                  ///< envelope sender; "<>": the null sender
  std::string destination;             ///< domain
  std::string outcome;                 ///< a part of what was said last, case ignored
  std::optional<timestamp> older_than; ///< accepted before
  bool everything = false;             ///< all of them
};

enum class queue_action : std::uint8_t {
  retry,   ///< due now
  hold,    ///< no attempts until it is released
  release, ///< ends a hold; due now
  remove,  ///< gone, nobody is told
  bounce,  ///< its sender is told that it can't be delivered
};

/// What a whole look at the list gives.
struct queue_listing {
  std::vector<queued_recipient> recipients; ///< by next_due; at most what was asked for
  std::uint64_t matching = 0;               ///< also those beyond
};

class queue_service {
public:
  virtual ~queue_service() = default;

  virtual result<queue_listing> list(const queue_filter& which, std::size_t at_most) = 0;
  /// How many it was done to. errc::invalid: the filter names nothing.
  virtual result<std::uint64_t> change(queue_action what, const queue_filter& which) = 0;
};

} // namespace merpati::mail
