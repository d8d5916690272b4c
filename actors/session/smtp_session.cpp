#include "actors/session/smtp_session.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "actors/mail/message_intake.hpp"
#include "actors/mail/router.hpp"
#include "actors/session/common_steps.hpp"
#include "base/crypto.hpp"
#include "base/log.hpp"
#include "protocols/smtp/trace_writer.hpp"

namespace merpati::session {

namespace {

using runtime::task;

class smtp_session {
public:
  smtp_session(runtime::session_io& io, services_ptr services, door entrance, smtp::server_kind kind)
      : io_(io), services_(std::move(services)), engine_(engine_options(entrance, kind)) {}

  task<void> run();

private:
  smtp::server_options engine_options(door entrance, smtp::server_kind kind) const;

  task<bool> read_more();
  task<void> check_password(smtp::authenticate login);
  void begin_transaction(const smtp::mail_from& sender);
  void check_recipient(const smtp::mailbox& recipient);
  std::optional<smtp::reply> refusal_for(const mail::local_delivery& to, const storage::read_view& view) const;
  void begin_message();
  task<void> take_octets(std::string_view octets);
  task<void> end_message(std::size_t recipients);
  std::string trace_header(const smtp::envelope& envelope) const;
  void forget_message();

  runtime::session_io& io_;
  services_ptr services_;
  smtp::server_engine engine_;
  std::vector<mail::local_delivery> accepted_; // recipients of this transaction, each account once
  std::uint64_t declared_bytes_ = 0;
  std::string message_id_; // our name for the message that arrives now
  std::optional<mail::message_intake> intake_;
  std::optional<error> intake_failure_; // told after the final dot
};

smtp::server_options smtp_session::engine_options(door entrance, smtp::server_kind kind) const {
  const auto& limits = services_->limits;
  smtp::server_options options;
  options.kind = kind;
  options.hostname = services_->hostname;
  options.tls_available = services_->tls() != nullptr;
  options.implicit_tls = entrance.implicit_tls;
  options.plaintext_auth_allowed = entrance.plaintext_login;
  options.limits.command_line_bytes = limits.smtp.line_bytes;
  options.limits.message_bytes = limits.message_bytes;
  options.limits.recipients = limits.smtp.recipients;
  options.limits.errors = limits.smtp.errors;
  return options;
}

task<void> smtp_session::run() {
  engine_.start();
  for (;;) {
    auto step = engine_.next();
    if (std::holds_alternative<smtp::need_input>(step)) {
      auto go_on = co_await read_more();
      if (!go_on)
        co_return;
    } else if (std::holds_alternative<smtp::start_tls>(step)) {
      auto established = co_await start_tls(io_, *services_, engine_.take_output(), {});
      if (!established)
        co_return;
      engine_.tls_started();
    } else if (auto* login = std::get_if<smtp::authenticate>(&step)) {
      co_await check_password(std::move(*login));
    } else if (auto* sender = std::get_if<smtp::mail_from>(&step)) {
      begin_transaction(*sender);
    } else if (auto* recipient = std::get_if<smtp::rcpt_to>(&step)) {
      check_recipient(recipient->recipient);
    } else if (auto* begin = std::get_if<smtp::data_begin>(&step)) {
      begin_message();
      intake_->add(trace_header(*begin->envelope));
      engine_.accept();
    } else if (auto* chunk = std::get_if<smtp::data_chunk>(&step)) {
      co_await take_octets(chunk->octets);
    } else if (auto* end = std::get_if<smtp::data_end>(&step)) {
      co_await end_message(end->envelope->recipients.size());
    } else if (std::holds_alternative<smtp::data_aborted>(step)) {
      forget_message();
    } else {
      io_.write_soon(engine_.take_output());
      co_return;
    }
  }
}

/// Sends what the engine has to say and feeds it what comes. False: the session is over.
task<bool> smtp_session::read_more() {
  auto output = engine_.take_output();
  if (!output.empty()) {
    io_.write_soon(output);
    auto sent = co_await io_.flush();
    if (!sent)
      co_return false;
  }
  auto event = co_await io_.next_data(services_->limits.smtp.idle);
  if (event.is_data())
    engine_.feed(event.data());
  else if (event.is_stop())
    engine_.shutdown(smtp::replies::shutting_down());
  else if (event.is_timeout())
    engine_.shutdown(smtp::replies::idle_timeout());
  else
    co_return false;
  co_return true;
}

task<void> smtp_session::check_password(smtp::authenticate login) {
  auto who =
      co_await log_in(io_, *services_, std::move(login.authzid), std::move(login.authcid), std::move(login.password));
  if (who)
    engine_.authenticated(smtp::auth_outcome::success);
  else if (who.error().code == errc::auth_failed || who.error().code == errc::not_permitted)
    engine_.authenticated(smtp::auth_outcome::failure);
  else
    engine_.authenticated(smtp::auth_outcome::temporary);
}

void smtp_session::begin_transaction(const smtp::mail_from& sender) {
  forget_message();
  accepted_.clear();
  declared_bytes_ = sender.parameters.size_bytes.value_or(0);
  if (auto admitted = services_->store->shard(0).admits(declared_bytes_); !admitted)
    engine_.refuse(smtp::reply_for(admitted.error().code));
  else
    engine_.accept();
}

void smtp_session::check_recipient(const smtp::mailbox& recipient) {
  auto view = services_->store->read(0);
  if (!view) {
    engine_.refuse(smtp::replies::part_unavailable());
    return;
  }
  auto route = mail::find_route(*view, recipient, services_->hostname);
  if (!route) {
    engine_.refuse(route.error().code == errc::invalid ? smtp::replies::bad_recipient_syntax()
                                                       : smtp::reply_for(route.error().code));
    return;
  }
  if (std::holds_alternative<mail::remote_domain>(*route)) {
    engine_.refuse(smtp::replies::relay_refused());
    return;
  }
  auto* local = std::get_if<mail::local_delivery>(&*route);
  if (!local) {
    engine_.refuse(smtp::replies::unknown_user());
    return;
  }
  if (auto why_not = refusal_for(*local, *view)) {
    engine_.refuse(*why_not);
    return;
  }
  auto same = [&](const mail::local_delivery& other) { return other.account == local->account; };
  if (std::none_of(accepted_.begin(), accepted_.end(), same))
    accepted_.push_back(std::move(*local));
  engine_.accept();
}

std::optional<smtp::reply> smtp_session::refusal_for(const mail::local_delivery& to,
                                                     const storage::read_view& view) const {
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

void smtp_session::begin_message() {
  message_id_ = crypto::random_text(13);
  intake_failure_.reset();
  intake_.emplace(*services_->store, 0, services_->intake);
}

task<void> smtp_session::take_octets(std::string_view octets) {
  if (intake_failure_)
    co_return; // the rest is read and dropped, and the sender is told after the final dot
  intake_->add(octets);
  if (!intake_->wants_flush())
    co_return;
  auto flushed = co_await intake_->flush(io_);
  if (!flushed)
    intake_failure_ = flushed.error();
}

task<void> smtp_session::end_message(std::size_t recipients) {
  if (intake_failure_) {
    engine_.refuse(smtp::reply_for(intake_failure_->code));
    forget_message();
    co_return;
  }
  auto taken = co_await intake_->finish(io_);
  forget_message();
  if (!taken) {
    engine_.refuse(smtp::reply_for(taken.error().code));
    co_return;
  }
  store::commit request;
  auto& message = request.change.emplace<storage::add_message>();
  message.body = std::move(taken->body);
  message.summary = std::move(taken->summary);
  message.thread_key = taken->thread_key;
  message.now = services_->clock->now();
  message.internal_date = message.now;
  for (const auto& to : accepted_) {
    storage::target inbox;
    inbox.account = to.account;
    inbox.create = true;
    message.targets.push_back(std::move(inbox));
  }
  auto reply = co_await io_.ask<store::commit_reply>(services_->store->writer(0), std::move(request));
  if (!reply) {
    engine_.refuse(smtp::replies::part_unavailable());
  } else if (!reply->done) {
    log::warning("smtp: message {} from {} was not stored and the sender was told to try again: {}", message_id_,
                 io_.info().remote_address, reply->done.error().what);
    engine_.refuse(smtp::reply_for(reply->done.error().code));
  } else {
    log::info("smtp: message {} from {} stored for {} recipients", message_id_, io_.info().remote_address, recipients);
    engine_.accept("stored as " + message_id_);
  }
}

/// Return-Path and Received (RFC 5321 4.4): delivery is final here, so both go in front.
std::string smtp_session::trace_header(const smtp::envelope& envelope) const {
  smtp::trace_info trace;
  trace.helo = engine_.helo();
  trace.remote_address = io_.info().remote_address;
  trace.by = services_->hostname;
  trace.id = message_id_;
  trace.extended = engine_.is_extended();
  trace.authenticated = engine_.is_authenticated();
  if (const auto* tls = io_.tls()) {
    trace.tls = true;
    trace.tls_version = tls->info().version;
    trace.tls_cipher = tls->info().cipher;
  }
  if (envelope.recipients.size() == 1)
    trace.recipient = envelope.recipients.front().address;
  trace.utf8 = envelope.parameters.utf8;
  trace.lmtp = engine_.options().kind == smtp::server_kind::lmtp;
  trace.when = services_->clock->now();
  return smtp::write_return_path(envelope.sender) + smtp::write_received(trace);
}

void smtp_session::forget_message() {
  intake_.reset();
  intake_failure_.reset();
}

} // namespace

runtime::task<void> run_smtp_session(runtime::session_io& io, services_ptr services, door entrance,
                                     smtp::server_kind kind) {
  smtp_session session(io, std::move(services), entrance, kind);
  co_await run_guarded(io, session, "451 4.3.0 The server failed, try again later\r\n");
}

} // namespace merpati::session
