#include "actors/mail/mailboxes_actor.hpp"

#include <map>
#include <unordered_map>
#include <utility>

#include "actors/runtime/stats.hpp"

namespace merpati::mail {

namespace {

struct mailboxes_state {
  static inline const char* name = "mailboxes";

  using place = std::pair<std::uint32_t, mailbox_id>; ///< shard and mailbox

  std::shared_ptr<const store::node_store> store;
  runtime::stats_handle stats;
  std::map<place, mailbox_actor> open;
  std::unordered_map<caf::actor_id, place> places; ///< where in `open` an actor is
  std::unordered_map<account_id, caf::actor_id> locks;
  std::unordered_map<caf::actor_id, account_id> holders; ///< the lock that a session holds

  void forget(caf::actor_id who) {
    if (auto it = places.find(who); it != places.end()) {
      open.erase(it->second);
      places.erase(it);
    }
    unlock(who);
  }

  void unlock(caf::actor_id who) {
    if (auto it = holders.find(who); it != holders.end()) {
      locks.erase(it->second);
      holders.erase(it);
    }
  }
};

mailboxes_actor::behavior_type run_mailboxes(mailboxes_actor::stateful_pointer<mailboxes_state> self,
                                             std::shared_ptr<const store::node_store> store) {
  self->state.store = std::move(store);
  self->state.stats = runtime::stats_handle::add(self->id(), "mailboxes");
  self->set_down_handler([self](const caf::down_msg& down) { self->state.forget(down.source.id()); });
  return {
      [self](const find_mailbox& request) {
        auto timing = self->state.stats.measure();
        mailboxes_state::place place(request.shard, request.id);
        auto& entry = self->state.open[place];
        if (!entry) {
          mailbox_settings settings;
          settings.store = self->state.store;
          settings.shard = request.shard;
          settings.id = request.id;
          settings.parent = self->id();
          entry = spawn_mailbox(self->system(), std::move(settings));
          self->state.places.emplace(entry.id(), place);
          self->monitor(entry);
        }
        return found_mailbox{entry};
      },
      [self](const lock_maildrop& request) {
        auto timing = self->state.stats.measure();
        auto session = request.session.id();
        auto [lock, taken] = self->state.locks.try_emplace(request.account, session);
        if (taken) {
          self->state.holders.emplace(session, request.account);
          self->monitor(request.session);
        }
        return lock_reply{lock->second == session};
      },
  };
}

} // namespace

mailboxes_actor spawn_mailboxes(caf::actor_system& system, std::shared_ptr<const store::node_store> store) {
  return system.spawn(run_mailboxes, std::move(store));
}

} // namespace merpati::mail
