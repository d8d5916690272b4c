// The session of a POP3 client: runs the protocol engine against an account's INBOX.
//
// owns:          its engine, the maildrop's listing, the exclusive-access lock while logged in
// receives:      octets from its connection, stop_request
// sends:         credentials (authenticator), lock_maildrop (mailboxes), io_job (body reads), commit (writer)
// dies when:     the client quits, goes away or is idle for too long, or the daemon stops
// supervised by: the sessions supervisor; an exception ends this session alone. Blocks never.
#pragma once

#include "actors/runtime/session.hpp"
#include "actors/session/services.hpp"

namespace merpati::session {

/// The root coroutine of a POP3 session.
runtime::task<void> run_pop3_session(runtime::session_io& io, services_ptr services, door_ptr entrance);

} // namespace merpati::session
