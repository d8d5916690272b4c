#include "actors/session/common_steps.hpp"

#include <utility>

#include "base/log.hpp"

namespace merpati::session {

namespace {

/// Asks who `request` is of, a password or a proof.
template <class Request>
runtime::task<result<auth::identity>> ask_who(runtime::session_io& io, const services& services, std::string authzid,
                                              Request request) {
  if (!authzid.empty() && authzid != request.login) // RFC 4616 2
    co_return fail(errc::not_permitted, "nobody may act for another");
  request.client_address = io.info().remote_address;
  auto verdict = co_await io.ask<auth::login_verdict>(services.authenticator(), std::move(request));
  if (!verdict)
    co_return tl::make_unexpected(verdict.error());
  if (verdict->who)
    io.set_label(verdict->who->name);
  co_return std::move(verdict->who);
}

} // namespace

runtime::task<result<auth::identity>> log_in(runtime::session_io& io, const services& services, std::string authzid,
                                             std::string login, std::string password) {
  auth::credentials credentials;
  credentials.login = std::move(login);
  credentials.password = std::move(password);
  return ask_who(io, services, std::move(authzid), std::move(credentials));
}

runtime::task<result<sasl::scram_credentials>> scram_keys(runtime::session_io& io, const services& services,
                                                          std::string login) {
  auth::scram_request request;
  request.login = std::move(login);
  request.client_address = io.info().remote_address;
  auto offer = co_await io.ask<auth::scram_offer>(services.authenticator(), std::move(request));
  if (!offer)
    co_return tl::make_unexpected(offer.error());
  co_return std::move(offer->keys);
}

runtime::task<result<auth::identity>> log_in_proven(runtime::session_io& io, const services& services,
                                                    std::string authzid, std::string login) {
  auth::scram_success proof;
  proof.login = std::move(login);
  return ask_who(io, services, std::move(authzid), std::move(proof));
}

sasl::channel_bindings bindings_of(const runtime::session_io& io) {
  const auto* tls = io.tls();
  if (!tls)
    return {};
  return {tls->tls_exporter(), tls->tls_server_end_point()};
}

runtime::task<bool> start_tls(runtime::session_io& io, const services& services, std::string pending,
                              std::string alpn) {
  io.write_soon(pending);
  auto established = co_await io.start_tls(services.tls(), std::move(alpn));
  if (!established)
    log::info("TLS handshake with {} failed: {}", io.info().remote_address, established.error().what);
  co_return established.has_value();
}

} // namespace merpati::session
