#include "protocols/smtp/client_engine.hpp"

#include <algorithm>
#include <stdexcept>

#include "base/ascii.hpp"
#include "base/crypto.hpp"
#include "protocols/text/utf8.hpp"

namespace merpati::smtp {

namespace {

using std::chrono::minutes;
using std::chrono::seconds;

client_outcome outcome_of(const client_reply& reply) {
  client_outcome out;
  out.status = reply.status_or_class();
  out.text = reply.text();
  out.is_reply = true;
  // 5xx is final, 4xx waits, and so does what makes no sense here. RFC 5321 4.2.1
  out.what = reply.severity() == 2   ? client_verdict::delivered
             : reply.severity() == 5 ? client_verdict::failed
                                     : client_verdict::deferred;
  if (out.what == client_verdict::deferred && reply.severity() != 4) {
    out.status = "4.5.0";
    out.text += " (unexpected)";
  }
  return out;
}

bool needs_utf8(const envelope& e) {
  if (e.parameters.utf8 || (e.sender && !text::is_ascii(e.sender->local_part + e.sender->domain)))
    return true;
  return std::any_of(e.recipients.begin(), e.recipients.end(),
                     [](const recipient& to) { return !text::is_ascii(to.address.local_part + to.address.domain); });
}

} // namespace

client_engine::client_engine(client_options options) : options_(std::move(options)), tls_(options_.implicit_tls) {}

client_step client_engine::next() {
  for (;;) {
    switch (state_) {
    case state::closed: return client_step::closed;
    case state::handshake: return client_step::start_tls;
    case state::ready: return client_step::ready;
    case state::body: return client_step::send_body;
    case state::over:
      state_ = closing_ ? state::closed : std::exchange(message_failed_, false) ? state::reset : state::ready;
      if (state_ == state::reset)
        say("RSET");
      return client_step::message_over;
    default: break;
    }
    switch (replies_.next()) {
    case client_reply_reader::result::none: return client_step::need_input;
    case client_reply_reader::result::malformed:
      closing_ = true;
      lost("the server says what is no SMTP reply");
      continue;
    case client_reply_reader::result::complete: break;
    }
    if (auto step = take(replies_.value()))
      return *step;
  }
}

std::optional<client_step> client_engine::take(const client_reply& reply) {
  if (reply.code == 421) // RFC 5321 3.8: it closes the connection
    closing_ = true;
  switch (state_) {
  case state::greeting: take_greeting(reply); break;
  case state::hello: take_hello(reply); break;
  case state::starttls:
    if (reply.severity() != 2) {
      if (options_.tls == client_tls::need)
        fail_connection({"4.7.4", "the server offers STARTTLS and refuses it: " + reply.text(), false});
      else
        after_hello();
    } else if (!replies_.is_empty()) { // RFC 3207 6
      fail_connection({"4.7.0", "octets in clear behind the reply to STARTTLS: somebody may be in between", false});
    } else {
      state_ = state::handshake;
    }
    break;
  case state::auth: take_auth(reply); break;
  case state::envelope: take_envelope(reply); break;
  case state::final_reply: take_final(reply); break;
  case state::reset: state_ = closing_ || reply.severity() != 2 ? state::closed : state::ready; break;
  case state::quitting: state_ = state::closed; break;
  default: break;
  }
  return std::nullopt;
}

void client_engine::say(std::string_view line) {
  output_.append(line) += "\r\n";
}

void client_engine::fail_connection(const client_reply& reply) {
  fail_connection({reply.severity() >= 4 ? reply.status_or_class() : "4.5.0", reply.text(), true});
}

void client_engine::fail_connection(client_failure why) {
  if (!failure_)
    failure_ = std::move(why);
  if (!closing_)
    say("QUIT");
  state_ = state::closed;
}

// --- before the first message ---

void client_engine::take_greeting(const client_reply& reply) {
  if (reply.code != 220)
    return fail_connection(reply);
  say_hello(options_.lmtp ? "LHLO " : "EHLO ");
}

void client_engine::say_hello(std::string_view verb) {
  say(std::string(verb) + options_.hostname);
  state_ = state::hello;
}

void client_engine::take_hello(const client_reply& reply) {
  if (reply.severity() == 2) {
    offered_ = helo_ ? client_extensions() : read_extensions(reply);
    return after_hello();
  }
  // RFC 5321 3.2: a server that does not know EHLO.
  if (reply.severity() == 5 && !helo_ && !options_.lmtp && !tls_ && options_.tls != client_tls::need && !closing_) {
    helo_ = true;
    return say_hello("HELO ");
  }
  fail_connection(reply);
}

void client_engine::after_hello() {
  const bool asked = state_ == state::starttls; // and refused
  if (!tls_ && options_.tls != client_tls::none && offered_.starttls && !asked) {
    say("STARTTLS");
    state_ = state::starttls;
    return;
  }
  if (!tls_ && options_.tls == client_tls::need)
    return fail_connection({"4.7.4", "the server offers no STARTTLS, which is required here", false});
  if (!options_.user.empty() && !authenticated_)
    return begin_auth();
  state_ = state::ready;
}

void client_engine::tls_started() {
  if (state_ != state::handshake)
    throw std::logic_error("smtp client: tls_started() answers nothing");
  replies_.clear();
  offered_ = {};
  tls_ = true;
  say_hello(options_.lmtp ? "LHLO " : "EHLO ");
}

void client_engine::begin_auth() {
  if (!tls_ && !options_.plaintext_auth_allowed)
    return fail_connection({"4.7.11", "the password is not sent without TLS, which the server does not offer", false});
  if (offered_.auth_plain) { // RFC 4616
    auto message = std::string(1, '\0') + options_.user + '\0' + options_.password;
    say("AUTH PLAIN " + crypto::base64_encode(message));
  } else if (offered_.auth_login) {
    auth_lines_ = {crypto::base64_encode(options_.password), crypto::base64_encode(options_.user)};
    say("AUTH LOGIN");
  } else {
    return fail_connection({"4.7.4", "the server offers neither AUTH PLAIN nor AUTH LOGIN", false});
  }
  state_ = state::auth;
}

void client_engine::take_auth(const client_reply& reply) {
  if (reply.code == 334 && !auth_lines_.empty()) {
    say(auth_lines_.back());
    auth_lines_.pop_back();
    return;
  }
  if (reply.severity() != 2) // a wrong password can be mended here: mail waits for that
    return fail_connection({"4.7.8", "login refused: " + reply.text(), false});
  authenticated_ = true;
  state_ = state::ready;
}

void client_engine::quit() {
  if (state_ != state::ready)
    throw std::logic_error("smtp client: quit() in the middle");
  say("QUIT");
  state_ = state::quitting;
}

// --- a message ---

void client_engine::begin(client_message message) {
  if (state_ != state::ready)
    throw std::logic_error("smtp client: begin() in the middle");
  message_ = std::move(message);
  outcomes_.assign(message_.to.recipients.size(), {});
  settled_.assign(message_.to.recipients.size(), false);
  accepted_.clear();
  pending_.clear();
  next_recipient_ = 0;
  finals_ = 0;
  data_sent_ = false;
  answered_ = false;
  ++messages_;
  if (refuse_as_it_is())
    return end_message();
  send_envelope();
}

/// What this server can't take without a change that nobody asked for.
bool client_engine::refuse_as_it_is() {
  const auto& p = message_.to.parameters;
  client_outcome why;
  why.what = client_verdict::failed;
  if (offered_.size_limit != 0 && message_.size_bytes > offered_.size_limit) { // RFC 1870 6
    why.status = "5.3.4";
    why.text = "the message has " + std::to_string(message_.size_bytes) + " octets, the server takes "
               + std::to_string(offered_.size_limit);
  } else if (needs_utf8(message_.to) && !offered_.smtputf8) { // RFC 6531 3.2
    why.status = "5.6.7";
    why.text = "the message needs SMTPUTF8, which the server does not offer";
  } else if (p.body == body_type::binary && !(offered_.binary_mime && offered_.chunking)) { // RFC 3030 3
    why.status = "5.6.3";
    why.text = "the message is binary, and the server does not offer BINARYMIME";
  } else if (p.require_tls && !(tls_ && offered_.require_tls)) { // RFC 8689 4.2.1
    why.status = "5.7.30";
    why.text = "the sender requires TLS on the whole way, which the server does not offer (REQUIRETLS)";
  } else {
    return false;
  }
  settle_open(why);
  return true;
}

void client_engine::send_envelope() {
  state_ = state::envelope;
  say(mail_command());
  pending_.push_back({pending::command::mail, 0});
  if (!offered_.pipelining)
    return;
  const auto most = offered_.recipients_limit == 0 ? message_.to.recipients.size() : offered_.recipients_limit;
  for (; next_recipient_ < std::min(message_.to.recipients.size(), most); ++next_recipient_) {
    say(rcpt_command(message_.to.recipients[next_recipient_]));
    pending_.push_back({pending::command::rcpt, next_recipient_});
  }
  if (!offered_.chunking) { // RFC 2920 3.1: DATA may be the last of a group
    say("DATA");
    pending_.push_back({pending::command::data, 0});
    data_sent_ = true;
  }
}

/// Without PIPELINING: the command behind the one that was answered.
void client_engine::send_next_command() {
  const auto most = offered_.recipients_limit == 0 ? message_.to.recipients.size() : offered_.recipients_limit;
  if (next_recipient_ < std::min(message_.to.recipients.size(), most)) {
    say(rcpt_command(message_.to.recipients[next_recipient_]));
    pending_.push_back({pending::command::rcpt, next_recipient_++});
  } else if (!offered_.chunking && any_accepted() && !data_sent_) {
    say("DATA");
    pending_.push_back({pending::command::data, 0});
    data_sent_ = true;
  }
}

std::string client_engine::mail_command() const {
  const auto& p = message_.to.parameters;
  auto line = "MAIL FROM:" + write_path(message_.to.sender);
  if (offered_.size)
    line += " SIZE=" + std::to_string(message_.size_bytes);
  if (p.body == body_type::binary)
    line += " BODY=BINARYMIME";
  else if (p.body == body_type::eight_bit && offered_.eight_bit_mime)
    line += " BODY=8BITMIME";
  if (needs_utf8(message_.to))
    line += " SMTPUTF8";
  if (offered_.dsn && p.returned)
    line += *p.returned == returned_part::full ? " RET=FULL" : " RET=HDRS";
  if (offered_.dsn && !p.envelope_id.empty())
    line += " ENVID=" + encode_xtext(p.envelope_id);
  if (p.require_tls)
    line += " REQUIRETLS";
  if (offered_.priority && p.priority)
    line += " MT-PRIORITY=" + std::to_string(*p.priority);
  return line;
}

std::string client_engine::rcpt_command(const recipient& to) const {
  auto line = "RCPT TO:" + write_path(to.address);
  if (!offered_.dsn)
    return line;
  const auto& p = to.parameters;
  if (p.notify == notify_never) {
    line += " NOTIFY=NEVER";
  } else if (p.notify != 0) {
    std::string words;
    for (const auto& [bit, word] : {std::pair(notify_success, ",SUCCESS"), std::pair(notify_failure, ",FAILURE"),
                                    std::pair(notify_delay, ",DELAY")})
      if ((p.notify & bit) != 0)
        words += word;
    line += " NOTIFY=" + words.substr(1);
  }
  if (!p.original_type.empty())
    line += " ORCPT=" + p.original_type + ';' + encode_xtext(p.original_recipient);
  return line;
}

bool client_engine::any_accepted() const {
  return !accepted_.empty();
}

void client_engine::take_envelope(const client_reply& reply) {
  const auto answered = pending_.front();
  answered_ = true;
  pending_.erase(pending_.begin());
  switch (answered.what) {
  case pending::command::mail:
    if (reply.severity() != 2) {
      message_failed_ = true;
      auto why = outcome_of(reply);
      settle_open(why);
      next_recipient_ = message_.to.recipients.size();
    }
    break;
  case pending::command::rcpt:
    if (settled_[answered.recipient])
      break; // MAIL was refused
    if (reply.severity() == 2)
      accepted_.push_back(answered.recipient);
    else
      settle(answered.recipient, reply);
    break;
  case pending::command::data:
    if (reply.code == 354) {
      if (any_accepted()) {
        state_ = state::body;
      } else { // RFC 2920 3.1: nobody is left, and the server wants a message all the same
        say(".");
        state_ = state::final_reply;
      }
      return;
    }
    message_failed_ = true;
    settle_open(outcome_of(reply));
    break;
  }
  if (closing_) {
    auto why = outcome_of(reply);
    why.what = client_verdict::deferred;
    settle_open(why);
    return end_message();
  }
  if (pending_.empty() && !offered_.pipelining)
    send_next_command();
  if (pending_.empty())
    after_envelope();
}

/// A recipient's own reply.
void client_engine::settle(std::size_t recipient, const client_reply& reply) {
  auto out = outcome_of(reply);
  const bool about_number = reply.status.empty() || reply.status == "4.5.3"; // not about this recipient's mailbox
  if (reply.code == 452 && about_number && any_accepted())
    out.what = client_verdict::untried; // RFC 5321 4.5.3.1.10: the next transaction takes it
  else if (reply.code == 552)           // what old servers say in place of 452
    out.what = client_verdict::deferred;
  outcomes_[recipient] = std::move(out);
  settled_[recipient] = true;
}

void client_engine::settle_open(const client_outcome& outcome) {
  for (std::size_t i = 0; i < outcomes_.size(); ++i)
    if (!settled_[i]) {
      outcomes_[i] = outcome;
      settled_[i] = true;
    }
  accepted_.clear();
}

/// All commands are answered, and DATA was not among them.
void client_engine::after_envelope() {
  if (!any_accepted()) {
    message_failed_ = true;
    return end_message();
  }
  say("BDAT " + std::to_string(message_.size_bytes) + " LAST"); // RFC 3030 2
  state_ = state::body;
}

void client_engine::write_body(std::string_view octets) {
  if (data_sent_)
    stuffing_.write(octets, output_);
  else
    output_.append(octets);
}

void client_engine::end_body() {
  if (data_sent_)
    stuffing_.finish(output_);
  state_ = state::final_reply;
}

void client_engine::take_final(const client_reply& reply) {
  if (accepted_.empty())
    return end_message();
  auto out = outcome_of(reply);
  if (reply.severity() != 2)
    message_failed_ = true;
  if (!options_.lmtp || closing_) { // one reply for all
    for (auto each : accepted_)
      if (!settled_[each]) {
        outcomes_[each] = out;
        settled_[each] = true;
      }
    return end_message();
  }
  outcomes_[accepted_[finals_]] = std::move(out); // RFC 2033 4.2
  settled_[accepted_[finals_]] = true;
  if (++finals_ == accepted_.size())
    end_message();
}

void client_engine::end_message() {
  if (offered_.messages_limit != 0 && messages_ >= offered_.messages_limit)
    closing_ = true;
  state_ = state::over;
}

void client_engine::lost(std::string text) {
  closing_ = true;
  switch (state_) {
  case state::closed:
  case state::quitting: state_ = state::closed; return;
  case state::ready: // the server has had enough of waiting
  case state::reset: state_ = state::closed; return;
  case state::over: return;
  case state::envelope:
  case state::body:
  case state::final_reply: {
    client_outcome why;
    why.what = client_verdict::deferred;
    why.status = "4.4.2";
    why.text = std::move(text);
    why.unknown = state_ == state::final_reply && any_accepted();
    // The server ended a connection that it found idle for too long: nothing was tried.
    if (messages_ > 1 && state_ == state::envelope && !answered_)
      why.what = client_verdict::untried;
    for (std::size_t i = 0; i < outcomes_.size(); ++i)
      if (!settled_[i])
        outcomes_[i] = why;
    state_ = state::over;
    return;
  }
  default: failure_ = client_failure{"4.4.2", std::move(text), false}; state_ = state::closed;
  }
}

seconds client_engine::timeout() const noexcept {
  switch (state_) {
  case state::envelope:
    return pending_.empty() || pending_.front().what != pending::command::data ? minutes(5) : minutes(2);
  case state::body: return minutes(3);
  case state::final_reply: return minutes(10);
  case state::quitting: return seconds(10); // nothing depends on it
  default: return minutes(5);
  }
}

} // namespace merpati::smtp
