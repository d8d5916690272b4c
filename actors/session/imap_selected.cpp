// Commands about messages of the open mailbox, but for FETCH and SEARCH.
#include <algorithm>
#include <utility>

#include "actors/session/imap_service.hpp"
#include "base/ascii.hpp"
#include "protocols/imap/response_writer.hpp"

namespace merpati::session {

namespace {

storage::store_flags::mode to_storage(imap::commands::store::mode how) {
  switch (how) {
  case imap::commands::store::mode::add: return storage::store_flags::mode::add;
  case imap::commands::store::mode::remove: return storage::store_flags::mode::remove;
  case imap::commands::store::mode::replace: break;
  }
  return storage::store_flags::mode::replace;
}

std::uint32_t raw(uid id) {
  return id.value;
}

std::vector<std::uint32_t> numbers(const std::vector<uid>& ids) {
  std::vector<std::uint32_t> out(ids.size());
  std::transform(ids.begin(), ids.end(), out.begin(), raw);
  return out;
}

/// What a message's flags are after `command` if nobody else touched them.
std::pair<std::uint8_t, std::uint64_t> expected_flags(const imap::commands::store& command, std::uint64_t keywords,
                                                      const imap::message_item& before) {
  using mode = imap::commands::store::mode;
  auto system = command.flags.system;
  switch (command.how) {
  case mode::add: return {static_cast<std::uint8_t>(before.flags | system), before.keywords | keywords};
  case mode::remove: return {static_cast<std::uint8_t>(before.flags & ~system), before.keywords & ~keywords};
  case mode::replace: break;
  }
  return {system, keywords};
}

} // namespace

runtime::task<imap::reply> imap_service::serve(imap::commands::noop) {
  co_await refresh();
  report_changes(true);
  co_return imap::ok();
}

runtime::task<imap::reply> imap_service::serve(imap::commands::check) {
  co_await refresh();
  report_changes(true);
  co_return imap::ok();
}

runtime::task<imap::reply> imap_service::serve(imap::commands::unselect) {
  leave_mailbox();
  co_return imap::ok();
}

runtime::task<imap::reply> imap_service::serve(imap::commands::close) {
  if (!open_->read_only) {
    storage::expunge removal;
    removal.mailbox = open_->now->state().id;
    const auto& now = *open_->now;
    now.for_range(1, now.size(), [&](std::uint32_t, const imap::message_item& item) {
      if ((item.flags & imap::flag::deleted) != 0)
        removal.uids.push_back(item.id);
    });
    if (!removal.uids.empty()) {
      auto done = co_await commit(std::move(removal));
      if (!done)
        co_return imap::reply_for(done.error());
    }
  }
  leave_mailbox();
  co_return imap::ok();
}

runtime::task<imap::reply> imap_service::serve(imap::commands::expunge command) {
  if (open_->read_only)
    co_return imap::no("", "The mailbox is open read-only");
  co_await refresh();
  storage::expunge removal;
  removal.mailbox = open_->now->state().id;
  const auto& now = *open_->now;
  auto last = now.last_uid().value;
  now.for_range(1, now.size(), [&](std::uint32_t, const imap::message_item& item) {
    bool wanted = !command.uids || command.uids->contains(item.id.value, last);
    if (wanted && (item.flags & imap::flag::deleted) != 0)
      removal.uids.push_back(item.id);
  });
  if (removal.uids.empty()) {
    report_changes(true);
    co_return imap::ok();
  }
  auto reply = co_await change(std::move(removal));
  if (!reply.done)
    co_return imap::reply_for(reply.done.error());
  report_changes(true);
  co_return imap::ok_code(highest_modseq_code());
}

runtime::task<imap::reply> imap_service::serve(imap::commands::store command) {
  if (open_->read_only)
    co_return imap::no("", "The mailbox is open read-only");
  auto ids = resolve(command.set, command.uid);
  if (!ids)
    co_return imap::bad(ids.error().what);
  if (ids->empty())
    co_return imap::ok();
  storage::store_flags request;
  request.mailbox = open_->view->state().id;
  request.uids = *ids;
  request.how = to_storage(command.how);
  request.flags = command.flags.system;
  request.keywords = command.flags.keywords;
  if (command.unchanged_since)
    request.unchanged_since = modseq{*command.unchanged_since};
  auto reply = co_await change(std::move(request));
  if (!reply.done)
    co_return imap::reply_for(reply.done.error());
  if (!reply.now)
    co_return imap::no("NONEXISTENT", "The mailbox was deleted");

  // What this very command did is told here, or kept silent as asked; all else follows as for any change.
  const auto& now = *open_->now;
  if (now.keywords() != open_->view->keywords())
    imap::write_flags_response(now.keywords(), false, engine_.output());
  std::uint64_t keywords = 0;
  for (const auto& name : command.flags.keywords)
    keywords |= now.keyword_mask(name);
  const auto& enabled = engine_.enabled();
  const bool with_uid = command.uid || enabled.qresync;
  imap::fetch_items items;
  items.attributes = enabled.condstore ? imap::fetch_attribute::modseq : 0;
  const imap::fetch_plan silent(items, with_uid, true);
  items.attributes |= imap::fetch_attribute::flags;
  const imap::fetch_plan aloud(items, with_uid, true);
  std::vector<imap::message_item> told;
  bool gone = false; // some of them, by another session, which the client may not have heard yet
  for (auto id : *ids) {
    auto sequence = open_->view->find(id);
    auto after = now.find(id);
    gone = gone || !after;
    if (!sequence || !after)
      continue;
    const auto& item = now.at(*after);
    auto [flags, bits] = expected_flags(command, keywords, open_->view->at(*sequence));
    told.push_back(item);
    // Silence is for what the client knows anyhow; where somebody else had a hand in it, it can't know.
    if (!command.silent || item.flags != flags || item.keywords != bits)
      aloud.render_row(*sequence, item, now.keywords(), engine_.output());
    else if (enabled.condstore) // RFC 7162 3.1.3: MODSEQ is told even then
      silent.render_row(*sequence, item, now.keywords(), engine_.output());
  }
  auto state = open_->view->state();
  state.keywords = now.state().keywords;
  open_->view = open_->view->with_changed(told, std::move(state));
  report_changes(command.uid);
  if (reply.done->failed.empty() && gone)
    co_return imap::ok_code("EXPUNGEISSUED", "Some of the messages are gone"); // RFC 5530 3
  if (reply.done->failed.empty())
    co_return imap::ok();
  imap::sequence_set failed; // RFC 7162 3.1.3
  for (auto id : reply.done->failed) {
    if (command.uid)
      failed.add(id.value);
    else if (auto sequence = open_->view->find(id))
      failed.add(*sequence);
  }
  std::string code = "MODIFIED ";
  failed.write(code);
  co_return imap::ok_code(std::move(code), "Some messages were changed by others and left alone");
}

runtime::task<imap::reply> imap_service::copy_messages(imap::sequence_set set, bool uids, std::string target,
                                                       bool remove_source) {
  auto ids = resolve(set, uids);
  if (!ids)
    co_return imap::bad(ids.error().what);
  auto row = find_mailbox(target);
  if (!row)
    co_return imap::reply_for_target(row.error());
  if (ids->empty())
    co_return imap::ok();
  storage::copy_messages request;
  request.from = open_->view->state().id;
  request.to = row->id;
  request.uids = std::move(*ids);
  request.remove_source = remove_source;
  request.now = services_->clock->now();
  auto reply = co_await change(std::move(request));
  if (!reply.done)
    co_return imap::reply_for_target(reply.done.error());
  auto code = imap::copy_uid_code(reply.done->uid_validity, numbers(reply.done->uids), numbers(reply.done->new_uids));
  if (!remove_source) {
    report_changes(uids);
    co_return imap::ok_code(std::move(code));
  }
  if (!code.empty()) // RFC 6851 4.3: before the EXPUNGE responses
    imap::write_untagged(imap::ok_code(std::move(code), "Moved"), engine_.output());
  report_changes(true);
  co_return imap::ok_code(highest_modseq_code());
}

runtime::task<imap::reply> imap_service::serve(imap::commands::copy command) {
  return copy_messages(std::move(command.set), command.uid, std::move(command.mailbox), false);
}

runtime::task<imap::reply> imap_service::serve(imap::commands::move command) {
  if (open_->read_only)
    co_return imap::no("", "The mailbox is open read-only");
  auto answer = co_await copy_messages(std::move(command.set), command.uid, std::move(command.mailbox), true);
  co_return answer;
}

} // namespace merpati::session
