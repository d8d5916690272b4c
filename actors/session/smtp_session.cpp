#include "actors/session/smtp_session.hpp"

#include <optional>
#include <utility>

#include "actors/session/common_steps.hpp"
#include "actors/session/data_rate.hpp"
#include "actors/session/filter_chain.hpp"
#include "actors/session/smtp_policy.hpp"
#include "actors/session/smtp_transaction.hpp"
#include "base/log.hpp"
#include "protocols/smtp/trace_writer.hpp"

namespace merpati::session {

namespace {

using runtime::task;

class smtp_session {
public:
  smtp_session(runtime::session_io& io, services_ptr services, door_ptr entrance, smtp::server_kind kind)
      : io_(io),
        services_(std::move(services)),
        engine_(engine_options(*entrance, kind)),
        entrance_(std::move(entrance)),
        filters_(io_, *services_, engine_, entrance_->filters, entrance_->kind),
        transaction_(io_, *services_, engine_, filters_),
        policy_(io_, *services_, kind),
        rate_(services_->limits.smtp.data_octets_per_second) {}

  task<void> run();

private:
  smtp::server_options engine_options(const door& entrance, smtp::server_kind kind) const;

  task<bool> greet();
  task<bool> read_more();
  task<void> take_claim(smtp::xclient claim);
  task<void> begin_transaction(smtp::mail_from sender);
  task<void> take_recipient(smtp::rcpt_to recipient);
  task<void> begin_message(const smtp::envelope* envelope);
  task<void> check_password(smtp::authenticate login);
  task<void> find_keys(smtp::scram_lookup wanted);
  task<void> admit(smtp::scram_proven proof);
  void conclude(result<auth::identity> who);
  void answer(const refusal& why_not);
  task<void> end_message();

  runtime::session_io& io_;
  services_ptr services_;
  smtp::server_engine engine_;
  door_ptr entrance_;
  filter_chain filters_;
  smtp_transaction transaction_;
  smtp_policy policy_;
  data_rate rate_;
  std::optional<auth::identity> who_;
};

smtp::server_options smtp_session::engine_options(const door& entrance, smtp::server_kind kind) const {
  const auto& limits = services_->limits;
  smtp::server_options options;
  options.kind = kind;
  options.hostname = services_->hostname;
  options.tls_available = services_->tls() != nullptr;
  options.implicit_tls = entrance.implicit_tls;
  options.plaintext_auth_allowed = entrance.plaintext_login;
  options.longest_hold = longest_hold;
  if (kind == smtp::server_kind::submission)
    options.latest_release = smtp::write_internet_time(services_->clock->now() + longest_hold);
  options.xclient_allowed = contains(entrance.xclient_from, io_.info().remote_address);
  options.report_unknown = !entrance.filters.empty();
  options.bare_newlines = services_->bare_newlines;
  options.limits.command_line_bytes = limits.smtp.line_bytes;
  options.limits.message_bytes = limits.message_bytes;
  options.limits.recipients = limits.smtp.recipients;
  options.limits.errors = limits.smtp.errors;
  return options;
}

task<void> smtp_session::run() {
  engine_.set_channel_bindings(bindings_of(io_));
  auto greeted = co_await greet();
  if (!greeted)
    co_return;
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
      engine_.set_channel_bindings(bindings_of(io_));
      engine_.tls_started();
      who_.reset();
    } else if (auto* login = std::get_if<smtp::authenticate>(&step)) {
      co_await check_password(std::move(*login));
    } else if (auto* wanted = std::get_if<smtp::scram_lookup>(&step)) {
      co_await find_keys(std::move(*wanted));
    } else if (auto* proof = std::get_if<smtp::scram_proven>(&step)) {
      co_await admit(std::move(*proof));
    } else if (auto* said = std::get_if<smtp::client_claim>(&step)) {
      co_await take_claim(std::move(said->claim));
    } else if (auto* sender = std::get_if<smtp::mail_from>(&step)) {
      co_await begin_transaction(std::move(*sender));
    } else if (auto* recipient = std::get_if<smtp::rcpt_to>(&step)) {
      co_await take_recipient(std::move(*recipient));
    } else if (auto* unknown = std::get_if<smtp::unknown_command>(&step)) {
      auto refused = co_await filters_.unknown(std::move(unknown->line));
      answer(refused);
    } else if (const auto* begin = std::get_if<smtp::data_begin>(&step)) {
      co_await begin_message(begin->envelope);
    } else if (const auto* chunk = std::get_if<smtp::data_chunk>(&step)) {
      co_await transaction_.take(chunk->octets);
    } else if (std::holds_alternative<smtp::data_end>(step)) {
      co_await end_message();
    } else if (std::holds_alternative<smtp::data_aborted>(step)) {
      transaction_.forget_message();
      filters_.abort();
    } else {
      io_.write_soon(engine_.take_output());
      co_return;
    }
  }
}

