// APPEND: a message from the client into one of its mailboxes.
#include <utility>

#include "actors/session/imap_service.hpp"
#include "protocols/imap/response_writer.hpp"

namespace merpati::session {

runtime::task<void> imap_service::begin_append(imap::commands::append command) {
  auto row = find_mailbox(command.mailbox);
  if (!row) {
    engine_.refuse_append(imap::reply_for_target(row.error()));
    co_return;
  }
  if (auto admitted = services_->store->shard(user_.shard).admits(command.size_bytes); !admitted) {
    engine_.refuse_append(imap::reply_for(admitted.error()));
    co_return;
  }
  storage::target target;
  target.account = user_.account;
  target.mailbox = row->id;
  target.flags = command.flags.system;
  target.keywords = std::move(command.flags.keywords);
  append_.emplace(append_state{std::move(target), command.internal_date,
                               mail::message_intake(*services_->store, user_.shard, services_->intake)});
  engine_.accept_append();
}

runtime::task<void> imap_service::append_octets(std::string_view octets) {
  append_->intake.add(octets);
  if (!append_->intake.wants_flush())
    co_return;
  auto flushed = co_await append_->intake.flush(io_);
  if (!flushed) {
    append_.reset();
    engine_.refuse_append(imap::reply_for(flushed.error()));
  }
}

runtime::task<imap::reply> imap_service::end_append() {
  auto taken = co_await append_->intake.finish(io_);
  auto target = std::move(append_->target);
  auto date = append_->internal_date;
  append_.reset();
  if (!taken)
    co_return imap::reply_for(taken.error());
  storage::add_message message;
  message.body = std::move(taken->body);
  message.fronts = std::move(taken->fronts);
  message.thread_key = taken->thread_key;
  message.now = services_->clock->now();
  message.internal_date = date.value_or(message.now);
  auto mailbox = target.mailbox;
  message.targets.push_back(std::move(target));
  auto done = co_await commit(std::move(message));
  if (!done)
    co_return imap::reply_for_target(done.error());
  const auto& place = done->places.front();
  if (open_ && open_->now->state().id == mailbox) {
    co_await refresh();
    report_changes(true); // RFC 9051 6.3.12: EXISTS at once when it is the selected one
  }
  co_return imap::ok_code(imap::append_uid_code(place.uid_validity, place.id.value));
}

} // namespace merpati::session
