#include "actors/session/smtp_transaction.hpp"

#include <algorithm>
#include <utility>

#include "actors/mail/sender_rules.hpp"
#include "actors/mail/waiting_details.hpp"
#include "base/crypto.hpp"
#include "base/log.hpp"
#include "protocols/smtp/trace_writer.hpp"

namespace merpati::session {

using runtime::task;

namespace {

/// The header waits in memory until it is complete, so it may be as large as what a session may hold.
std::size_t header_limit(const services& services) {
  return static_cast<std::size_t>(services.limits.message_in_memory_bytes);
}

smtp::reply not_your_address(std::string_view where) {
  return {550, "5.7.1", "The " + std::string(where) + " address is not yours to send from"};
}

} // namespace

smtp_transaction::smtp_transaction(runtime::session_io& io, const services& services, const smtp::server_engine& engine,
                                   filter_chain& filters)
    : io_(io), services_(services), engine_(engine), filters_(filters), header_(header_limit(services)) {}

refusal smtp_transaction::begin(const smtp::mail_from& sender, const std::optional<auth::identity>& who) {
  forget_message();
  place_of_.clear();
  who_ = who;
  sender_ = sender.sender;
  auto facts = facts_of(sender.sender, sender.parameters.size_bytes.value_or(0));
  const auto declared_bytes = facts.declared_bytes;
  plan_.emplace(services_.routing, std::move(facts), services_.clock->now());
  if (auto admitted = services_.store->shard(0).admits(declared_bytes); !admitted)
    return smtp::reply_for(admitted.error().code);
  release_.reset();
  const auto now = services_.clock->now();
  if (sender.parameters.hold_for)
    release_ = now + *sender.parameters.hold_for;
  else if (sender.parameters.hold_until && *sender.parameters.hold_until > now)
    release_ = *sender.parameters.hold_until;
  if (release_ && *release_ > now + longest_hold)
    return smtp::replies::bad_syntax("HOLDUNTIL is later than what is offered");
  // The null sender is for reports, which a mail program may send too (RFC 3798 3).
  if (who_ && sender.sender && !is_own(*sender.sender))
    return not_your_address("envelope sender");
  return std::nullopt;
}

bool smtp_transaction::is_own(const smtp::mailbox& address) const {
  if (mail::may_send_as(who_->name, address, services_.delegations))
    return true;
  const auto view = services_.store->read(0);
  return view && mail::leads_to_alone(*view, services_.routing, address, who_->name, services_.clock->now());
}

mail::sender_facts smtp_transaction::facts_of(const smtp::reverse_path& sender, std::uint64_t declared_bytes) const {
  mail::sender_facts facts;
  facts.sender = sender;
  facts.account = who_ ? who_->name : std::string();
  facts.declared_bytes = declared_bytes;
  return facts;
}

namespace {

smtp::reply reply_for(const error& failure) {
  return failure.code == errc::invalid ? smtp::replies::bad_recipient_syntax() : smtp::reply_for(failure.code);
}

refusal reply_for(mail::admission admitted) {
  switch (admitted) {
  case mail::admission::taken: break;
  case mail::admission::unknown_recipient: return smtp::replies::unknown_user();
  case mail::admission::relay_denied: return smtp::replies::relay_refused();
  case mail::admission::over_quota: return smtp::replies::mailbox_over_quota();
  case mail::admission::may_not_post: return smtp::reply{550, "5.7.2", "This list does not take mail from you"};
  case mail::admission::loop: return smtp::replies::mail_loop();
  }
  return std::nullopt;
}

} // namespace

refusal smtp_transaction::look_at(smtp::rcpt_to recipient) {
  candidate_.reset();
  auto view = services_.store->read(0);
  if (!view)
    return smtp::replies::part_unavailable();
  auto found = plan_->look_at(*view, {std::move(recipient.recipient), std::move(recipient.parameters)});
  if (!found)
    return reply_for(found.error());
  if (auto why_not = reply_for(found->what))
    return why_not;
  candidate_ = std::move(*found);
  return std::nullopt;
}

refusal smtp_transaction::add_recipient() {
  auto view = services_.store->read(0);
  if (!view)
    return smtp::replies::part_unavailable();
  auto admitted = plan_->add(*view, *std::exchange(candidate_, std::nullopt));
  if (!admitted)
    return reply_for(admitted.error());
  if (auto why_not = reply_for(admitted->what))
    return why_not;
  place_of_.push_back(admitted->local);
  return std::nullopt;
}

void smtp_transaction::begin_message(const smtp::envelope& envelope, std::string client_name) {
  envelope_ = &envelope;
  client_name_ = std::move(client_name);
  message_id_ = crypto::random_text(13);
  failure_.reset();
  header_ = smtp::header_collector(header_limit(services_));
  intake_.emplace(*services_.store, 0, services_.intake, plan_->fronts());
}

task<void> smtp_transaction::take(std::string_view octets) {
  if (failure_)
    co_return;
  if (!header_.is_complete()) {
    header_.take(octets);
    if (header_.is_too_big())
      failure_ = smtp::reply{552, "5.3.4", "Message header exceeds the size limit"};
    else if (header_.is_complete())
      begin_body();
    if (failure_)
      co_return;
  }
  intake_->add(octets);
  if (!intake_->wants_flush())
    co_return;
  auto flushed = co_await intake_->flush(io_);
  if (!flushed)
    failure_ = smtp::reply_for(flushed.error().code);
}

// The header is known: judges it, and puts it into the store with what goes in front.
void smtp_transaction::begin_body() {
  const auto facts = smtp::inspect_header(header_.header());
  if (facts.received > services_.limits.smtp.hops || is_loop(facts)) { // RFC 5321 6.3
    failure_ = smtp::replies::mail_loop();
    return;
  }
  std::string completed;
  if (who_)
    failure_ = complete_submission(facts, completed);
  if (failure_)
    return;
  trace_ = trace_header();
  intake_->add(trace_);
  intake_->add(who_ ? completed : header_.header());
  if (!filters_.is_empty())
    stored_header_ = who_ ? std::move(completed) : header_.header();
}

bool smtp_transaction::is_loop(const smtp::header_facts& facts) const {
  return std::any_of(facts.delivered_to.begin(), facts.delivered_to.end(),
                     [&](const std::string& address) { return plan_->is_loop(address); });
}

// RFC 6409 6.1 and 8.
refusal smtp_transaction::complete_submission(const smtp::header_facts& facts, std::string& completed) const {
  if (facts.from_is_unreadable)
    return smtp::reply{554, "5.6.0", "From has no address that can be read"};
  for (const auto& author : facts.from)
    if (!is_own(author))
      return not_your_address("From");
  smtp::added_fields added;
  added.date = smtp::write_date(services_.clock->now());
  added.message_id = '<' + message_id_ + '@' + services_.hostname + '>';
  added.from = envelope_->sender ? smtp::write_mailbox(*envelope_->sender) : who_->name;
  completed = smtp::complete_header(header_.header(), facts, added);
  return std::nullopt;
}

// RFC 5321 4.4. Return-Path is in the fronts of those for whom delivery is final.
std::string smtp_transaction::trace_header() const {
  smtp::trace_info trace;
  trace.helo = engine_.helo();
  trace.remote_name = client_name_;
  trace.remote_address = io_.info().remote_address;
  trace.by = services_.hostname;
  trace.id = message_id_;
  trace.extended = engine_.is_extended();
  trace.authenticated = engine_.is_authenticated();
  trace.lmtp = is_lmtp();
  trace.utf8 = envelope_->parameters.utf8;
  if (const auto* tls = io_.tls()) {
    trace.tls = true;
    trace.tls_version = tls->info().version;
    trace.tls_cipher = tls->info().cipher;
  }
  if (envelope_->recipients.size() == 1)
    trace.recipient = envelope_->recipients.front().address;
  trace.when = services_.clock->now();
  return smtp::write_received(trace);
}

task<std::vector<smtp::reply>> smtp_transaction::finish() {
  if (!failure_ && !header_.is_complete())
    begin_body(); // a message that is all header
  std::vector<smtp::reply> replies;
  if (failure_) {
    replies.push_back(*failure_);
  } else {
    auto taken = co_await intake_->finish(io_);
    if (!taken)
      failure_ = smtp::reply_for(taken.error().code);
    else if (!filters_.is_empty())
      failure_ = co_await pass_filters(*taken);
    if (failure_)
      replies.push_back(*failure_);
    else if (discarded_)
      replies.push_back({250, "2.0.0", "Ok: " + message_id_});
    else
      replies = co_await store(std::move(*taken));
  }
  if (is_lmtp() && replies.size() == 1)
    replies.resize(envelope_->recipients.size(), replies.front());
  forget_message();
  co_return replies;
}

task<refusal> smtp_transaction::pass_filters(mail::taken_message& taken) {
  filtered_message filtered;
  filtered.id = message_id_;
  filtered.taken = &taken;
  filtered.body_at = trace_.size() + stored_header_.size();
  filtered.header = std::move(stored_header_);
  auto refused = co_await filters_.content(filtered);
  if (refused)
    co_return refused;
  discarded_ = filtered.discard;
  kept_back_ = std::move(filtered.quarantine);
  const bool replanned = filtered.sender || !filtered.added.empty() || !filtered.removed.empty();
  if (discarded_)
    co_return std::nullopt;
  if (replanned)
    plan_anew(filtered);
  if (replanned || filtered.changed) {
    auto again = co_await take_anew(filtered, taken);
    if (!again)
      co_return smtp::reply_for(again.error().code);
  }
  co_return std::nullopt;
}

/// Recipients and sender as filters want them.
void smtp_transaction::plan_anew(const filtered_message& filtered) {
  auto view = services_.store->read(0);
  if (!view)
    return; // as it was: better to all than to nobody
  plan_.emplace(services_.routing, facts_of(filtered.sender.value_or(sender_), 0), services_.clock->now());
  place_of_.clear();
  auto add = [&](const smtp::recipient& to) -> std::optional<std::size_t> {
    auto added = plan_->add(*view, to);
    if (added && added->what == mail::admission::taken)
      return added->local;
    log::warning("smtp: message {} can't go to {}, whom a filter added", message_id_, smtp::write_path(to.address));
    return std::nullopt;
  };
  for (const auto& to : envelope_->recipients) {
    const auto name = smtp::canonical_address(to.address);
    const bool removed =
        name && std::find(filtered.removed.begin(), filtered.removed.end(), *name) != filtered.removed.end();
    place_of_.push_back(removed ? std::nullopt : add(to));
  }
  for (const auto& to : filtered.added)
    add(to);
  discarded_ = plan_->local().empty() && plan_->remote().empty() && plan_->deferred().empty();
}

/// The stored octets once more, with other header fields, body or fronts.
task<result<void>> smtp_transaction::take_anew(const filtered_message& filtered, mail::taken_message& taken) {
  mail::message_intake again(*services_.store, 0, services_.intake, plan_->fronts());
  again.add(trace_);
  again.add(filtered.header);
  constexpr std::uint64_t piece_bytes = 64 * 1024;
  const auto size = filtered.new_body ? filtered.new_body->size() : taken.size_bytes() - filtered.body_at;
  for (std::uint64_t at = 0; at < size;) {
    const auto length = std::min(size - at, piece_bytes);
    if (filtered.new_body) {
      again.add(std::string_view(*filtered.new_body).substr(at, length));
    } else {
      auto piece = co_await mail::read_taken(io_, *services_.store, taken, filtered.body_at + at, length);
      if (!piece)
        co_return tl::make_unexpected(piece.error());
      again.add(*piece);
    }
    at += length;
    if (again.wants_flush()) {
      auto flushed = co_await again.flush(io_);
      if (!flushed)
        co_return tl::make_unexpected(flushed.error());
    }
  }
  auto retaken = co_await again.finish(io_);
  if (!retaken)
    co_return tl::make_unexpected(retaken.error());
  taken = std::move(*retaken);
  co_return result<void>();
}

task<std::vector<smtp::reply>> smtp_transaction::store(mail::taken_message taken) {
  store::commit request;
  auto& message = request.change.emplace<storage::add_message>();
  message.body = std::move(taken.body);
  message.fronts = std::move(taken.fronts);
  message.thread_key = taken.thread_key;
  message.now = services_.clock->now();
  message.internal_date = message.now;
  add_deliveries(message);
  auto reply = co_await io_.ask<store::commit_reply>(services_.store->writer(0), std::move(request));
  std::vector<smtp::reply> replies;
  if (!reply) {
    replies.push_back(smtp::replies::part_unavailable());
  } else if (!reply->done) {
    log::warning("smtp: message {} from {} was not stored and the sender was told to try again: {}", message_id_,
                 io_.info().remote_address, reply->done.error().what);
    replies.push_back(smtp::reply_for(reply->done.error().code));
  } else {
    log::info("smtp: message {} from {} stored: {} recipients, {} mailboxes, {} wait", message_id_,
              io_.info().remote_address, envelope_->recipients.size(), reply->done->places.size(),
              reply->done->waiting.size());
    if (!plan_->dead_ends().empty())
      log::info("smtp: message {} was not sent to what does not exist any more: {}; take it out with merpati alias, "
                "merpati list or merpati user forward",
                message_id_, mail::describe(plan_->dead_ends()));
    replies = replies_to(*reply->done);
  }
  co_return replies;
}

void smtp_transaction::add_deliveries(storage::add_message& message) {
  const bool all_wait = kept_back_ || release_;
  // A sender who wants to hear of success is told by whoever settles the waiting list, with the delivery in one commit.
  const auto waits = [&](const mail::delivery_plan::local_delivery& to) {
    return all_wait || (sender_ && (to.parameters.notify & smtp::notify_success) != 0);
  };
  target_of_.assign(plan_->local().size(), std::nullopt);
  for (std::size_t i = 0; i != plan_->local().size(); ++i) {
    const auto& to = plan_->local()[i];
    if (waits(to))
      continue;
    target_of_[i] = message.targets.size();
    storage::target inbox;
    inbox.account = to.account;
    inbox.create = true;
    inbox.front = static_cast<std::uint32_t>(to.front);
    // Over LMTP each recipient has its own reply; else, and behind aliases, it is all or nothing.
    inbox.skip_when_full =
        is_lmtp() && std::find(place_of_.begin(), place_of_.end(), std::optional(i)) != place_of_.end();
    message.targets.push_back(std::move(inbox));
  }
  mail::waiting_details details;
  details.message = message_id_;
  details.accepted = message.now;
  if (kept_back_) {
    log::info("smtp: message {} is kept back in the waiting list: {}", message_id_, *kept_back_);
    details.progress.held = true;
    details.progress.outcome = "kept back by " + *kept_back_;
  }
  auto wait = [&](std::string destination, std::size_t front) {
    storage::new_waiting row;
    row.destination = std::move(destination);
    row.next_due = kept_back_ ? mail::held_until : release_.value_or(message.now);
    row.details = mail::write_details(details);
    row.front = static_cast<std::uint32_t>(front);
    message.waiting.push_back(std::move(row));
  };
  details.released = release_;
  details.mail = envelope_->parameters;
  details.mail.size_bytes.reset();
  details.mail.auth.reset();
  details.mail.hold_for.reset();
  details.mail.hold_until.reset();
  details.sender = sender_;
  for (const auto& to : plan_->local())
    if (waits(to)) {
      details.recipient = {mail::parse_canonical(to.address), to.parameters};
      wait(std::string(mail::local_destination), to.front);
    }
  details.sender.reset();
  details.recipient.parameters = {};
  for (const auto& member : plan_->deferred()) {
    details.recipient.address = mail::parse_canonical(member.address);
    wait(std::string(mail::local_destination), member.front);
  }
  for (const auto& to : plan_->remote()) {
    details.sender = to.sender;
    details.recipient = {to.address, to.parameters};
    wait(mail::destination_of(to.address).value_or(to.address.domain), to.front);
  }
}

std::vector<smtp::reply> smtp_transaction::replies_to(const storage::outcome& done) const {
  const smtp::reply stored{250, "2.0.0", "Ok: stored as " + message_id_};
  if (!is_lmtp())
    return {stored};
  std::vector<smtp::reply> out;
  for (const auto place : place_of_) {
    const auto target = place ? target_of_[*place] : std::nullopt;
    out.push_back(!target || done.places[*target].id ? stored : smtp::replies::mailbox_over_quota());
  }
  return out;
}

void smtp_transaction::forget_message() {
  intake_.reset();
  failure_.reset();
  stored_header_.clear();
  discarded_ = false;
  kept_back_.reset();
  envelope_ = nullptr;
}

} // namespace merpati::session
