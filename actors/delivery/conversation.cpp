#include "actors/delivery/conversation.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "actors/session/body_stream.hpp"
#include "base/ip_address.hpp"
#include "base/log.hpp"
#include "protocols/mime/seven_bit_writer.hpp"
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
    if (engine_.needs_seven_bit(message.to.parameters)) {
      const bool possible = co_await plan_seven_bit(message.to.parameters.body == smtp::body_type::binary);
      if (!possible)
        co_return;
      message.to.parameters.body = smtp::body_type::seven_bit;
      if (plan_) {
        message.size_bytes = plan_->estimated_octets();
        message.size_estimated = true;
      }
    }
    engine_.begin(std::move(message));
  }

  /// RFC 6152 3: a server that takes no octets above 127 gets a message without them, or none. False: none, as was
  /// told.
  task<bool> plan_seven_bit(bool binary) {
    plan_ = std::make_unique<mime::seven_bit_plan>(binary, settings_.shared->mime);
    bool readable = co_await read_for_plan(&mime::seven_bit_plan::survey);
    if (readable && !plan_->end_survey()) {
      plan_.reset();
      co_return true;
    }
    if (readable)
      readable = co_await read_for_plan(&mime::seven_bit_plan::measure);
    if (!readable)
      co_return false;
    switch (plan_->decide(engine_.extensions().smtputf8)) {
    case mime::seven_bit_plan::verdict::convert: break;
    case mime::seven_bit_plan::verdict::header_is_8bit:
      report_unfit("5.6.7", "a header of the message needs SMTPUTF8, which the server does not offer");
      co_return false;
    case mime::seven_bit_plan::verdict::impossible:
      report_unfit("5.6.3", "the server takes 7 bits only, and the message can't be converted: " + plan_->obstacle());
      co_return false;
    }
    log::info("delivery: message {} is converted to 7 bits for {}{}", job_->details().message, remote_,
              plan_->breaks_signature() ? "; a signature in it does not hold any more" : "");
    co_return true;
  }

  /// The whole message to a step of the plan. False: it can't be read, as was told.
  task<bool> read_for_plan(void (mime::seven_bit_plan::*step)(std::string_view)) {
    std::uint64_t at = 0;
    while (at < body_->size_bytes()) {
      auto piece = co_await body_->read(io_, at, body_->size_bytes() - at);
      if (!piece) {
        log::error("delivery: message {} can't be read, it goes on waiting: {}", job_->details().message,
                   piece.error().what);
        report_unreadable(piece.error().what);
        co_return false;
      }
      (*plan_.*step)(*piece);
      at += piece->size();
    }
    co_return true;
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
    std::optional<mime::seven_bit_writer> writer;
    if (plan_)
      writer.emplace(*plan_);
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
      at += piece->size();
      if (writer) {
        std::string converted;
        writer->write(*piece, converted);
        engine_.write_body(converted);
      } else {
        engine_.write_body(*piece);
      }
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
    report_untold(smtp::client_verdict::deferred, "4.3.0", "the stored message can't be read: " + why);
  }

  void report_unfit(const std::string& status, const std::string& why) {
    report_untold(smtp::client_verdict::failed, status, why);
  }

  /// For all recipients, without a word to the server.
  void report_untold(smtp::client_verdict what, const std::string& status, const std::string& why) {
    job_done done = about_connection();
    smtp::client_outcome outcome;
    outcome.what = what;
    outcome.status = status;
    outcome.text = why;
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
    plan_.reset();
    caf::anon_send(settings_.destination, std::move(done));
  }

  runtime::session_io& io_;
  conversation_settings settings_;
  smtp::client_engine engine_;
  std::string remote_;
  std::shared_ptr<job> job_;
  std::optional<session::body_stream> body_;
  std::unique_ptr<mime::seven_bit_plan> plan_; ///< of the job, where it is converted
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
