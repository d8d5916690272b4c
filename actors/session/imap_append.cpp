// APPEND and REPLACE: messages from the client into one of its mailboxes.
#include <utility>

#include "actors/session/imap_service.hpp"
#include "protocols/imap/response_writer.hpp"

namespace merpati::session {

void imap_service::refuse_append(const imap::reply& answer) {
  append_.reset();
  engine_.refuse_append(answer);
}

result<uid> imap_service::replaced_message(const imap::commands::replaced_message& named) const {
  const auto& view = *open_->view;
  if (named.number == 0 && view.size() > 0)
    return view.at(view.size()).id;
  if (!named.uid && (named.number == 0 || named.number > view.size()))
    return fail(errc::invalid, "there is no message with that sequence number");
  if (named.uid && !view.find(uid{named.number}))
    return fail(errc::not_found, "there is no message with that UID");
  return named.uid ? uid{named.number} : view.at(named.number).id;
}

runtime::task<void> imap_service::begin_append(imap::commands::append command) {
  auto row = find_mailbox(command.mailbox);
  if (!row) {
    refuse_append(imap::reply_for_target(row.error()));
    co_return;
  }
  append_.emplace();
  append_->mailbox = row->id;
  if (command.replaces) { // RFC 8508 3.3
    auto replaced = replaced_message(*command.replaces);
    if (open_->read_only || !replaced) {
      refuse_append(open_->read_only                           ? imap::no("READ-ONLY", "The mailbox is open read-only")
                    : replaced.error().code == errc::not_found ? imap::no("NONEXISTENT", replaced.error().what)
                                                               : imap::bad(replaced.error().what));
      co_return;
    }
    append_->whole.replaced_in = open_->view->state().id;
    append_->whole.replaced = *replaced;
  }
  start_message(std::move(command));
}

void imap_service::start_message(imap::commands::append command) {
  if (auto admitted = services_->store->shard(user_.shard).admits(command.size_bytes); !admitted)
    return refuse_append(imap::reply_for(admitted.error()));
  storage::target target;
  target.account = user_.account;
  target.mailbox = append_->mailbox;
  target.flags = command.flags.system;
  target.keywords = std::move(command.flags.keywords);
  append_->target = std::move(target);
  append_->internal_date = command.internal_date;
  append_->intake.emplace(*services_->store, user_.shard,
                          append_->held_bytes > append_memory_bytes ? to_disk_ : services_->intake);
  engine_.accept_append();
}

runtime::task<void> imap_service::next_append(imap::commands::append command) {
  auto completed = co_await complete_message();
  if (completed)
    start_message(std::move(command));
  else
    refuse_append(imap::reply_for(completed.error()));
}

runtime::task<void> imap_service::append_octets(std::string_view octets) {
  append_->intake->add(octets);
  if (!append_->intake->wants_flush())
    co_return;
  auto flushed = co_await append_->intake->flush(io_);
  if (!flushed)
    refuse_append(imap::reply_for(flushed.error()));
}

runtime::task<result<void>> imap_service::complete_message() {
  auto taken = co_await append_->intake->finish(io_);
  append_->intake.reset();
  if (!taken)
    co_return tl::unexpected(taken.error());
  if (taken->spool)
    append_->kept.push_back(std::move(taken->spool));
  else
    append_->held_bytes += taken->size_bytes();
  auto& message = append_->whole.messages.emplace_back();
  message.body = std::move(taken->body);
  message.fronts = std::move(taken->fronts);
  message.thread_key = taken->thread_key;
  message.now = services_->clock->now();
  message.internal_date = append_->internal_date.value_or(message.now);
  message.targets.push_back(std::move(append_->target));
  co_return result<void>();
}

runtime::task<imap::reply> imap_service::end_append() {
  auto completed = co_await complete_message();
  auto appended = std::exchange(append_, std::nullopt);
  if (!completed)
    co_return imap::reply_for(completed.error());
  const bool replaces = static_cast<bool>(appended->whole.replaced_in);
  result<storage::outcome> done;
  if (replaces) { // the mailbox is open: its actor makes all changes
    auto changed = co_await change(std::move(appended->whole));
    done = std::move(changed.done);
  } else {
    done = co_await commit(std::move(appended->whole));
  }
  if (!done)
    co_return imap::reply_for_target(done.error());
  imap::sequence_set ids;
  for (const auto& place : done->places)
    ids.add(place.id.value);
  auto code = imap::append_uid_code(done->places.front().uid_validity, ids);
  if (replaces) { // RFC 8508 3.4: told before EXPUNGE, so that the client knows the new one before the old one goes
    engine_.output() += "* OK [" + code + "] Replacement is there\r\n";
  }
  if (open_ && (replaces || open_->now->state().id == appended->mailbox)) {
    co_await refresh();
    report_changes(true); // RFC 9051 6.3.12: EXISTS at once when it is the selected one
    if (replaces)
      code = highest_modseq_code();
  }
  co_return imap::ok_code(std::move(code));
}

} // namespace merpati::session
