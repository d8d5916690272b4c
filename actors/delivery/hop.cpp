#include "actors/delivery/hop.hpp"

namespace merpati::delivery {

namespace {

/// How special a route is for a domain; nothing: it is not for it.
std::optional<std::size_t> fit(const config::route& route, std::string_view domain) {
  if (route.domain == "*")
    return 0;
  if (route.domain == domain)
    return domain.size() + 1;
  if (route.domain.starts_with('.') && domain.ends_with(route.domain))
    return route.domain.size();
  return std::nullopt;
}

constexpr std::uint16_t lmtp_port = 24;

} // namespace

hop hop_for(const config::delivery_settings& settings, std::string_view domain) {
  const config::route* best = nullptr;
  std::optional<std::size_t> best_fit;
  for (const auto& route : settings.routes)
    if (const auto fits = fit(route, domain); fits && (!best_fit || *fits > *best_fit)) {
      best = &route;
      best_fit = fits;
    }
  hop out;
  out.port = settings.port;
  out.tls = settings.tls;
  out.source_address = settings.source_address;
  if (!best)
    return out;
  out.host = best->host;
  out.protocol = best->protocol;
  if (best->port != 0)
    out.port = best->port;
  else if (best->protocol == config::hop_protocol::lmtp)
    out.port = lmtp_port;
  out.tls = best->tls;
  out.implicit_tls = best->implicit_tls;
  out.user = best->user;
  out.password = best->password;
  if (!best->source_address.empty())
    out.source_address = best->source_address;
  return out;
}

} // namespace merpati::delivery
