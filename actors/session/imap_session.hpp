// The session of an IMAP client: runs the protocol engine against mailboxes and store.
//
// owns:          its engine, and the snapshot of the open mailbox that its client knows
// receives:      octets from its connection, mailbox_update notices, stop_request
// sends:         credentials (authenticator), find_mailbox (mailboxes), join, change, refresh, leave (mailbox), commit
//                (writer), io_job (body reads, spool files)
// dies when:     the client logs out, goes away or is idle for too long, its mailbox is deleted, or the daemon stops
// supervised by: the sessions supervisor; an exception ends this session alone. Blocks never.
#pragma once

#include "actors/runtime/session.hpp"
#include "actors/session/services.hpp"

namespace merpati::session {

/// The root coroutine of an IMAP session.
runtime::task<void> run_imap_session(runtime::session_io& io, services_ptr services, door_ptr entrance);

} // namespace merpati::session