/// Decides about the client and greets it. False: the session is over.
task<bool> smtp_session::greet() {
  auto refused = co_await policy_.connect();
  if (refused) {
    engine_.shutdown(*refused);
    co_return true;
  }
  if (policy_.greet_pause().count() > 0) {
    auto event = co_await io_.next_data(policy_.greet_pause());
    if (event.is_data()) {
      engine_.feed(event.data()); // start() sends early talkers away
    } else if (event.is_stop()) {
      engine_.shutdown(smtp::replies::shutting_down());
      co_return true;
    } else if (!event.is_timeout()) {
      co_return false;
    }
  }
  engine_.start();
  co_return true;
}

/// The peer speaks for a client, which is judged in its place. HELO and PROTO say nothing that the EHLO which follows
/// does not say.
task<void> smtp_session::take_claim(smtp::xclient claim) {
  std::optional<auth::identity> who;
  if (claim.login && !claim.login->value.empty()) {
    auto known = co_await log_in_proven(io_, *services_, {}, claim.login->value);
    if (!known) {
      log::info("smtp: {} speaks for {}, who has no account here", io_.info().remote_address, claim.login->value);
      engine_.refuse(known.error().code == errc::auth_failed ? smtp::reply{550, "5.7.0", "LOGIN is no account here"}
                                                             : smtp::reply{451, "4.3.0", "Try again later"});
      co_return;
    }
    who = std::move(*known);
  }
  if (claim.addr && !claim.addr->value.empty())
    io_.set_remote(claim.addr->value, claim.port.value_or(0));
  auto refused = co_await policy_.connect();
  if (refused) {
    engine_.refuse(*refused);
    co_return;
  }
  if (claim.name)
    policy_.set_client_name(claim.name->value);
  who_ = std::move(who);
  engine_.speaks_for(who_.has_value());
}

task<void> smtp_session::begin_transaction(smtp::mail_from sender) {
  auto refused = co_await policy_.sender();
  if (!refused)
    refused = transaction_.begin(sender, who_);
  if (!refused && !filters_.is_empty()) {
    filters_.know_client(policy_.client_name(), who_ ? who_->name : std::string());
    refused = co_await filters_.sender(std::move(sender));
  }
  answer(refused);
}

task<void> smtp_session::take_recipient(smtp::rcpt_to recipient) {
  auto refused = transaction_.look_at(recipient);
  if (!refused)
    refused = co_await policy_.recipient(transaction_.sender(), recipient.recipient);
  if (!refused && !filters_.is_empty())
    refused = co_await filters_.recipient(std::move(recipient));
  if (!refused)
    refused = transaction_.add_recipient();
  answer(refused);
}

task<void> smtp_session::begin_message(const smtp::envelope* envelope) {
  auto account = who_ ? who_->name : std::string(); // g++ 12 frees a conditional operand of co_await twice
  auto refused = co_await policy_.message(std::move(account), envelope->recipients.size());
  if (!refused) {
    transaction_.begin_message(*envelope, policy_.client_name());
    rate_.begin(services_->clock->now());
  }
  answer(refused);
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
  const bool too_slow =
      event.is_data() && engine_.in_data() && !rate_.take(event.data().size(), services_->clock->now());
  if (event.is_data() && !too_slow)
    engine_.feed(event.data());
  else if (event.is_stop())
    engine_.shutdown(smtp::replies::shutting_down());
  else if (event.is_timeout() || too_slow)
    engine_.shutdown(smtp::replies::idle_timeout());
  else
    co_return false;
  co_return true;
}

task<void> smtp_session::check_password(smtp::authenticate login) {
  auto who =
      co_await log_in(io_, *services_, std::move(login.authzid), std::move(login.authcid), std::move(login.password));
  conclude(std::move(who));
}

task<void> smtp_session::find_keys(smtp::scram_lookup wanted) {
  auto keys = co_await scram_keys(io_, *services_, std::move(wanted.username));
  if (keys)
    engine_.scram_keys(std::move(*keys));
  else
    conclude(tl::make_unexpected(keys.error()));
}

task<void> smtp_session::admit(smtp::scram_proven proof) {
  auto who = co_await log_in_proven(io_, *services_, std::move(proof.authzid), std::move(proof.username));
  conclude(std::move(who));
}

void smtp_session::conclude(result<auth::identity> who) {
  if (who) {
    who_ = std::move(*who);
    engine_.authenticated(smtp::auth_outcome::success);
  } else if (who.error().code == errc::auth_failed || who.error().code == errc::not_permitted) {
    engine_.authenticated(smtp::auth_outcome::failure);
  } else {
    engine_.authenticated(smtp::auth_outcome::temporary);
  }
}

void smtp_session::answer(const refusal& why_not) {
  if (why_not)
    engine_.refuse(*why_not);
  else
    engine_.accept();
}

task<void> smtp_session::end_message() {
  auto replies = co_await transaction_.finish();
  engine_.answer_each(replies);
}

} // namespace

runtime::task<void> run_smtp_session(runtime::session_io& io, services_ptr services, door_ptr entrance,
                                     smtp::server_kind kind) {
  smtp_session session(io, std::move(services), std::move(entrance), kind);
  co_await run_guarded(io, session, "451 4.3.0 The server failed, try again later\r\n");
}

} // namespace merpati::session
