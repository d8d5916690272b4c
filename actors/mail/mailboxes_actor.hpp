// Knows which mailboxes are open, opens them, and lends maildrops to one POP3 session at a time.
//
// owns:          the table of open mailboxes and of locked maildrops
// receives:      find_mailbox, lock_maildrop (from sessions)
// sends:         nothing but answers
// dies when:     told to stop; its mailboxes end with it
// supervised by: the mail supervisor. Never blocks.
#pragma once

#include <memory>

#include <caf/all.hpp>

#include "actors/mail/mailbox_actor.hpp"

namespace merpati::mail {

/// The actor of a mailbox, opened if need be. The mailbox itself may not exist: join tells.
struct find_mailbox {
  std::uint32_t shard = 0;
  mailbox_id id;
};
struct found_mailbox {
  mailbox_actor mailbox;
};

/// RFC 1939 4: the exclusive-access lock of an account's maildrop, held until the session's end. A session asks for one
/// account only.
struct lock_maildrop {
  account_id account;
  runtime::notice_sink session;
};
struct lock_reply {
  bool granted = false;
};

} // namespace merpati::mail

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(merpati::mail::find_mailbox)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(merpati::mail::found_mailbox)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(merpati::mail::lock_maildrop)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(merpati::mail::lock_reply)

namespace merpati::mail {

using mailboxes_actor = caf::typed_actor<caf::replies_to<find_mailbox>::with<found_mailbox>,
                                         caf::replies_to<lock_maildrop>::with<lock_reply>>;

mailboxes_actor spawn_mailboxes(caf::actor_system& system, std::shared_ptr<const store::node_store> store);

} // namespace merpati::mail
