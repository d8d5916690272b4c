#include "actors/mail/mailbox_actor.hpp"

#include <algorithm>
#include <utility>

#include "actors/runtime/stats.hpp"
#include "base/log.hpp"

namespace merpati::mail {

namespace {
struct close_if_unwatched {
  std::uint64_t since = 0; ///< value of mailbox_actor_state::emptied when the timer was set
};
} // namespace

} // namespace merpati::mail

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(merpati::mail::close_if_unwatched)

namespace merpati::mail {

namespace {

using mailbox_impl = mailbox_actor::extend<caf::reacts_to<close_if_unwatched>>;

imap::message_item to_item(const storage::message_row& row) {
  imap::message_item item;
  item.id = row.id;
  item.flags = row.flags;
  item.keywords = row.keywords;
  item.changed = row.changed;
  item.body = row.body;
  item.size_bytes = row.size_bytes;
  item.internal_date = row.internal_date;
  item.save_date = row.save_date;
  item.email = row.email;
  item.thread = row.thread;
  return item;
}

struct mailbox_actor_state {
  static inline const char* name = "mailbox";

  mailbox_settings settings;
  runtime::stats_handle stats;
  imap::snapshot_ptr now; ///< null before the first join and after the mailbox is deleted
  bool deleted = false;
  std::vector<runtime::notice_sink> members;
  std::uint64_t emptied = 0; ///< counts the moments at which the last member left

  imap::mailbox_state state_of(const storage::mailbox_row& row) const {
    imap::mailbox_state state;
    state.id = row.id;
    state.uid_validity = row.uid_validity;
    state.uid_next = row.uid_next;
    state.highest_modseq = row.highest_modseq;
    state.keywords = now && now->keywords() == row.keywords
                         ? now->state().keywords
                         : std::make_shared<const std::vector<std::string>>(row.keywords);
    return state;
  }

  /// Brings the snapshot up to what the index holds now. A failure leaves it as it was.
  result<void> catch_up() {
    if (deleted)
      return {};
    auto view = settings.store->read(settings.shard);
    if (!view)
      return tl::make_unexpected(view.error());
    auto row = view->mailbox(settings.id);
    if (!row) {
      deleted = true;
      now = nullptr;
      tell_members();
      return {};
    }
    if (!now)
      load(*view, *row);
    else if (row->highest_modseq > now->state().highest_modseq)
      apply_changes(*view, *row);
    return {};
  }

  void load(const storage::read_view& view, const storage::mailbox_row& row) {
    std::vector<imap::message_item> items;
    items.reserve(row.messages);
    view.messages(settings.id, uid{1}, uid{UINT32_MAX}, [&](const storage::message_row& message) {
      items.push_back(to_item(message));
      return true;
    });
    stats.set_label(row.name);
    now = imap::mailbox_snapshot::make(state_of(row), std::move(items));
  }

  void apply_changes(const storage::read_view& view, const storage::mailbox_row& row) {
    auto delta = view.changes_since(settings.id, now->state().highest_modseq);
    auto state = state_of(row);
    auto last_known = now->last_uid();
    std::vector<imap::message_item> changed;
    for (auto id : delta.changed) {
      if (id > last_known)
        break;
      if (auto message = view.message(settings.id, id))
        changed.push_back(to_item(*message));
    }
    std::vector<imap::message_item> added;
    if (!delta.changed.empty() && delta.changed.back() > last_known)
      view.messages(settings.id, uid{last_known.value + 1}, uid{UINT32_MAX}, [&](const storage::message_row& message) {
        added.push_back(to_item(message));
        return true;
      });
    auto next = now->with_removed(delta.expunged, state);
    if (!changed.empty())
      next = next->with_changed(changed, state);
    if (!added.empty())
      next = next->with_appended(added, state);
    now = std::move(next);
    tell_members();
  }

  void tell_members() {
    auto update = runtime::notice::of(std::make_shared<const mailbox_update>(mailbox_update{now}));
    for (const auto& member : members)
      caf::anon_send(member, update);
  }

  mailbox_reply answer(result<storage::outcome> done) {
    auto caught_up = catch_up();
    if (!caught_up && done)
      log::warning("mailbox {}: a change is stored but its new state can't be read: {}", settings.id.value,
                   caught_up.error().what);
    return mailbox_reply{std::move(done), now};
  }
};

void remove_member(mailbox_impl::stateful_pointer<mailbox_actor_state> self, const caf::actor_addr& who) {
  auto& state = self->state;
  auto gone = std::erase_if(state.members, [&](const auto& member) { return member.address() == who; });
  if (gone == 0 || !state.members.empty())
    return;
  self->delayed_send(self, state.settings.linger, close_if_unwatched{++state.emptied});
}

mailbox_impl::behavior_type run_mailbox(mailbox_impl::stateful_pointer<mailbox_actor_state> self,
                                        mailbox_settings settings) {
  auto& state = self->state;
  state.settings = std::move(settings);
  state.stats = runtime::stats_handle::add(self->id(), "mailbox", {}, state.settings.parent);
  auto writer = state.settings.store->writer(state.settings.shard);
  self->monitor(writer);
  self->send(writer, store::watch_mailbox{state.settings.id}, caf::actor_cast<store::mailbox_watcher>(self));
  self->set_down_handler([self, writer = writer.address()](const caf::down_msg& down) {
    if (down.source == writer)
      self->quit(down.reason); // a new writer does not know us: sessions open the mailbox anew
    else
      remove_member(self, down.source);
  });
  self->delayed_send(self, state.settings.linger, close_if_unwatched{0});
  return {
      [self](const join& request) {
        auto timing = self->state.stats.measure();
        auto& own = self->state;
        auto caught_up = own.catch_up();
        if (!caught_up)
          return mailbox_reply{tl::make_unexpected(caught_up.error()), nullptr};
        if (own.now) {
          self->monitor(request.session);
          own.members.push_back(request.session);
        }
        return mailbox_reply{storage::outcome{}, own.now};
      },
      [self](const leave& request) {
        auto timing = self->state.stats.measure();
        self->demonitor(request.session.address());
        remove_member(self, request.session.address());
      },
      [self](change& request) {
        auto timing = self->state.stats.measure();
        auto promise = self->make_response_promise<mailbox_reply>();
        const auto& own = self->state;
        self->request(own.settings.store->writer(own.settings.shard), caf::infinite,
                      store::commit{std::move(request.what)})
            .then(
                [self, promise](store::commit_reply& reply) mutable {
                  auto answer = self->state.answer(std::move(reply.done));
                  promise.deliver(std::move(answer));
                },
                [self, promise](const caf::error&) mutable {
                  auto answer = self->state.answer(fail(errc::unavailable, "the store's writer has ended"));
                  promise.deliver(std::move(answer));
                });
        return promise;
      },
      [self](refresh) {
        auto timing = self->state.stats.measure();
        return self->state.answer(storage::outcome{});
      },
      [self](const store::mailbox_touched&) {
        auto timing = self->state.stats.measure();
        auto& own = self->state;
        if (own.members.empty())
          return; // read when somebody joins
        if (auto caught_up = own.catch_up(); !caught_up)
          log::warning("mailbox {}: can't read its changes, will try at the next one: {}", own.settings.id.value,
                       caught_up.error().what);
      },
      [self](const close_if_unwatched& timer) {
        auto& own = self->state;
        if (own.members.empty() && timer.since == own.emptied)
          self->quit();
      },
  };
}

} // namespace

mailbox_actor spawn_mailbox(caf::actor_system& system, mailbox_settings settings) {
  return system.spawn(run_mailbox, std::move(settings));
}

} // namespace merpati::mail
