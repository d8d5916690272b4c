// A POP3 engine with a small world around it: alice/secret has the three messages below, bob/secret has none, user
// "busy" is in use, user "down" is a temporary failure, user "stuck"/secret has alice's mail but deleting and reading
// fail.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "protocols/pop3/server_engine.hpp"
#include "tests/support/scram_user.hpp"
#include "tests/support/transcript.hpp"

namespace merpati::test {

class pop3_conversation : public conversation {
public:
  explicit pop3_conversation(pop3::server_options options) : engine_(std::move(options)) {}

  std::string start() override {
    engine_.start();
    return feed({});
  }

  std::string feed(std::string_view octets) override {
    const auto buffer = std::make_unique<char[]>(octets.size());
    std::copy(octets.begin(), octets.end(), buffer.get());
    engine_.feed({buffer.get(), octets.size()});
    while (!waiting_)
      std::visit([this](auto& s) { on(s); }, *std::make_unique<pop3::step>(engine_.next()));
    waiting_ = closed_;
    return std::exchange(sent_, {}) + engine_.take_output();
  }

  bool closed() const override { return closed_; }
  const std::vector<std::string>& events() const override { return events_; }
  pop3::server_engine& engine() { return engine_; }

  static const std::vector<std::string>& messages() {
    static const std::vector<std::string> all{
        "Subject: one\r\n\r\nHello\r\n.dot\r\n..two\r\n.\r\nend\r\n",
        "Subject: two\r\nFrom: a@example.net\r\n\r\n",
        "Subject: three\r\n\r\nno end of line",
    };
    return all;
  }

private:
  void on(pop3::need_input&) { waiting_ = true; }
  void on(pop3::close&) { waiting_ = closed_ = true; }
  void on(pop3::send_output&) { sent_ += engine_.take_output(); }
  void on(pop3::start_tls&) {
    events_.emplace_back("tls");
    engine_.tls_started();
  }
  void on(pop3::login& l) {
    events_.push_back("login " + l.user + (l.authzid.empty() ? "" : " as " + l.authzid));
    user_ = l.user;
    if (l.user == "busy")
      engine_.login_refused(pop3::failure::in_use);
    else if (l.user == "down")
      engine_.login_refused(pop3::failure::temporary);
    else if (l.password != "secret" && l.password != " sec ret ")
      engine_.login_refused(pop3::failure::bad_credentials);
    else
      engine_.login_accepted(maildrop());
  }
  void on(pop3::scram_lookup& s) {
    events_.push_back("keys of " + s.user);
    if (s.user == "down")
      engine_.login_refused(pop3::failure::temporary);
    else
      engine_.scram_keys(keys_of(s.user));
  }
  void on(pop3::scram_proven& s) {
    events_.push_back("proven " + s.user);
    user_ = s.user;
    engine_.login_accepted(maildrop());
  }
  std::vector<pop3::maildrop_entry> maildrop() const {
    std::vector<pop3::maildrop_entry> out;
    if (user_ != "bob")
      for (const auto& m : messages())
        out.push_back({m.size(), "id-" + std::to_string(out.size() + 1)});
    return out;
  }
  void on(pop3::retrieve& r) {
    if (user_ == "stuck") {
      engine_.retrieve_refused(pop3::failure::temporary);
      return;
    }
    engine_.retrieve_accepted();
    for (char c : messages()[r.index])
      if (!engine_.body({&c, 1}))
        break;
    engine_.body_end();
  }
  void on(pop3::commit& c) {
    std::string event = "commit";
    for (auto index : c.deleted)
      event += ' ' + std::to_string(index);
    events_.push_back(event);
    if (user_ == "stuck")
      engine_.commit_failed(pop3::failure::temporary);
    else
      engine_.committed();
  }

  pop3::server_engine engine_;
  std::string sent_;
  std::string user_;
  std::vector<std::string> events_;
  bool waiting_ = false;
  bool closed_ = false;
};

} // namespace merpati::test
