// SELECT, EXAMINE and the commands about mailboxes as a whole.
#include <algorithm>
#include <unordered_set>
#include <utility>

#include "actors/session/imap_service.hpp"
#include "protocols/imap/list_pattern.hpp"
#include "protocols/imap/response_writer.hpp"

namespace merpati::session {

namespace {

std::uint32_t uid_validity_from(timestamp now) {
  // RFC 9051 2.3.1.1 suggests the time; the store raises it where it was used before.
  return static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count());
}

error no_such_mailbox() {
  return {errc::not_found, "There is no mailbox of that name"};
}

std::vector<imap::listed_mailbox> listed(const storage::read_view& view, account_id account) {
  std::vector<imap::listed_mailbox> all;
  auto subscriptions = view.subscriptions(account);
  std::unordered_set<std::string_view> subscribed(subscriptions.begin(), subscriptions.end());
  for (auto& row : view.mailboxes(account)) {
    imap::listed_mailbox one;
    one.subscribed = subscribed.erase(row.name) != 0;
    one.name = std::move(row.name);
    one.special_use = row.special_use;
    all.push_back(std::move(one));
  }
  for (const auto& name : subscriptions) {
    if (!subscribed.contains(name))
      continue;
    imap::listed_mailbox gone;
    gone.name = name;
    gone.exists = false;
    gone.subscribed = true;
    all.push_back(std::move(gone));
  }
  return all;
}

} // namespace

imap::status_values imap_service::status_of(const storage::read_view& view, const storage::mailbox_row& row,
                                            std::uint32_t items) const {
  imap::status_values values;
  values.messages = row.messages;
  values.uid_next = row.uid_next.value;
  values.uid_validity = row.uid_validity;
  values.unseen = row.unseen;
  values.deleted = row.deleted;
  values.size_bytes = row.size_bytes;
  values.highest_modseq = row.highest_modseq.value;
  values.mailbox_id = row.id.value;
  values.append_limit_bytes = services_->limits.message_bytes;
  if ((items & imap::status_item::deleted_storage) != 0 && row.deleted != 0)
    view.messages(row.id, uid{1}, uid{UINT32_MAX}, [&](const storage::message_row& message) {
      if ((message.flags & imap::flag::deleted) != 0)
        values.deleted_bytes += message.size_bytes;
      return true;
    });
  return values;
}

result<storage::mailbox_row> imap_service::find_mailbox(const std::string& name) const {
  auto view = services_->store->read(user_.shard);
  if (!view)
    return tl::make_unexpected(view.error());
  auto row = view->mailbox(user_.account, name);
  if (!row)
    return tl::make_unexpected(no_such_mailbox());
  return std::move(*row);
}

runtime::task<result<storage::outcome>> imap_service::commit(storage::mutation what) {
  store::commit request;
  request.change = std::move(what);
  auto reply = co_await io_.ask<store::commit_reply>(services_->store->writer(user_.shard), std::move(request));
  if (!reply)
    co_return tl::make_unexpected(reply.error());
  co_return std::move(reply->done);
}

runtime::task<imap::reply> imap_service::serve(imap::commands::select command) {
  leave_mailbox(); // the engine has told the client so
  auto row = find_mailbox(command.mailbox);
  if (!row)
    co_return imap::reply_for(row.error());
  mail::find_mailbox question;
  question.shard = user_.shard;
  question.id = row->id;
  auto found = co_await io_.ask<mail::found_mailbox>(services_->mailboxes(), question);
  if (!found)
    co_return imap::reply_for(found.error());
  mail::join request;
  request.session = io_.self();
  auto joined = co_await io_.ask<mail::mailbox_reply>(found->mailbox, std::move(request));
  if (!joined)
    co_return imap::reply_for(joined.error());
  if (!joined->done)
    co_return imap::reply_for(joined->done.error());
  if (!joined->now)
    co_return imap::reply_for(error{errc::not_found, "The mailbox was deleted this moment"});
  open_mailbox opened;
  opened.name = std::move(command.mailbox);
  opened.read_only = command.read_only;
  opened.actor = std::move(found->mailbox);
  opened.view = joined->now;
  opened.now = std::move(joined->now);
  open_ = std::move(opened);
  const auto& enabled = engine_.enabled();
  imap::write_select_responses(*open_->view, open_->name, open_->read_only, enabled.imap4rev2, enabled.utf8(),
                               enabled.condstore || command.condstore, engine_.output());
  if (command.known)
    if (auto told = resynchronise(*command.known); !told) {
      leave_mailbox();
      co_return imap::reply_for(told.error());
    }
  co_return imap::ok_code(command.read_only ? "READ-ONLY" : "READ-WRITE");
}

