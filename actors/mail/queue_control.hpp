// The operator's hand on the waiting list, on the store. What it changes the queue is told by the writer.
#pragma once

#include <functional>
#include <mutex>
#include <span>
#include <string>

#include "actors/mail/directory.hpp"
#include "actors/mail/queue_service.hpp"
#include "base/clock.hpp"

namespace merpati::mail {

/// "0-4711" for people.
std::string row_name(std::uint32_t shard, waiting_id id);

/// Safe for several threads. A recipient whose delivery is under way can be changed too: what the far end has taken by
/// then can't be taken back.
class queue_matcher;

class queue_control final : public queue_service {
public:
  explicit queue_control(directory_store store, const clock_source& clock = clock_source::system());

  result<queue_listing> list(const queue_filter& which, std::size_t at_most) override;
  result<std::uint64_t> change(queue_action what, const queue_filter& which) override;

private:
  result<void>
  walk(std::uint32_t shard, const queue_filter& which,
       const std::function<void(const storage::read_view&, const storage::waiting_row&, queued_recipient&&)>& each)
      const;
  result<storage::update_waiting> update_for(queue_action what, std::uint32_t shard, const queue_matcher& wanted,
                                             std::span<const waiting_id> rows) const;
  result<std::uint64_t> carry_out(queue_action what, std::uint32_t shard, const queue_filter& which,
                                  std::span<const waiting_id> rows);

  directory_store store_;
  const clock_source& clock_;
  std::mutex changes_;
};

} // namespace merpati::mail
