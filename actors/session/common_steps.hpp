// What the sessions of all three protocols do alike.
#pragma once

#include <exception>
#include <string>
#include <string_view>

#include "actors/runtime/session.hpp"
#include "actors/session/services.hpp"

namespace merpati::session {

/// Asks the authenticator. Nobody may act for another: an `authzid` that is neither empty nor the login's own name is
/// not_permitted. Other failures: those of login_verdict, and unavailable when the authenticator is gone.
runtime::task<result<auth::identity>> log_in(runtime::session_io& io, const services& services, std::string authzid,
                                             std::string login, std::string password);

/// The keys that a SCRAM proof of `login` is checked against. Failures: those of scram_offer, and unavailable.
runtime::task<result<sasl::scram_credentials>> scram_keys(runtime::session_io& io, const services& services,
                                                          std::string login);
/// Who it is that proved to be `login`; as log_in().
runtime::task<result<auth::identity>> log_in_proven(runtime::session_io& io, const services& services,
                                                    std::string authzid, std::string login);
/// What the connection offers to SCRAM-SHA-256-PLUS; nothing without TLS.
sasl::channel_bindings bindings_of(const runtime::session_io& io);

/// Sends what is pending in clear, `pending` first, and does the server's part of the handshake. False: it failed, and
/// only the end is left; the log says why.
runtime::task<bool> start_tls(runtime::session_io& io, const services& services, std::string pending, std::string alpn);

/// Runs `session` to its end. Where it throws, the client is told `farewell` before the exception goes on its way.
template <class Session>
runtime::task<void> run_guarded(runtime::session_io& io, Session& session, std::string_view farewell) {
  std::exception_ptr failure;
  try {
    co_await session.run();
  } catch (...) {
    failure = std::current_exception();
  }
  if (!failure)
    co_return;
  io.write_soon(farewell);
  std::rethrow_exception(failure);
}

} // namespace merpati::session
