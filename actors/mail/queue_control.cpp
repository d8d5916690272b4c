#include "actors/mail/queue_control.hpp"

#include <algorithm>

#include "base/ascii.hpp"

namespace merpati::mail {

/// What a filter says, ready to be compared with.
class queue_matcher {
public:
  explicit queue_matcher(const queue_filter& which) : which_(which), outcome_(ascii::lower(which.outcome)) {
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

namespace {

/// Rows changed in one commit: deliveries that wait for the writer meanwhile are not kept for long.
constexpr std::size_t rows_per_commit = 1'000;

bool names_something(const queue_filter& which) {
  return which.everything || !which.message.empty() || !which.recipient.empty() || !which.sender.empty()
         || !which.destination.empty() || !which.outcome.empty() || which.older_than;
}

/// Nothing where the details can't be read.
std::optional<queued_recipient> read_row(std::uint32_t shard, const storage::waiting_row& row) {
  auto details = read_details(row.details);
  if (!details)
    return std::nullopt;
  return queued_recipient{shard, row.id, row.destination, row.next_due, 0, std::move(*details)};
}

/// What `what` makes of a row; nothing where there is nothing to do: what is held is tried again after a release only,
/// and a release is for what is held.
std::optional<storage::waiting_row> changed_row(queue_action what, queued_recipient row, timestamp now) {
  auto& progress = row.details.progress;
  storage::waiting_row out;
  out.next_due = now;
  switch (what) {
  case queue_action::retry:
    if (progress.held)
      return std::nullopt;
    break;
  case queue_action::hold:
    if (progress.held)
      return std::nullopt;
    progress.held = true;
    out.next_due = held_until;
    break;
  case queue_action::release:
    if (!progress.held)
      return std::nullopt;
    progress.held = false;
    break;
  case queue_action::bounce:
    progress.given_up = true;
    progress.held = false;
    break;
  case queue_action::remove: return std::nullopt; // no row is left of it
  }
  out.id = row.id;
  out.destination = std::move(row.destination);
  out.details = write_details(row.details);
  return out;
}

} // namespace

std::string row_name(std::uint32_t shard, waiting_id id) {
  return std::to_string(shard) + '-' + std::to_string(id.value);
}

queue_control::queue_control(directory_store store, const clock_source& clock)
    : store_(std::move(store)), clock_(clock) {}

/// All rows of a shard that fit, by the time when they are due. Rows that can't be read are passed over.
result<void> queue_control::walk(
    std::uint32_t shard, const queue_filter& which,
    const std::function<void(const storage::read_view&, const storage::waiting_row&, queued_recipient&&)>& each) const {
  const queue_matcher wanted(which);
  auto view = store_.read(shard);
  if (!view)
    return tl::make_unexpected(view.error());
  view->waiting_by_due(timestamp{}, [&](const storage::waiting_row& row) {
    if (auto found = read_row(shard, row); found && wanted.fits(*found))
      each(*view, row, std::move(*found));
    return true;
  });
  return {};
}

result<queue_listing> queue_control::list(const queue_filter& which, std::size_t at_most) {
  queue_listing out;
  auto& rows = out.recipients;
  for (std::uint32_t shard = 0; shard < store_.shards; ++shard) {
    std::size_t taken = 0; // of this shard; a later one may have rows that are due earlier
    auto walked = walk(shard, which, [&](const auto& view, const auto& row, queued_recipient&& found) {
      ++out.matching;
      if (taken == at_most)
        return;
      ++taken;
      if (const auto body = view.body(row.body))
        found.size_bytes = body->size_bytes;
      rows.push_back(std::move(found));
    });
    if (!walked)
      return tl::make_unexpected(walked.error());
    std::stable_sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) { return a.next_due < b.next_due; });
    if (rows.size() > at_most)
      rows.erase(rows.begin() + static_cast<std::ptrdiff_t>(at_most), rows.end());
  }
  return out;
}

result<std::uint64_t> queue_control::change(queue_action what, const queue_filter& which) {
  if (!names_something(which))
    return fail(errc::invalid, "say which recipients are meant, or that all are");
  std::scoped_lock lock(changes_);
  std::uint64_t done = 0;
  for (std::uint32_t shard = 0; shard < store_.shards; ++shard) {
    std::vector<waiting_id> rows; // the names alone: a list of millions fits into memory
    auto walked = walk(shard, which, [&](const auto&, const auto& row, auto&&) { rows.push_back(row.id); });
    if (!walked)
      return tl::make_unexpected(walked.error());
    for (std::size_t from = 0; from < rows.size(); from += rows_per_commit) {
      const auto batch = std::span(rows).subspan(from, std::min(rows_per_commit, rows.size() - from));
      auto changed = carry_out(what, shard, which, batch);
      if (!changed)
        return changed;
      done += *changed;
    }
  }
  return done;
}

/// Rows as they are now; no view lives while something is written.
result<storage::update_waiting> queue_control::update_for(queue_action what, std::uint32_t shard,
                                                          const queue_matcher& wanted,
                                                          std::span<const waiting_id> rows) const {
  auto view = store_.read(shard);
  if (!view)
    return tl::make_unexpected(view.error());
  storage::update_waiting out;
  for (const auto id : rows) {
    const auto row = view->waiting(id);
    auto found = row ? read_row(shard, *row) : std::nullopt;
    if (!found || !wanted.fits(*found))
      continue;
    if (what == queue_action::remove)
      out.remove.push_back(id);
    else if (auto changed = changed_row(what, std::move(*found), clock_.now()))
      out.put.push_back(std::move(*changed));
  }
  return out;
}

// Rows are read anew for each try: what became of an attempt since they were found must not be overwritten.
result<std::uint64_t> queue_control::carry_out(queue_action what, std::uint32_t shard, const queue_filter& which,
                                               std::span<const waiting_id> rows) {
  constexpr int attempts = 5; // each time some rows may have been delivered meanwhile
  const queue_matcher wanted(which);
  for (int attempt = 0; attempt < attempts; ++attempt) {
    auto update = update_for(what, shard, wanted, rows);
    if (!update)
      return tl::make_unexpected(update.error());
    const auto count = update->put.size() + update->remove.size();
    if (count == 0)
      return 0;
    auto done = store_.change(shard, std::move(*update));
    if (done)
      return count;
    if (done.error().code != errc::not_found)
      return tl::make_unexpected(done.error());
  }
  return fail(errc::unavailable, "the waiting list changes too fast; try again");
}

} // namespace merpati::mail
