// An SMTP engine with a small world around it, for transcripts, tables and fuzzing: who exists and what is refused is
// in the addresses, so that a transcript can be read alone.
//
//   <refused@...> as sender       550 5.7.1           <busy@...>      as sender       452 4.3.1
//   <alice@example.org>, <bob@example.org>, <postmaster>  accepted
//   <full@example.org>            452 4.2.2           <down@example.org>              451 4.3.0
//   other local parts at example.org  550 5.1.1       other domains   550 5.7.1 (accepted once authenticated)
//   sender <shut@...>             421 4.3.2 at DATA    a message with "X-Refuse"       550 5.7.1 at its end
//   XCLIENT for 192.0.2.66        550 5.7.0           other clients are taken over
//   alice/secret authenticates, and user/pencil by SCRAM; user "down" is a temporary failure, everything else fails
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/crypto.hpp"
#include "protocols/smtp/server_engine.hpp"
#include "tests/support/scram_user.hpp"
#include "tests/support/transcript.hpp"

namespace merpati::test {

class smtp_conversation : public conversation {
public:
  explicit smtp_conversation(smtp::server_options options) : engine_(std::move(options)) {}

  std::string start() override {
    engine_.start();
    return feed({});
  }

  std::string feed(std::string_view octets) override {
    // A buffer of its own, gone afterwards: a view that is kept too long shows under AddressSanitizer.
    const auto buffer = std::make_unique<char[]>(octets.size());
    std::copy(octets.begin(), octets.end(), buffer.get());
    engine_.feed({buffer.get(), octets.size()});
    while (!waiting_)
      std::visit([this](auto& s) { on(s); }, *std::make_unique<smtp::step>(engine_.next()));
    waiting_ = closed_;
    return engine_.take_output();
  }

