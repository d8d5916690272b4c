#include "actors/session/smtp_transaction.hpp"

#include <algorithm>
#include <utility>

#include "actors/mail/sender_rules.hpp"
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

smtp_transaction::smtp_transaction(runtime::session_io& io, const services& services, const smtp::server_engine& engine)
    : io_(io), services_(services), engine_(engine), header_(header_limit(services)) {}

refusal smtp_transaction::begin(const smtp::mail_from& sender, const std::optional<auth::identity>& who) {
  forget_message();
  deliveries_.clear();
  delivery_of_.clear();
  who_ = who;
  declared_bytes_ = sender.parameters.size_bytes.value_or(0);
  if (auto admitted = services_.store->shard(0).admits(declared_bytes_); !admitted)
    return smtp::reply_for(admitted.error().code);
  // The null sender is for reports, which a mail program may send too (RFC 3798 3).
  if (who_ && sender.sender && !mail::may_send_as(who_->name, *sender.sender, services_.delegations))
    return not_your_address("envelope sender");
  return std::nullopt;
}

refusal smtp_transaction::add_recipient(const smtp::mailbox& recipient) {
  auto view = services_.store->read(0);
  if (!view)
    return smtp::replies::part_unavailable();
  auto route = mail::find_route(*view, recipient, services_.hostname);
  if (!route)
    return route.error().code == errc::invalid ? smtp::replies::bad_recipient_syntax()
                                               : smtp::reply_for(route.error().code);
  if (std::holds_alternative<mail::remote_domain>(*route))
    return smtp::replies::relay_refused();
  auto* local = std::get_if<mail::local_delivery>(&*route);
  if (!local)
    return smtp::replies::unknown_user();
  if (auto why_not = refusal_for(*local, *view))
    return why_not;
  auto same = [&](const mail::local_delivery& other) { return other.account == local->account; };
  const auto at = std::find_if(deliveries_.begin(), deliveries_.end(), same);
  delivery_of_.push_back(static_cast<std::size_t>(at - deliveries_.begin()));
  if (at == deliveries_.end())
    deliveries_.push_back(std::move(*local));
  return std::nullopt;
}

refusal smtp_transaction::refusal_for(const mail::local_delivery& to, const storage::read_view& view) const {
  auto account = view.account(to.account);
  if (!account)
    return smtp::replies::part_unavailable();
  auto used = view.usage(to.account);
  bool bytes_over = account->quota_bytes != 0 && used.bytes + declared_bytes_ > account->quota_bytes;
  bool messages_over = account->quota_messages != 0 && used.messages + 1 > account->quota_messages;
  if (bytes_over || messages_over)
    return smtp::replies::mailbox_over_quota();
  return std::nullopt;
}

void smtp_transaction::begin_message(const smtp::envelope& envelope) {
  envelope_ = &envelope;
  message_id_ = crypto::random_text(13);
  failure_.reset();
  header_ = smtp::header_collector(header_limit(services_));
  intake_.emplace(*services_.store, 0, services_.intake);
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
  auto header = header_.header();
  const auto facts = smtp::inspect_header(header);
  if (facts.received > services_.limits.smtp.hops) { // RFC 5321 6.3
    failure_ = smtp::replies::mail_loop();
    return;
  }
  if (who_)
    failure_ = complete_submission(facts, header);
  if (failure_)
    return;
  intake_->add(trace_header());
  intake_->add(header);
}

// RFC 6409 6.1 and 8.
refusal smtp_transaction::complete_submission(const smtp::header_facts& facts, std::string& header) const {
  if (facts.from_is_unreadable)
    return smtp::reply{554, "5.6.0", "From has no address that can be read"};
  for (const auto& author : facts.from)
    if (!mail::may_send_as(who_->name, author, services_.delegations))
      return not_your_address("From");
  smtp::added_fields added;
  added.date = smtp::write_date(services_.clock->now());
  added.message_id = '<' + message_id_ + '@' + services_.hostname + '>';
  added.from = envelope_->sender ? smtp::write_mailbox(*envelope_->sender) : who_->name;
  header = smtp::complete_header(header, facts, added);
  return std::nullopt;
}

/// Return-Path and Received (RFC 5321 4.4): delivery is final here, so both go in front.
std::string smtp_transaction::trace_header() const {
  smtp::trace_info trace;
  trace.helo = engine_.helo();
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
  return smtp::write_return_path(envelope_->sender) + smtp::write_received(trace);
}

task<std::vector<smtp::reply>> smtp_transaction::finish() {
  if (!failure_ && !header_.is_complete())
    begin_body(); // a message that is all header
  std::vector<smtp::reply> replies;
  if (failure_) {
    replies.push_back(*failure_);
  } else {
    auto taken = co_await intake_->finish(io_);
    if (taken)
      replies = co_await store(std::move(*taken));
    else
      replies.push_back(smtp::reply_for(taken.error().code));
  }
  if (is_lmtp() && replies.size() == 1)
    replies.resize(envelope_->recipients.size(), replies.front());
  forget_message();
  co_return replies;
}

task<std::vector<smtp::reply>> smtp_transaction::store(mail::taken_message taken) {
  store::commit request;
  auto& message = request.change.emplace<storage::add_message>();
  message.body = std::move(taken.body);
  message.fronts.push_back({"", std::move(taken.summary)});
  message.thread_key = taken.thread_key;
  message.now = services_.clock->now();
  message.internal_date = message.now;
  for (const auto& to : deliveries_) {
    storage::target inbox;
    inbox.account = to.account;
    inbox.create = true;
    inbox.skip_when_full = is_lmtp(); // each recipient has its own reply there
    message.targets.push_back(std::move(inbox));
  }
  auto reply = co_await io_.ask<store::commit_reply>(services_.store->writer(0), std::move(request));
  std::vector<smtp::reply> replies;
  if (!reply) {
    replies.push_back(smtp::replies::part_unavailable());
  } else if (!reply->done) {
    log::warning("smtp: message {} from {} was not stored and the sender was told to try again: {}", message_id_,
                 io_.info().remote_address, reply->done.error().what);
    replies.push_back(smtp::reply_for(reply->done.error().code));
  } else {
    log::info("smtp: message {} from {} stored for {} recipients", message_id_, io_.info().remote_address,
              envelope_->recipients.size());
    replies = replies_to(*reply->done);
  }
  co_return replies;
}

std::vector<smtp::reply> smtp_transaction::replies_to(const storage::outcome& done) const {
  const smtp::reply stored{250, "2.0.0", "Ok: stored as " + message_id_};
  if (!is_lmtp())
    return {stored};
  std::vector<smtp::reply> out;
  for (const auto place : delivery_of_)
    out.push_back(done.places[place].id ? stored : smtp::replies::mailbox_over_quota());
  return out;
}

void smtp_transaction::forget_message() {
  intake_.reset();
  failure_.reset();
  envelope_ = nullptr;
}

} // namespace merpati::session
