#include "actors/delivery/conversation.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "actors/session/body_stream.hpp"
#include "base/ip_address.hpp"
#include "base/log.hpp"
#include "protocols/smtp/client_engine.hpp"

namespace merpati::delivery {

namespace {

using runtime::task;
using smtp::client_step;

/// How long a connection without work is kept for what may come. Postfix keeps some for 2 s.
constexpr auto idle_connection = std::chrono::seconds(2);
/// Output that has come together is sent when it is so long.
constexpr std::size_t output_step = 64 * 1024;

class conversation {
public:
  conversation(runtime::session_io& io, conversation_settings settings)
      : io_(io), settings_(std::move(settings)), engine_(options()) {
    const auto& info = io_.info();
    remote_ = settings_.host_name;
    if (info.remote_address != settings_.host_name)
      remote_ += " [" + info.remote_address + "]";
  }

  task<void> run() {
    if (settings_.next.implicit_tls)
      co_await shake_hands();
    for (;;) {
      switch (engine_.next()) {
      case client_step::need_input: co_await read_more(); break;
      case client_step::start_tls: co_await start_tls(); break;
      case client_step::ready: co_await take_job(); break;
      case client_step::send_body: co_await send_body(); break;
      case client_step::message_over: report(); break;
      case client_step::closed: {
        io_.write_soon(engine_.take_output());
        co_return;
      }
      }
    }
  }

  conversation_over outcome() const {
    conversation_over out;
    out.useful = useful_;
    out.tls_failed = tls_failed_;
    out.encryption = encryption();
    if (const auto& why = engine_.failure()) {
      out.permanent = why->status.starts_with('5');
      out.why = {why->status, remote_, why->text};
    }
    return out;
  }

private:
  smtp::client_options options() const {
    smtp::client_options out;
    out.hostname = settings_.shared->own.hostname;
    out.lmtp = settings_.next.protocol == config::hop_protocol::lmtp;
    out.implicit_tls = settings_.next.implicit_tls;
    switch (settings_.demand.need) {
    case tls_need::none: out.tls = smtp::client_tls::none; break;
    case tls_need::may: out.tls = smtp::client_tls::may; break;
    case tls_need::any_certificate:
    case tls_need::authority:
    case tls_need::dane: out.tls = smtp::client_tls::need; break;
    }
    out.user = settings_.next.user;
    out.password = settings_.next.password;
    const auto address = ip_address::parse(io_.info().remote_address);
    out.plaintext_auth_allowed = !address || address->is_loopback(); // no address: a Unix-domain socket
    return out;
  }

  /// What becomes of the wish for TLS, for people.
  std::string encryption() const {
    if (tls_failed_)
      return "none: the TLS handshake failed";
    const auto* tls = io_.tls();
    const bool trusted = tls && tls->judgement() == tls::certificate_fault::none;
    return verdict_of(settings_.demand, tls ? tls->info().version : "", trusted, settings_.tls_failed_before);
  }

  task<void> start_tls() {
    io_.write_soon(engine_.take_output());
    co_await shake_hands();
    if (!engine_lost_)
      engine_.tls_started();
  }

  task<void> shake_hands() {
    auto context = settings_.shared->any_certificate;
    if (settings_.demand.need == tls_need::authority)
      context = settings_.shared->trusted_certificate;
    else if (settings_.demand.need == tls_need::dane)
      context = settings_.shared->dane_certificate;
    auto shaken =
        co_await io_.start_client_tls(std::move(context), settings_.demand.server_name, settings_.demand.dane);
    if (!shaken) {
      tls_failed_ = true;
      lose("TLS handshake failed: " + shaken.error().what);
    }
  }

  task<void> read_more() {
    const bool asked = engine_.pending_output() != 0;
    co_await send_output();
    if (engine_lost_)
      co_return;
    // A server that sends an octet now and then does not keep us for longer than one that sends none.
    if (asked || engine_.replies() != replies_seen_)
      reply_deadline_ = io_.now() + engine_.timeout();
    replies_seen_ = engine_.replies();
    const auto left = std::max<std::chrono::nanoseconds>(reply_deadline_ - io_.now(), std::chrono::milliseconds(1));
    auto event = co_await io_.next_data(left);
    if (event.is_data())
      engine_.feed(event.data());
    else if (event.is_timeout())
      lose("the server did not answer in time");
    else if (!event.is_stop()) // what was begun is brought to its end: a reply that nobody hears makes a duplicate
      lose(event.reason().empty() ? "the server closed the connection" : "the connection broke: " + event.reason());
  }

