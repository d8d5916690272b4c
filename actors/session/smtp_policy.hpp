// What the policy at the door means for one SMTP session: asks the door actor and turns its verdicts into replies.
// Submission and LMTP are for users and for servers of ours; only an MX judges strangers.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "actors/runtime/session.hpp"
#include "actors/session/services.hpp"
#include "protocols/smtp/server_engine.hpp"

namespace merpati::session {

class smtp_policy {
public:
  /// Both outlive this.
  smtp_policy(runtime::session_io& io, const services& services, smtp::server_kind kind)
      : io_(io), services_(services), is_mx_(kind == smtp::server_kind::mx) {}

  /// Before the greeting, and again when the client turns out to be another. A reply: say that and close.
  runtime::task<std::optional<smtp::reply>> connect();
  /// How long the greeting is held back.
  std::chrono::milliseconds greet_pause() const noexcept { return client_.greet_pause; }
  /// The client's name as DNS confirms it; empty: unknown.
  const std::string& client_name() const noexcept { return client_.name; }
  /// What one that speaks for the client knows of it.
  void set_client_name(std::string name) { client_.name = std::move(name); }

  /// MAIL.
  runtime::task<std::optional<smtp::reply>> sender();
  /// RCPT, for a recipient that would be taken.
  runtime::task<std::optional<smtp::reply>> recipient(smtp::reverse_path sender, smtp::mailbox to);
  /// The first octets of a message of somebody who has logged in.
  runtime::task<std::optional<smtp::reply>> message(std::string account, std::size_t recipients);

private:
  bool judges() const noexcept { return is_mx_ && !client_.exempt; }

  runtime::session_io& io_;
  const services& services_;
  bool is_mx_;
  policy::connection_verdict client_;
};

} // namespace merpati::session
