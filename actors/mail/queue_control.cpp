#include "actors/mail/queue_control.hpp"

#include <algorithm>

#include "base/ascii.hpp"

namespace merpati::mail {

namespace {

/// Rows changed in one commit: deliveries that wait for the writer meanwhile are not kept for long.
constexpr std::size_t rows_per_commit = 1'000;

/// What a filter says, ready to be compared with.
class matcher {
public:
  explicit matcher(const queue_filter& which) : which_(which), outcome_(ascii::lower(which.outcome)) {
    recipient_ = canonical(which.recipient);
    sender_ = which.sender == "<>" ? "" : canonical(which.sender);
    if (auto domain = smtp::canonical_domain(which.destination))
      destination_ = *domain;
    else
      destination_ = ascii::lower(which.destination);
  }

  bool fits(const queued_recipient& row) const {
    const auto& d = row.details;
    if (!which_.message.empty() && which_.message != d.message && which_.message != row_name(row.shard, row.id))
      return false;
    if (!which_.recipient.empty() && smtp::canonical_address(d.recipient.address).value_or("") != recipient_)
      return false;
    if (!which_.sender.empty()
        && (d.sender ? smtp::canonical_address(*d.sender).value_or("?") : std::string()) != sender_)
      return false;
    if (!which_.destination.empty() && row.destination != destination_)
      return false;
    if (!outcome_.empty() && ascii::lower(d.progress.outcome).find(outcome_) == std::string::npos)
      return false;
    return !which_.older_than || d.accepted < *which_.older_than;
  }

private:
  static std::string canonical(const std::string& text) {
    auto address = smtp::parse_mailbox(text, {.utf8 = true});
    return address ? smtp::canonical_address(*address).value_or(text) : text;
  }

  const queue_filter& which_;
  std::string outcome_;
  std::string recipient_;
  std::string sender_;
  std::string destination_;
};

bool names_something(const queue_filter& which) {
  return which.everything || !which.message.empty() || !which.recipient.empty() || !which.sender.empty()
         || !which.destination.empty() || !which.outcome.empty() || which.older_than;
}

} // namespace

std::string row_name(std::uint32_t shard, waiting_id id) {
  return std::to_string(shard) + '-' + std::to_string(id.value);
}

queue_control::queue_control(directory_store store, const clock_source& clock)
    : store_(std::move(store)), clock_(clock) {}

/// All rows that fit, by the time when they are due, until `each` returns false. Rows that can't be read are passed
/// over.
result<void> queue_control::walk(const queue_filter& which,
                                 const std::function<bool(const storage::read_view&, queued_recipient&)>& each) const {
  const matcher wanted(which);
  for (std::uint32_t shard = 0; shard < store_.shards; ++shard) {
    auto view = store_.read(shard);
    if (!view)
      return tl::make_unexpected(view.error());
    view->waiting_by_due(timestamp{}, [&](const storage::waiting_row& row) {
      auto details = read_details(row.details);
      if (!details)
        return true;
      queued_recipient found{shard, row.id, row.destination, row.next_due, 0, std::move(*details)};
      if (!wanted.fits(found))
        return true;
      if (const auto body = view->body(row.body))
        found.size_bytes = body->size_bytes;
      return each(*view, found);
    });
  }
  return {};
}

result<queue_listing> queue_control::list(const queue_filter& which, std::size_t at_most) {
  queue_listing out;
  auto walked = walk(which, [&](const auto&, queued_recipient& row) {
    ++out.matching;
    if (out.recipients.size() < at_most)
      out.recipients.push_back(std::move(row));
    return true;
  });
  if (!walked)
    return tl::make_unexpected(walked.error());
  return out;
}

result<std::uint64_t> queue_control::change(queue_action what, const queue_filter& which) {
  if (!names_something(which))
    return fail(errc::invalid, "say which recipients are meant, or that all are");
  std::scoped_lock lock(changes_);
  std::vector<queued_recipient> rows;
  auto walked = walk(which, [&](const auto&, queued_recipient& row) {
    rows.push_back(std::move(row));
    return true;
  });
  if (!walked)
    return tl::make_unexpected(walked.error());
  std::uint64_t done = 0;
  while (!rows.empty()) {
    const auto shard = rows.back().shard;
    std::vector<queued_recipient> batch;
    while (!rows.empty() && rows.back().shard == shard && batch.size() < rows_per_commit) {
      batch.push_back(std::move(rows.back()));
      rows.pop_back();
    }
    auto changed = carry_out(what, shard, std::move(batch));
    if (!changed)
      return changed;
    done += *changed;
  }
  return done;
}

result<std::uint64_t> queue_control::carry_out(queue_action what, std::uint32_t shard,
                                               std::vector<queued_recipient> rows) {
  constexpr int attempts = 5; // each time some rows may have been delivered meanwhile
  for (int attempt = 0; attempt < attempts; ++attempt) {
    storage::update_waiting update;
    for (auto row : rows) {
      if (what == queue_action::remove) {
        update.remove.push_back(row.id);
        continue;
      }
      auto& progress = row.details.progress;
      row.next_due = clock_.now();
      switch (what) {
      case queue_action::hold:
        progress.held = true;
        row.next_due = held_until;
        break;
      case queue_action::release: progress.held = false; break;
      case queue_action::bounce:
        progress.given_up = true;
        progress.held = false;
        break;
      case queue_action::retry:
        if (progress.held)
          continue; // it is held: released first
        break;
      case queue_action::remove: break;
      }
      storage::waiting_row changed;
      changed.id = row.id;
      changed.destination = row.destination;
      changed.next_due = row.next_due;
      changed.details = write_details(row.details);
      update.put.push_back(std::move(changed));
    }
    const auto count = update.put.size() + update.remove.size();
    if (count == 0)
      return 0;
    auto done = store_.change(shard, std::move(update));
    if (done)
      return count;
    if (done.error().code != errc::not_found)
      return tl::make_unexpected(done.error());
    auto view = store_.read(shard);
    if (!view)
      return tl::make_unexpected(view.error());
    std::erase_if(rows, [&](const auto& row) { return !view->waiting(row.id); });
  }
  return fail(errc::unavailable, "the waiting list changes too fast; try again");
}

} // namespace merpati::mail