  bool closed() const override { return closed_; }
  const std::vector<std::string>& events() const override { return events_; }
  smtp::server_engine& engine() { return engine_; }

private:
  void on(smtp::need_input&) { waiting_ = true; }
  void on(smtp::close&) { waiting_ = closed_ = true; }
  void on(smtp::start_tls&) {
    events_.emplace_back("tls");
    engine_.tls_started();
  }
  void on(smtp::authenticate& a) {
    events_.push_back("auth " + a.authcid + (a.authzid.empty() ? "" : " as " + a.authzid));
    if (a.authcid == "down")
      engine_.authenticated(smtp::auth_outcome::temporary);
    else
      engine_.authenticated(a.authcid == "alice" && a.password == "secret" ? smtp::auth_outcome::success
                                                                           : smtp::auth_outcome::failure);
  }
  void on(smtp::scram_lookup& s) {
    events_.push_back("keys of " + s.username);
    if (s.username == "down")
      engine_.authenticated(smtp::auth_outcome::temporary);
    else
      engine_.scram_keys(keys_of(s.username));
  }
  void on(smtp::scram_proven& s) {
    events_.push_back("proven " + s.username + (s.authzid.empty() ? "" : " as " + s.authzid));
    engine_.authenticated(s.authzid.empty() ? smtp::auth_outcome::success : smtp::auth_outcome::failure);
  }
  void on(smtp::client_claim& c) {
    const auto address = c.claim.addr ? c.claim.addr->value : std::string();
    const auto login = c.claim.login ? c.claim.login->value : std::string();
    events_.push_back("client " + address + (login.empty() ? "" : " is " + login));
    if (address == "192.0.2.66")
      engine_.refuse({550, "5.7.0", "Not for this client"});
    else
      engine_.speaks_for(!login.empty());
  }
  void on(smtp::unknown_command& u) {
    events_.push_back("unknown " + u.line);
    if (u.line.starts_with("XODD"))
      engine_.refuse({502, "5.5.1", "Odd"});
    else
      engine_.accept();
  }
  void on(smtp::mail_from& m) {
    const auto local = m.sender ? m.sender->local_part : std::string();
    if (local == "refused")
      engine_.refuse({550, "5.7.1", "Sender refused"});
    else if (local == "busy")
      engine_.refuse(smtp::replies::storage_full());
    else
      engine_.accept();
  }
  void on(smtp::rcpt_to& r) {
    const auto& box = r.recipient;
    if (!box.is_bare_postmaster() && box.domain != "example.org") {
      if (engine_.is_authenticated())
        engine_.accept();
      else
        engine_.refuse(smtp::replies::relay_refused());
    } else if (box.is_bare_postmaster() || box.local_part == "alice" || box.local_part == "bob") {
      engine_.accept();
    } else if (box.local_part == "full") {
      engine_.refuse(smtp::replies::mailbox_over_quota());
    } else if (box.local_part == "down") {
      engine_.refuse(smtp::reply_for(errc::unavailable));
    } else {
      engine_.refuse(smtp::replies::unknown_user());
    }
  }
  void on(smtp::data_begin& d) {
    if (d.envelope->sender && d.envelope->sender->local_part == "shut") {
      engine_.refuse(smtp::replies::shutting_down());
      return;
    }
    message_.clear();
    engine_.accept();
  }
  void on(smtp::data_chunk& c) { message_.append(c.octets); }
  void on(smtp::data_end& d) {
    auto event = "message " + smtp::write_path(d.envelope->sender) + " ->";
    for (const auto& to : d.envelope->recipients)
      event += ' ' + smtp::write_path(to.address) + describe(to.parameters);
    event += describe(d.envelope->parameters);
    event += d.found.saw_8bit ? " (8bit)" : "";
    event += d.found.saw_nul ? " (nul)" : "";
    events_.push_back(event);
    events_.push_back("data " + message_);
    const bool unchanged = engine_.options().bare_newlines == smtp::bare_newlines::refuse;
    if (unchanged && d.found.size_bytes != message_.size())
      events_.push_back("size is wrong: " + std::to_string(d.found.size_bytes));
    if (message_.find("X-Refuse") != std::string::npos)
      engine_.refuse({550, "5.7.1", "Message refused"});
    else if (engine_.options().kind == smtp::server_kind::lmtp)
      answer_each(d.envelope->recipients);
    else
      engine_.accept("queued as 1");
  }
  // Over LMTP bob's mailbox became full meanwhile.
  void answer_each(const std::vector<smtp::recipient>& recipients) {
    std::vector<smtp::reply> replies;
    for (const auto& to : recipients)
      replies.push_back(to.address.local_part == "bob" ? smtp::replies::mailbox_over_quota()
                                                       : smtp::reply{250, "2.0.0", "Ok"});
    engine_.answer_each(replies);
  }

  static std::string describe(const smtp::rcpt_parameters& p) {
    std::string out;
    if (p.notify != 0)
      out += " NOTIFY=" + std::to_string(p.notify);
    if (!p.original_type.empty())
      out += " ORCPT=" + p.original_type + ';' + p.original_recipient;
    return out;
  }
  static std::string describe(const smtp::mail_parameters& p) {
    std::string out;
    if (p.size_bytes)
      out += " SIZE=" + std::to_string(*p.size_bytes);
    if (p.body != smtp::body_type::seven_bit)
      out += p.body == smtp::body_type::binary ? " BINARYMIME" : " 8BITMIME";
    if (p.utf8)
      out += " SMTPUTF8";
    if (p.auth)
      out += " AUTH=<" + *p.auth + '>';
    if (p.returned)
      out += *p.returned == smtp::returned_part::full ? " RET=FULL" : " RET=HDRS";
    if (!p.envelope_id.empty())
      out += " ENVID=" + p.envelope_id;
    if (p.require_tls)
      out += " REQUIRETLS";
    if (p.priority)
      out += " MT-PRIORITY=" + std::to_string(*p.priority);
    if (p.deliver)
      out += " BY=" + std::to_string(p.deliver->within.count()) + (p.deliver->return_late ? ";R" : ";N")
             + (p.deliver->trace ? "T" : "");
    return out;
  }

  void on(smtp::data_aborted&) { events_.emplace_back("aborted"); }

  smtp::server_engine engine_;
  std::string message_;
  std::vector<std::string> events_;
  bool waiting_ = false;
  bool closed_ = false;
};

} // namespace merpati::test