  void lose(std::string why) {
    engine_lost_ = true;
    engine_.lost(std::move(why));
  }

  task<void> send_output() {
    const auto output = engine_.take_output();
    if (output.empty())
      co_return;
    auto sent = co_await io_.write(output);
    if (!sent)
      lose(sent.error().what);
  }

  task<void> take_job() {
    co_await send_output(); // a RSET's
    if (engine_lost_)
      co_return;
    useful_ = true;
    if (io_.stopping()) {
      engine_.quit();
      co_return;
    }
    const next_job request{settings_.agent, io_.self()};
    auto offer = co_await io_.ask<job_offer>(settings_.destination, request);
    if (!offer || offer->is_over) {
      engine_.quit();
      co_return;
    }
    if (!offer->what) {
      co_await wait_for_job();
      co_return;
    }
    job_ = std::move(offer->what);
    auto body = session::body_stream::open(*settings_.shared->store, job_->shard, job_->body);
    if (!body) {
      log::error("delivery: message {} can't be read, it goes on waiting: {}", job_->details().message,
                 body.error().what);
      report_unreadable(body.error().what);
      co_return;
    }
    body_ = std::move(*body);
    smtp::client_message message;
    message.to.sender = job_->details().sender;
    message.to.parameters = job_->details().mail;
    for (const auto& each : job_->recipients)
      message.to.recipients.push_back(each.details.recipient);
    message.size_bytes = body_->size_bytes();
    engine_.begin(std::move(message));
  }

  /// Nothing is to be sent now. The engine says `ready` again where the connection is still good.
  task<void> wait_for_job() {
    auto event = co_await io_.next(idle_connection);
    if (event.is_timeout() || event.is_stop())
      engine_.quit();
    else if (!event.is_notice()) // gone, or tired of waiting (421)
      lose("the server has ended the connection");
  }

  task<void> send_body() {
    std::uint64_t at = 0;
    while (at < body_->size_bytes() && !engine_lost_) {
      auto piece = co_await body_->read(io_, at, body_->size_bytes() - at);
      if (!piece) {
        // What was sent can't be taken back, and must not count as the message.
        log::error("delivery: message {} can't be read, it goes on waiting: {}", job_->details().message,
                   piece.error().what);
        lose("the stored message can't be read");
        io_.close();
        co_return;
      }
      engine_.write_body(*piece);
      at += piece->size();
      if (engine_.pending_output() >= output_step)
        co_await send_output();
    }
    if (!engine_lost_)
      engine_.end_body();
  }

  void report() {
    job_done done = about_connection();
    done.outcomes = engine_.outcomes();
    tell(std::move(done));
  }

  void report_unreadable(const std::string& why) {
    job_done done = about_connection();
    smtp::client_outcome outcome;
    outcome.what = smtp::client_verdict::deferred;
    outcome.status = "4.3.0";
    outcome.text = "the stored message can't be read: " + why;
    done.outcomes.assign(job_->recipients.size(), outcome);
    tell(std::move(done));
  }

  job_done about_connection() const {
    job_done done;
    done.agent = settings_.agent;
    done.remote = remote_;
    done.reports = engine_.extensions().dsn;
    done.encryption = encryption();
    return done;
  }

  void tell(job_done done) {
    job_.reset();
    body_.reset();
    caf::anon_send(settings_.destination, std::move(done));
  }

  runtime::session_io& io_;
  conversation_settings settings_;
  smtp::client_engine engine_;
  std::string remote_;
  std::shared_ptr<job> job_;
  std::optional<session::body_stream> body_;
  std::chrono::steady_clock::time_point reply_deadline_ = io_.now() + engine_.timeout();
  std::uint64_t replies_seen_ = 0;
  bool useful_ = false;
  bool engine_lost_ = false;
  bool tls_failed_ = false;
};

} // namespace

task<void> converse(runtime::session_io& io, conversation_settings settings) {
  const auto end = settings.end;
  conversation talk(io, std::move(settings));
  co_await talk.run();
  end->what = talk.outcome();
}

} // namespace merpati::delivery
