// The session of an SMTP client: runs the protocol engine against directory, router and store.
//
// owns:          its engine, and the message that is being received
// receives:      octets from its connection, stop_request
// sends:         credentials (authenticator), io_job (spool files), commit (writer)
// dies when:     the client quits, goes away, is too slow or breaks too many rules, or the daemon stops
// supervised by: the sessions supervisor; an exception ends this session alone. Blocks never.
#pragma once

#include "actors/runtime/session.hpp"
#include "actors/session/services.hpp"
#include "protocols/smtp/server_engine.hpp"

namespace merpati::session {

/// The root coroutine of an SMTP session; `kind` says which door the client came through.
runtime::task<void> run_smtp_session(runtime::session_io& io, services_ptr services, door_ptr entrance,
                                     smtp::server_kind kind);

} // namespace merpati::session
