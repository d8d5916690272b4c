// A mailbox that somebody has open: the one place where its changes are put in order and told to all who watch.
//
// owns:          the present snapshot of the mailbox
// receives:      join, leave, change, refresh (from sessions), mailbox_touched (from the writer)
// sends:         commit (to the writer), mailbox_update notices (to sessions)
// dies when:     nobody has had it open for a minute, the mailbox is deleted, or its writer ends
// supervised by: the mailboxes actor. Reads the index (memory-mapped), never waits for the disk's writes.
#pragma once

#include <chrono>
#include <memory>
#include <vector>

#include <caf/all.hpp>

#include "actors/runtime/messages.hpp"
#include "actors/store/node_store.hpp"
#include "base/result.hpp"
#include "protocols/imap/mailbox_snapshot.hpp"
#include "storage/mutation.hpp"

namespace merpati::mail {

/// Notice to every session that joined: the mailbox changed. `now` null: it was deleted.
struct mailbox_update {
  imap::snapshot_ptr now;
};

/// Open the mailbox for `session`: answers the snapshot; updates follow as notices until `leave` or its end.
struct join {
  runtime::notice_sink session;
};
struct leave {
  runtime::notice_sink session;
};

/// Carry out a mutation that concerns this mailbox; answered when it is durable and in the snapshot.
struct change {
  storage::mutation what;
};
/// Answer a snapshot that holds everything that was answered to anybody before this was asked.
struct refresh {};

struct mailbox_reply {
  result<storage::outcome> done; ///< of `change`; empty outcome otherwise
  imap::snapshot_ptr now;        ///< null: the mailbox is gone
};

} // namespace merpati::mail

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(merpati::mail::join)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(merpati::mail::leave)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(merpati::mail::change)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(merpati::mail::refresh)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(merpati::mail::mailbox_reply)

namespace merpati::mail {

using mailbox_actor =
    caf::typed_actor<caf::replies_to<join>::with<mailbox_reply>, caf::reacts_to<leave>,
                     caf::replies_to<change>::with<mailbox_reply>, caf::replies_to<refresh>::with<mailbox_reply>,
                     caf::reacts_to<store::mailbox_touched>>;

struct mailbox_settings {
  std::shared_ptr<const store::node_store> store;
  std::uint32_t shard = 0;
  mailbox_id id;
  /// How long an unwatched mailbox stays open: a client that reconnects finds it warm.
  std::chrono::seconds linger{60};
  std::uint64_t parent = 0; ///< actor id shown as its parent
};

mailbox_actor spawn_mailbox(caf::actor_system& system, mailbox_settings settings);

} // namespace merpati::mail
