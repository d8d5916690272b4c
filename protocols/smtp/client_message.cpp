// One message on a connection of client_engine: the envelope, the text, and what becomes of each recipient.
#include <algorithm>
#include <stdexcept>

#include "protocols/smtp/client_engine.hpp"
#include "protocols/text/utf8.hpp"

namespace merpati::smtp {

namespace {

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

/// What a reply to a command of the envelope means where it is not the one that lets the message go on: a success out
/// of place is as odd as any other, for nothing was handed over yet.
client_outcome refusal_of(const client_reply& reply) {
  auto out = outcome_of(reply);
  if (out.what == client_verdict::delivered) {
    out.what = client_verdict::deferred;
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
  if (!in_chunks()) { // RFC 2920 3.1: DATA may be the last of a group
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
  } else if (!in_chunks() && any_accepted() && !data_sent_) {
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

bool client_engine::in_chunks() const noexcept {
  return offered_.chunking && !message_.size_estimated;
}

bool client_engine::needs_seven_bit(const mail_parameters& p) const noexcept {
  return !offered_.eight_bit_mime || (p.body == body_type::binary && !(offered_.binary_mime && offered_.chunking));
}

bool client_engine::any_accepted() const {
  return !accepted_.empty();
}

void client_engine::take_envelope(const client_reply& reply) {
  const auto answered = pending_.front();
  const bool first = !std::exchange(answered_, true);
  pending_.erase(pending_.begin());
  switch (answered.what) {
  case pending::command::mail:
    if (reply.severity() != 2) {
      message_failed_ = true;
      if (!closing_)
        settle_open(outcome_of(reply));
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
    settle_open(refusal_of(reply));
    break;
  }
  if (closing_) {
    auto why = outcome_of(reply);
    // A kept connection that the server found idle for too long: nothing was tried. RFC 5321 3.8
    why.what = first && messages_ > 1 ? client_verdict::untried : client_verdict::deferred;
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
  chunk_left_ = message_.size_bytes;
  state_ = state::body;
}

void client_engine::write_body(std::string_view octets) {
  if (state_ != state::body)
    throw std::logic_error("smtp client: write_body() outside of a message");
  if (data_sent_)
    return stuffing_.write(octets, output_);
  // What stands behind the chunk is read as commands.
  if (octets.size() > chunk_left_)
    throw std::logic_error("smtp client: the message is longer than its size");
  chunk_left_ -= octets.size();
  output_.append(octets);
}

void client_engine::end_body() {
  if (state_ != state::body)
    throw std::logic_error("smtp client: end_body() outside of a message");
  if (data_sent_)
    stuffing_.finish(output_);
  else if (chunk_left_ != 0)
    throw std::logic_error("smtp client: the message is shorter than its size");
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
  state_ = state::over;
}

} // namespace merpati::smtp
