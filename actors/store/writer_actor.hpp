// The one writer of a shard: turns mutations that arrive together into one commit (group commit).
//
// owns:          the right to call shard::apply; the list of open mailboxes to tell about changes
// receives:      commit (from sessions, mailboxes, the directory), watch_mailbox (from mailbox actors), watch_waiting
//                (from the queue)
// sends:         commit_reply to whoever asked; before that mailbox_touched (open mailboxes), waiting_touched (queue)
// dies when:     told to stop; then what is in its mailbox is still committed and answered
// supervised by: the store supervisor. Blocks (fdatasync): spawned detached.
#pragma once

#include <memory>
#include <vector>

#include <caf/all.hpp>

#include "storage/mutation.hpp"
#include "storage/shard.hpp"

namespace merpati::store {

/// Carry this out and make it durable. Without a time-out: a request that timed out could still be carried out.
struct commit {
  storage::mutation change;
};

/// The answer: what happened, once it would survive a power cut.
struct commit_reply {
  result<storage::outcome> done;
};

/// From now on tell the sender (a mailbox actor) when `mailbox` changes; ends when the sender does.
struct watch_mailbox {
  mailbox_id mailbox;
};

/// Rows, counters or the name of a mailbox changed; read them again. At most one for each commit.
struct mailbox_touched {
  mailbox_id mailbox;
};

/// From now on tell the sender (the queue) when the waiting list has new rows or other due times; ends when it does.
struct watch_waiting {};

/// Rows of the waiting list of `shard` are due at `earliest` that were not before. At most one for each commit.
struct waiting_touched {
  std::uint32_t shard = 0;
  timestamp earliest;
};

} // namespace merpati::store

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(merpati::store::watch_waiting)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(merpati::store::waiting_touched)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(merpati::store::commit)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(merpati::store::commit_reply)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(merpati::store::watch_mailbox)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(merpati::store::mailbox_touched)

namespace merpati::store {

/// What the writer tells an open mailbox.
using mailbox_watcher = caf::typed_actor<caf::reacts_to<mailbox_touched>>;

/// What the writer tells the queue.
using waiting_watcher = caf::typed_actor<caf::reacts_to<waiting_touched>>;

using writer_actor =
    caf::typed_actor<caf::replies_to<commit>::with<commit_reply>, caf::reacts_to<watch_mailbox, mailbox_watcher>,
                     caf::reacts_to<watch_waiting, waiting_watcher>>;

/// Spawns the writer of `shard`, which is the node's shard `number`. `detached` is false under the testing scheduler
/// only.
writer_actor spawn_writer(caf::actor_system& system, std::shared_ptr<storage::shard> shard, bool detached,
                          std::uint32_t number = 0);

} // namespace merpati::store
