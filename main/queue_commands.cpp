// queue list, why and what changes it.
#include <algorithm>
#include <iostream>

#include <spdlog/fmt/fmt.h>

#include "actors/mail/queue_control.hpp"
#include "main/account_access.hpp"
#include "main/commands.hpp"
#include "main/report.hpp"
#include "protocols/smtp/trace_writer.hpp"

namespace merpati {

namespace {

/// Lines on a screen; with --all-rows there are more.
constexpr std::size_t rows_shown = 200;
constexpr std::size_t rows_most = 10'000;

std::string span(std::chrono::microseconds time) {
  using namespace std::chrono;
  const auto seconds = duration_cast<std::chrono::seconds>(time).count();
  if (seconds < 60)
    return std::to_string(std::max<std::int64_t>(seconds, 0)) + "s";
  if (seconds < 3'600)
    return std::to_string(seconds / 60) + "m";
  if (seconds < 48 * 3'600)
    return std::to_string(seconds / 3'600) + "h";
  return std::to_string(seconds / 86'400) + "d";
}

std::string next_attempt(const mail::queued_recipient& row, timestamp now) {
  if (row.details.progress.held)
    return "held";
  if (row.details.progress.given_up)
    return "returned";
  return row.next_due <= now ? "now" : "in " + span(row.next_due - now);
}

std::string sentence(const mail::queued_recipient& row, timestamp now) {
  const auto& d = row.details;
  const auto& p = d.progress;
  std::string out = mail::row_name(row.shard, row.id) + ": message " + d.message + " from " + smtp::write_path(d.sender)
                    + " to " + smtp::write_path(d.recipient.address) + ", " + std::to_string(row.size_bytes)
                    + " octets, came " + smtp::write_date(d.accepted) + ".\n";
  if (d.released && *d.released > now)
    out += "  Its sender wants it to leave at " + smtp::write_date(*d.released) + ".\n";
  if (p.attempts == 0 && p.outcome.empty())
    out += "  It was not tried yet.\n";
  else if (p.attempts == 0)
    out += "  It was not tried: " + p.outcome + ".\n";
  else
    out += fmt::format("  {} {} so far. The last{}: {}{}\n", p.attempts, p.attempts == 1 ? "attempt" : "attempts",
                       p.last_attempt ? ", " + smtp::write_date(*p.last_attempt) : "",
                       p.remote.empty() ? "" : p.remote + " said: ", p.outcome);
  if (!p.encryption.empty())
    out += "  Encryption: " + p.encryption + ".\n";
  if (p.held)
    out += "  It is held: merpati queue release " + mail::row_name(row.shard, row.id) + " lets it go.\n";
  else if (p.given_up)
    out += "  It is about to be returned to its sender.\n";
  else if (row.destination == mail::local_destination)
    out += "  It is for a mailbox here; the next attempt is " + next_attempt(row, now) + ".\n";
  else
    out += "  The next attempt at " + row.destination + " is " + next_attempt(row, now) + ".\n";
  return out;
}

int with_queue(const std::filesystem::path& config, const std::function<int(mail::queue_service&)>& act) {
  return with_access(config, [&](const auto&, const account_access& access) { return act(access.queue()); });
}

} // namespace

int queue_list(const std::filesystem::path& config, const mail::queue_filter& which, bool all_rows) {
  return with_queue(config, [&](mail::queue_service& queue) {
    auto found = queue.list(which, all_rows ? rows_most : rows_shown);
    if (!found)
      return complain(found.error().what);
    const auto now = clock_source::system().now();
    if (!found->recipients.empty())
      std::cout << fmt::format("{:<10} {:<14} {:>5} {:>9} {:<10} {}\n", "ID", "MESSAGE", "AGE", "SIZE", "NEXT",
                               "FROM -> TO: WHAT WAS SAID LAST");
    for (const auto& row : found->recipients) {
      const auto& d = row.details;
      std::cout << fmt::format("{:<10} {:<14} {:>5} {:>9} {:<10} {} -> {}{}\n", mail::row_name(row.shard, row.id),
                               d.message, span(now - d.accepted), row.size_bytes, next_attempt(row, now),
                               smtp::write_path(d.sender), smtp::write_path(d.recipient.address),
                               d.progress.outcome.empty() ? "" : ": " + d.progress.outcome);
    }
    std::cout << found->matching << (found->matching == 1 ? " recipient waits" : " recipients wait")
              << (found->matching > found->recipients.size()
                      ? ", " + std::to_string(found->recipients.size()) + " shown"
                      : std::string())
              << std::endl;
    return static_cast<int>(exit_done);
  });
}

int queue_why(const std::filesystem::path& config, const std::string& what) {
  return with_queue(config, [&](mail::queue_service& queue) {
    mail::queue_filter which;
    (what.find('@') != std::string::npos ? which.recipient : which.message) = what;
    auto found = queue.list(which, rows_shown);
    if (!found)
      return complain(found.error().what);
    if (found->recipients.empty())
      return complain("nothing waits by the name " + what + "; it was delivered, returned or never came");
    const auto now = clock_source::system().now();
    for (const auto& row : found->recipients)
      std::cout << sentence(row, now);
    std::cout << std::flush;
    return static_cast<int>(exit_done);
  });
}

int queue_change(const std::filesystem::path& config, mail::queue_action what, const mail::queue_filter& which) {
  return with_queue(config, [&](mail::queue_service& queue) {
    auto done = queue.change(what, which);
    if (!done)
      return complain(done.error().what);
    std::cout << *done << (*done == 1 ? " recipient" : " recipients") << std::endl;
    return static_cast<int>(exit_done);
  });
}

} // namespace merpati
