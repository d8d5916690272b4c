#include "actors/delivery/settlement.hpp"

#include <algorithm>
#include <utility>

#include "actors/delivery/retry_schedule.hpp"
#include "actors/mail/delivery_plan.hpp"
#include "base/crypto.hpp"
#include "base/log.hpp"
#include "protocols/mime/parser.hpp"
#include "protocols/mime/summary.hpp"
#include "protocols/smtp/trace_writer.hpp"

namespace merpati::delivery {

namespace {

/// Header octets that a report returns; a longer header is cut at a line.
constexpr std::size_t returned_header_bytes = 64 * 1024;

/// The header of a message, or all of it where it is wanted and not too long.
struct returned_octets {
  std::string octets;
  bool whole = false;
};

result<returned_octets> read_original(const store::node_store& store, const waiting_recipient& who) {
  auto view = store.read(who.shard);
  if (!view)
    return tl::make_unexpected(view.error());
  auto row = view->body(who.body);
  if (!row)
    return fail(errc::not_found, "its body is gone");
  auto reader = store.shard(who.shard).open_body(*row);
  if (!reader)
    return tl::make_unexpected(reader.error());
  returned_octets out;
  out.whole =
      who.details.mail.returned == smtp::returned_part::full && reader->size_bytes() <= smtp::returned_message_bytes;
  out.octets.resize(static_cast<std::size_t>(
      std::min<std::uint64_t>(reader->size_bytes(), out.whole ? smtp::returned_message_bytes : returned_header_bytes)));
  auto got = reader->read(0, out.octets);
  if (!got)
    return tl::make_unexpected(got.error());
  out.octets.resize(*got);
  if (out.whole)
    return out;
  const auto end = out.octets.find("\r\n\r\n");
  if (end != std::string::npos)
    out.octets.resize(end + 4);
  else
    out.octets.resize(out.octets.rfind("\r\n") == std::string::npos ? 0 : out.octets.rfind("\r\n") + 2);
  return out;
}

} // namespace

settlement::settlement(context_ptr shared, std::vector<attempt_result> results, std::uint32_t random)
    : shared_(std::move(shared)), now_(shared_->clock->now()), results_(std::move(results)) {
  shard_ = results_.front().who.shard;
  for (auto& each : results_)
    settle(each, random++);
}

void settlement::settle(attempt_result& result, std::uint32_t random) {
  auto& details = result.who.details;
  details.progress.last_attempt = now_;
  if (result.what == verdict::due_here) {
    try_mailbox(result);
    if (result.what == verdict::delivered) {
      tell(smtp::report_kind::delivered, result.who);
      return;
    }
  }
  const retry_schedule schedule(shared_->settings);
  if (result.what == verdict::deferred && now_ >= schedule.expiry(details)) {
    result.what = verdict::failed;
    details.progress.status = "4.4.7"; // RFC 3463 3.5: delivery time expired
    details.progress.outcome = "not delivered in time; the last attempt: " + details.progress.outcome;
  }
  switch (result.what) {
  case verdict::due_here:
  case verdict::delivered: break; // who took it reports
  case verdict::relayed: tell(smtp::report_kind::relayed, result.who); break;
  case verdict::failed: tell(smtp::report_kind::failed, result.who); break;
  case verdict::deferred: {
    if (schedule.is_delay_due(details, now_)) {
      details.progress.delay_told = true;
      tell(smtp::report_kind::delayed, result.who);
    }
    storage::waiting_row row;
    row.id = result.who.id;
    row.destination = result.who.destination;
    row.next_due = std::min(schedule.next(now_, details.progress.attempts, random), schedule.expiry(details));
    row.details = mail::write_details(details);
    change_.put.push_back(std::move(row));
    return;
  }
  }
  change_.remove.push_back(result.who.id);
}

void settlement::try_mailbox(attempt_result& result) {
  auto& progress = result.who.details.progress;
  ++progress.attempts;
  result.what = verdict::deferred;
  progress.status = "4.3.0";
  auto view = shared_->store->read(result.who.shard);
  if (!view) {
    progress.outcome = view.error().what;
    return;
  }
  const auto name = smtp::canonical_address(result.who.details.recipient.address);
  const auto account = name ? view->account(*name) : std::nullopt;
  const auto body = view->body(result.who.body);
  if (!account) {
    result.what = verdict::failed;
    progress.status = "5.1.1";
    progress.outcome = "the account does not exist any more";
    return;
  }
  if (!body) {
    progress.outcome = "the stored message can't be read";
    return;
  }
  const auto used = view->usage(account->id);
  if ((account->quota_bytes != 0 && used.bytes + body->size_bytes > account->quota_bytes)
      || (account->quota_messages != 0 && used.messages >= account->quota_messages)) {
    progress.status = "4.2.2";
    progress.outcome = "the mailbox is full";
    return;
  }
  result.what = verdict::delivered;
  progress.status = "2.0.0";
  progress.outcome = "delivered into its mailbox";
  change_.deliver.push_back({result.who.id, account->id, now_});
}

void settlement::tell(smtp::report_kind kind, const waiting_recipient& who) {
  if (!smtp::wants_report(kind, who.details.sender, who.details.recipient.parameters))
    return;
  for (auto& each : reports_) {
    const auto& first = each.recipients.front();
    if (each.kind == kind && first.body == who.body && first.details.sender == who.details.sender) {
      each.recipients.push_back(who);
      return;
    }
  }
  reports_.push_back({kind, {who}});
}

void settlement::compose() {
  for (const auto& each : reports_) {
    auto message = message_of(each);
    if (message)
      change_.replacements.push_back(std::move(*message));
    else
      log::warning("delivery: nobody is told what became of message {}: {}", each.recipients.front().details.message,
                   message.error().what);
  }
}

result<storage::add_message> settlement::message_of(const report& what) const {
  const auto& first = what.recipients.front();
  smtp::delivery_report written;
  written.kind = what.kind;
  written.hostname = shared_->own.hostname;
  written.id = crypto::random_text(20);
  written.now = now_;
  written.to = *first.details.sender;
  written.parameters = first.details.mail;
  written.accepted = first.details.accepted;
  written.message_name = first.details.message;
  const retry_schedule schedule(shared_->settings);
  for (const auto& who : what.recipients) {
    const auto& progress = who.details.progress;
    smtp::reported_recipient one{who.details.recipient, progress.status,       progress.remote,
                                 progress.outcome,      progress.last_attempt, std::nullopt};
    if (what.kind == smtp::report_kind::delayed)
      one.retry_until = schedule.expiry(who.details);
    written.recipients.push_back(std::move(one));
  }
  if (auto original = read_original(*shared_->store, first)) {
    written.original = std::move(original->octets);
    written.whole = original->whole;
  }
  const auto text = smtp::write_report(written);

  // Where the sender's own address leads: a mailbox here, another server, through aliases and forwards.
  auto view = shared_->store->read(0);
  if (!view)
    return tl::make_unexpected(view.error());
  mail::sender_facts from_us;
  from_us.account = "MAILER-DAEMON"; // may relay
  mail::delivery_plan plan(shared_->routing, std::move(from_us), now_);
  auto added = plan.add(*view, smtp::recipient{written.to, {smtp::notify_never, "", ""}});
  if (!added)
    return tl::make_unexpected(added.error());
  if (added->what != mail::admission::taken)
    return fail(errc::not_found, "its sender, " + smtp::write_path(written.to) + ", takes no mail");

  storage::add_message message;
  message.body = std::make_shared<const std::string>(text);
  for (auto& header : plan.fronts()) {
    mime::parser parser(shared_->mime);
    parser.feed(header);
    parser.feed(text);
    message.fronts.push_back({std::move(header), mime::summarise(parser.finish(), shared_->mime)});
  }
  message.now = message.internal_date = now_;
  for (const auto& to : plan.local()) {
    storage::target inbox;
    inbox.account = to.account;
    inbox.create = true;
    inbox.front = static_cast<std::uint32_t>(to.front);
    inbox.skip_when_full = true; // a full mailbox must not keep the cause from being settled
    message.targets.push_back(std::move(inbox));
  }
  for (const auto& to : plan.remote()) {
    mail::waiting_details details;
    details.message = written.id;
    details.accepted = now_;
    details.sender = std::nullopt; // RFC 3461 6.1: never a report about a report
    details.recipient = {to.address, to.parameters};
    storage::new_waiting row;
    row.destination = mail::destination_of(to.address).value_or(to.address.domain);
    row.next_due = now_;
    row.details = mail::write_details(details);
    row.front = static_cast<std::uint32_t>(to.front);
    message.waiting.push_back(std::move(row));
  }
  if (message.targets.empty() && message.waiting.empty())
    return fail(errc::not_found, "its sender's address leads nowhere");
  return message;
}

void settlement::keep_wishes(const storage::read_view& view) {
  for (auto& row : change_.put) {
    const auto stored = view.waiting(row.id);
    if (!stored)
      continue;
    const auto wished = mail::read_details(stored->details);
    if (!wished || (!wished->progress.held && !wished->progress.given_up))
      continue;
    auto details = mail::read_details(row.details);
    if (!details)
      continue;
    details->progress.held = wished->progress.held;
    details->progress.given_up = wished->progress.given_up;
    row.details = mail::write_details(*details);
    row.next_due = wished->progress.held ? mail::held_until : now_;
  }
}

storage::update_waiting settlement::change() const {
  return change_;
}

std::size_t settlement::drop_missing(const storage::read_view& view) {
  const auto before = size();
  std::erase_if(change_.put, [&](const auto& row) { return !view.waiting(row.id); });
  std::erase_if(change_.remove, [&](const auto& id) { return !view.waiting(id); });
  std::erase_if(change_.deliver,
                [&](const auto& each) { return !view.waiting(each.id) || !view.account(each.account); });
  return before - size();
}

} // namespace merpati::delivery
