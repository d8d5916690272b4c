#include "protocols/smtp/client_engine.hpp"

#include <algorithm>
#include <stdexcept>

#include "base/ascii.hpp"
#include "base/crypto.hpp"

namespace merpati::smtp {

namespace {

using std::chrono::minutes;
using std::chrono::seconds;

} // namespace

client_engine::client_engine(client_options options) : options_(std::move(options)), tls_(options_.implicit_tls) {}

client_step client_engine::next() {
  for (;;) {
    switch (state_) {
    case state::closed: return client_step::closed;
    case state::handshake: return client_step::start_tls;
    case state::ready: return client_step::ready;
    case state::body: return client_step::send_body;
    case state::over: leave_message(); return client_step::message_over;
    default: break;
    }
    switch (replies_.next()) {
    case client_reply_reader::result::none: return client_step::need_input;
    case client_reply_reader::result::malformed:
      closing_ = true;
      lost("the server says what is no SMTP reply");
      continue;
    case client_reply_reader::result::complete: ++reply_count_; break;
    }
    if (auto step = take(replies_.value()))
      return *step;
  }
}

/// What follows once the outcomes are told.
void client_engine::leave_message() {
  const bool failed = std::exchange(message_failed_, false);
  if (closing_) {
    state_ = state::closed;
  } else if (offered_.messages_limit != 0 && messages_ >= offered_.messages_limit) { // RFC 9422 4.1
    say("QUIT");
    state_ = state::closed;
  } else if (failed) {
    say("RSET");
    state_ = state::reset;
  } else {
    state_ = state::ready;
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
      else if (closing_)
        fail_connection(reply);
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

// --- the end, and time ---

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
    const bool all_sent = state_ == state::final_reply || (state_ == state::body && !data_sent_ && chunk_left_ == 0);
    why.unknown = all_sent && any_accepted();
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
