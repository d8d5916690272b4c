// What concerns the account as a whole: QUOTA (RFC 9208) and UNAUTHENTICATE (RFC 8437).
#include <array>
#include <vector>

#include "actors/session/imap_service.hpp"
#include "protocols/imap/response_writer.hpp"

namespace merpati::session {

namespace {

/// The one quota root that an account has, for all its mailboxes.
constexpr std::string_view account_root = "account";

/// RFC 9208 5.1: storage is counted in units of 1,024 octets. What is begun counts.
std::uint64_t units(std::uint64_t bytes) {
  return bytes / 1024 + (bytes % 1024 != 0 ? 1 : 0);
}

} // namespace

/// Only resources that have a limit are told (RFC 9208 4.2.1).
result<void> imap_service::write_account_quota() {
  auto view = services_->store->read(user_.shard);
  if (!view)
    return tl::make_unexpected(view.error());
  const auto account = view->account(user_.account);
  if (!account)
    return fail(errc::not_found, "The account is gone");
  const auto used = view->usage(user_.account);
  std::vector<imap::quota_resource> resources;
  if (account->quota_bytes != 0)
    resources.push_back({"STORAGE", units(used.bytes), units(account->quota_bytes)});
  if (account->quota_messages != 0)
    resources.push_back({"MESSAGE", used.messages, account->quota_messages});
  imap::write_quota(account_root, resources, engine_.output());
  return {};
}

runtime::task<imap::reply> imap_service::serve(imap::commands::get_quota command) {
  if (command.root != account_root)
    co_return imap::no("NONEXISTENT", "There is no such quota root");
  auto written = write_account_quota();
  report_changes(true);
  co_return written ? imap::ok() : imap::reply_for(written.error());
}

runtime::task<imap::reply> imap_service::serve(imap::commands::get_quota_root command) {
  // A mailbox need not be there for its root to be told (RFC 9208 4.1.2).
  imap::write_quota_root(command.mailbox, account_root, engine_.enabled().utf8(), engine_.output());
  auto written = write_account_quota();
  report_changes(true);
  co_return written ? imap::ok() : imap::reply_for(written.error());
}

runtime::task<imap::reply> imap_service::serve(imap::commands::unauthenticate) {
  leave_mailbox();
  user_ = {};
  io_.set_label("");
  co_return imap::ok();
}

} // namespace merpati::session
