#include "main/listener_setup.hpp"

#include <algorithm>
#include <functional>
#include <utility>

#include "actors/net/limiter.hpp"
#include "actors/session/imap_session.hpp"
#include "actors/session/pop3_session.hpp"
#include "actors/session/smtp_session.hpp"

namespace merpati {

namespace {

std::string refusal_of(config::listener_kind kind) {
  switch (kind) {
  case config::listener_kind::smtp:
  case config::listener_kind::lmtp:
  case config::listener_kind::submission: return "421 4.7.0 Too many connections, try again later\r\n";
  case config::listener_kind::imap: return "* BYE [LIMIT] Too many connections, try again later\r\n";
  case config::listener_kind::pop3: return "-ERR [SYS/TEMP] too many connections, try again later\r\n";
  default: return {}; // implicit TLS: nothing can be said in clear
  }
}

/// The protocol name of ALPN (IANA's registry has none for SMTP).
std::string alpn_of(config::listener_kind kind) {
  switch (kind) {
  case config::listener_kind::imaps: return "imap";
  case config::listener_kind::pop3s: return "pop3";
  default: return {};
  }
}

session::door_ptr entrance_of(const config::listener& where, const std::vector<config::milter>& filters) {
  auto out = std::make_shared<session::door>();
  out->implicit_tls = config::implicit_tls(where.kind);
  out->plaintext_login = where.plaintext_login;
  out->xclient_from = where.xclient_from;
  out->kind = std::string(config::to_string(where.kind));
  for (const auto& filter : filters)
    if (std::find(filter.listeners.begin(), filter.listeners.end(), where.kind) != filter.listeners.end())
      out->filters.push_back(filter);
  return out;
}

std::function<runtime::task<void>(runtime::session_io&)>
session_root(session::services_ptr services, config::listener_kind kind, session::door_ptr entrance) {
  const auto smtp = [=](smtp::server_kind server) {
    return [=](runtime::session_io& io) { return session::run_smtp_session(io, services, entrance, server); };
  };
  switch (kind) {
  case config::listener_kind::smtp: return smtp(smtp::server_kind::mx);
  case config::listener_kind::lmtp: return smtp(smtp::server_kind::lmtp);
  case config::listener_kind::submission:
  case config::listener_kind::submissions: return smtp(smtp::server_kind::submission);
  case config::listener_kind::imap:
  case config::listener_kind::imaps:
    return [=](runtime::session_io& io) { return session::run_imap_session(io, services, entrance); };
  case config::listener_kind::pop3:
  case config::listener_kind::pop3s: break;
  }
  return [=](runtime::session_io& io) { return session::run_pop3_session(io, services, entrance); };
}

} // namespace

net::listener_settings listener_for(const config::listener& where, const std::vector<config::milter>& filters,
                                    const session::services_ptr& services,
                                    const std::shared_ptr<net::connection_limiter>& limiter) {
  net::listener_settings out;
  out.kind = std::string(config::to_string(where.kind));
  out.address = where.address;
  out.port = where.port;
  out.socket_mode = where.socket_mode;
  out.limiter = limiter;
  out.refusal = refusal_of(where.kind);
  if (!where.proxy_from.empty())
    out.is_proxy = [from = where.proxy_from](std::string_view address) { return contains(from, address); };
  out.make_session = [services, where, limiter, root = session_root(services, where.kind, entrance_of(where, filters))](
                         caf::actor_system& system, net::accepted_connection accepted) {
    runtime::session_settings session;
    session.kind = std::string(config::to_string(where.kind));
    session.connection = std::move(accepted.connection);
    session.info = std::move(accepted.info);
    session.output = std::move(accepted.output);
    if (config::implicit_tls(where.kind))
      session.tls = services->tls();
    session.alpn = alpn_of(where.kind);
    session.root = root;
    if (contains(where.proxy_from, session.info.remote_address))
      session.admit_proxied = [limiter](std::string_view address) -> std::shared_ptr<void> {
        auto admitted = limiter->admit(address);
        return admitted ? std::make_shared<net::admission>(std::move(admitted)) : nullptr;
      };
    return caf::actor_cast<caf::actor>(runtime::spawn_session(system, std::move(session)));
  };
  return out;
}

} // namespace merpati
