#include "actors/session/smtp_policy.hpp"

#include <utility>

#include "base/ascii.hpp"
#include "base/log.hpp"

namespace merpati::session {

using runtime::task;
using verdict_kind = policy::check_verdict::kind;

namespace {

// Rates are limits: 421 4.7.0, and the session ends.
std::optional<smtp::reply> reply_for(const policy::check_verdict& verdict) {
  switch (verdict.what) {
  case verdict_kind::ok: break;
  case verdict_kind::too_fast: return smtp::reply{421, "4.7.0", policy::reply_text(verdict)};
  case verdict_kind::greylisted: return smtp::reply{451, "4.7.1", policy::reply_text(verdict)};
  }
  return std::nullopt;
}

} // namespace

task<std::optional<smtp::reply>> smtp_policy::connect() {
  auto door = services_.door();
  if (!is_mx_ || !door) {
    client_.exempt = true;
    co_return std::nullopt;
  }
  policy::connection_check check;
  check.address = io_.info().remote_address;
  auto verdict = co_await io_.ask<policy::connection_verdict>(door, std::move(check));
  if (!verdict) { // it is being started anew: mail does not wait for it
    client_.exempt = true;
    co_return std::nullopt;
  }
  client_ = std::move(*verdict);
  if (client_.admitted)
    co_return std::nullopt;
  co_return smtp::replies::limit_exceeded();
}

task<std::optional<smtp::reply>> smtp_policy::sender() {
  auto door = services_.door();
  if (!judges() || !door)
    co_return std::nullopt;
  policy::sender_check check;
  check.address = io_.info().remote_address;
  auto verdict = co_await io_.ask<policy::check_verdict>(door, std::move(check));
  co_return verdict ? reply_for(*verdict) : std::nullopt;
}

task<std::optional<smtp::reply>> smtp_policy::recipient(smtp::reverse_path sender, smtp::mailbox to) {
  auto door = services_.door();
  if (!judges() || !door)
    co_return std::nullopt;
  // Whoever is listed by mistake can still tell postmaster (RFC 5782 2.3 advises it).
  const bool for_postmaster = ascii::iequals(to.local_part, "postmaster");
  if (client_.listed && !for_postmaster) {
    log::info("smtp: {} is on list {} and is refused", io_.info().remote_address, client_.zone);
    co_return smtp::reply{550, "5.7.1", "Client address is listed at " + client_.zone};
  }
  policy::recipient_check check;
  check.address = io_.info().remote_address;
  check.sender = sender ? smtp::write_mailbox(*sender) : std::string();
  check.recipient = smtp::write_mailbox(to);
  check.trusted = client_.welcome || for_postmaster;
  auto verdict = co_await io_.ask<policy::check_verdict>(door, std::move(check));
  co_return verdict ? reply_for(*verdict) : std::nullopt;
}

task<std::optional<smtp::reply>> smtp_policy::message(std::string account, std::size_t recipients) {
  auto door = services_.door();
  if (account.empty() || !door)
    co_return std::nullopt;
  policy::send_check check;
  check.account = std::move(account);
  check.recipients = static_cast<std::uint32_t>(recipients);
  auto verdict = co_await io_.ask<policy::check_verdict>(door, std::move(check));
  co_return verdict ? reply_for(*verdict) : std::nullopt;
}

} // namespace merpati::session