/// RFC 7162 3.2.5: what changed since the client was here last. Where UIDs are not the same any more, nothing.
result<void> imap_service::resynchronise(const imap::commands::known_mailbox& known) {
  const auto& view = *open_->view;
  if (known.uid_validity != view.state().uid_validity)
    return {};
  imap::sequence_set all;
  all.add(imap::number_range{1, UINT32_MAX});
  const auto& among = known.uids ? *known.uids : all;
  if (auto told = tell_vanished(modseq{known.modseq}, among); !told)
    return told;
  imap::fetch_items items;
  items.attributes = imap::fetch_attribute::uid | imap::fetch_attribute::flags | imap::fetch_attribute::modseq;
  const imap::fetch_plan plan(std::move(items), true, true);
  view.for_range(1, view.size(), [&](std::uint32_t sequence, const imap::message_item& item) {
    if (item.changed.value > known.modseq && among.contains(item.id.value, UINT32_MAX))
      plan.render_row(sequence, item, view.keywords(), engine_.output());
  });
  return {};
}

runtime::task<imap::reply> imap_service::serve(imap::commands::create command) {
  storage::create_mailbox creation;
  creation.account = user_.account;
  creation.name = std::move(command.mailbox);
  creation.special_use = command.special_use;
  creation.uid_validity = uid_validity_from(services_->clock->now());
  auto done = co_await commit(std::move(creation));
  if (!done)
    co_return imap::reply_for(done.error());
  std::string code = "MAILBOXID ("; // RFC 8474 4.1
  imap::write_object_id('F', done->mailbox.value, code);
  code += ')';
  co_return imap::ok_code(std::move(code));
}

runtime::task<imap::reply> imap_service::serve(imap::commands::delete_mailbox command) {
  auto row = find_mailbox(command.mailbox);
  if (!row)
    co_return imap::reply_for(row.error());
  storage::delete_mailbox deletion;
  deletion.mailbox = row->id;
  bool own = open_ && open_->now->state().id == row->id;
  auto done = co_await commit(deletion);
  if (!done)
    co_return imap::reply_for(done.error());
  if (own) {
    leave_mailbox();
    engine_.mailbox_closed();
  }
  co_return imap::ok();
}

runtime::task<imap::reply> imap_service::serve(imap::commands::rename command) {
  auto row = find_mailbox(command.from);
  if (!row)
    co_return imap::reply_for(row.error());
  storage::rename_mailbox renaming;
  renaming.mailbox = row->id;
  renaming.new_name = std::move(command.to);
  renaming.uid_validity = uid_validity_from(services_->clock->now());
  auto done = co_await commit(std::move(renaming));
  if (!done)
    co_return imap::reply_for(done.error());
  co_await refresh(); // renaming INBOX moves its messages away (RFC 9051 6.3.6)
  report_changes(true);
  co_return imap::ok();
}

runtime::task<imap::reply> imap_service::set_subscription(std::string name, bool on) {
  storage::subscribe subscription;
  subscription.account = user_.account;
  subscription.name = std::move(name);
  subscription.on = on;
  auto done = co_await commit(std::move(subscription));
  co_return done ? imap::ok() : imap::reply_for(done.error());
}

runtime::task<imap::reply> imap_service::serve(imap::commands::subscribe command) {
  return set_subscription(std::move(command.mailbox), true);
}

runtime::task<imap::reply> imap_service::serve(imap::commands::unsubscribe command) {
  return set_subscription(std::move(command.mailbox), false);
}

runtime::task<imap::reply> imap_service::serve(imap::commands::list command) {
  if (command.patterns.size() == 1 && command.patterns.front().empty()) {
    imap::write_list_delimiter(false, engine_.output()); // RFC 9051 6.3.9
    co_return imap::ok();
  }
  auto view = services_->store->read(user_.shard);
  if (!view)
    co_return imap::reply_for(view.error());
  bool utf8 = engine_.enabled().utf8();
  auto style = imap::style_of(command, utf8);
  bool with_status = (command.returns & imap::list_return::status) != 0;
  for (const auto& entry : imap::select_list(command, listed(*view, user_.account))) {
    imap::write_list(entry, style, engine_.output());
    if (!with_status || !entry.exists || !entry.selectable)
      continue;
    if (auto row = view->mailbox(user_.account, entry.name)) // RFC 5819
      imap::write_status(entry.name, command.status_items, status_of(*view, *row, command.status_items), utf8,
                         engine_.output());
  }
  co_return imap::ok();
}

runtime::task<imap::reply> imap_service::serve(imap::commands::lsub command) {
  if (command.pattern.empty()) {
    imap::write_list_delimiter(true, engine_.output());
    co_return imap::ok();
  }
  auto view = services_->store->read(user_.shard);
  if (!view)
    co_return imap::reply_for(view.error());
  imap::list_style style;
  style.lsub = true;
  style.utf8 = engine_.enabled().utf8();
  for (const auto& entry : imap::select_lsub(command, listed(*view, user_.account)))
    imap::write_list(entry, style, engine_.output());
  co_return imap::ok();
}

runtime::task<imap::reply> imap_service::serve(imap::commands::status command) {
  auto view = services_->store->read(user_.shard);
  if (!view)
    co_return imap::reply_for(view.error());
  const auto row = view->mailbox(user_.account, command.mailbox);
  if (!row)
    co_return imap::reply_for(no_such_mailbox());
  imap::write_status(command.mailbox, command.items, status_of(*view, *row, command.items), engine_.enabled().utf8(),
                     engine_.output());
  report_changes(true);
  co_return imap::ok();
}

} // namespace merpati::session
