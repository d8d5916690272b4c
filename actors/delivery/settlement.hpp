// What becomes of recipients after an attempt, as one change of the waiting list: who got it or never will is gone, who
// waits gets the next time, and senders are told what they are to know.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "actors/delivery/context.hpp"
#include "actors/delivery/job.hpp"
#include "base/result.hpp"
#include "protocols/smtp/delivery_report.hpp"
#include "storage/mutation.hpp"

namespace merpati::delivery {

class settlement {
public:
  /// `results` are of one shard. `random` spreads the next attempts.
  settlement(context_ptr shared, std::vector<attempt_result> results, std::uint32_t random);

  /// Senders are to be told something: compose() has to run before change().
  bool has_reports() const noexcept { return !reports_.empty(); }
  /// Reads what the reports are about and writes them. Blocks on files: for a thread that may. What can't be read is
  /// left out of the report; a report that can't be made or has nowhere to go is logged, and its cause is settled
  /// without it.
  void compose();

  /// What an administrator wishes for rows meanwhile holds; `view` is of now.
  void keep_wishes(const storage::read_view& view);
  storage::update_waiting change() const;
  /// There is nothing left to change.
  bool is_empty() const noexcept { return size() == 0; }
  std::uint32_t shard() const noexcept { return shard_; }
  const std::vector<attempt_result>& results() const noexcept { return results_; }
  /// Leaves out rows that are not there any more (an administrator removed them); how many.
  std::size_t drop_missing(const storage::read_view& view);

private:
  struct report {
    smtp::report_kind kind = smtp::report_kind::failed;
    std::vector<waiting_recipient> recipients; ///< of one message and sender
  };
  std::size_t size() const noexcept { return change_.put.size() + change_.remove.size() + change_.deliver.size(); }
  void settle(attempt_result& result, std::uint32_t random);
  void try_mailbox(attempt_result& result);
  void tell(smtp::report_kind kind, const waiting_recipient& who);
  result<storage::add_message> message_of(const report& what) const;

  context_ptr shared_;
  std::uint32_t shard_ = 0;
  timestamp now_;
  std::vector<attempt_result> results_;
  storage::update_waiting change_;
  std::vector<report> reports_;
};

} // namespace merpati::delivery
