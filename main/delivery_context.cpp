#include "main/delivery_context.hpp"

#include <cstring>
#include <memory>

#include <ifaddrs.h>
#include <netinet/in.h>

#include "actors/net/socket_address.hpp"
#include "base/ip_address.hpp"

namespace merpati {

namespace {

/// The addresses of all interfaces, of the family of `any`.
std::vector<std::string> interface_addresses(const ip_address& any) {
  std::vector<std::string> out;
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0)
    return out;
  const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> owned(list, ::freeifaddrs);
  for (const auto* each = list; each != nullptr; each = each->ifa_next) {
    if (each->ifa_addr == nullptr || each->ifa_addr->sa_family != (any.is_v6() ? AF_INET6 : AF_INET))
      continue;
    net::socket_address address;
    std::memcpy(&address.octets, each->ifa_addr, any.is_v6() ? sizeof(sockaddr_in6) : sizeof(sockaddr_in));
    out.push_back(address.address());
  }
  return out;
}

/// Where this server takes mail from others on the port that it delivers to: there, it would talk to itself.
std::vector<std::string> own_addresses(const config::settings& settings) {
  std::vector<std::string> out;
  for (const auto& listener : settings.listeners) {
    const auto address = ip_address::parse(listener.address);
    if (listener.kind != config::listener_kind::smtp || listener.port != settings.delivery.port || !address)
      continue;
    if (!address->is_any()) {
      out.push_back(address->to_string());
      continue;
    }
    auto all = interface_addresses(*address);
    out.insert(out.end(), all.begin(), all.end());
  }
  return out;
}

} // namespace

result<std::shared_ptr<delivery::context>> make_delivery_context(const config::settings& settings,
                                                                 const mail::routing_rules& routing,
                                                                 std::shared_ptr<const store::node_store> store) {
  auto out = std::make_shared<delivery::context>();
  out->own = {settings.hostname, own_addresses(settings)};
  out->settings = settings.delivery;
  out->routing = routing;
  out->mime.depth = settings.limits.mime.depth;
  out->mime.parts = settings.limits.mime.parts;
  out->mime.header_octets = settings.limits.mime.header_bytes;
  out->mime.parameters = settings.limits.mime.parameters;
  out->store = std::move(store);
  tls::client_options options;
  options.verify = false;
  options.observe = true; // what nobody demands is told all the same
  options.trusted_pem = settings.delivery.trusted_certificates;
  auto any = tls::client_context::create(options);
  if (!any)
    return tl::make_unexpected(any.error());
  options.verify = true;
  options.observe = false;
  options.dane = true;
  auto dane = tls::client_context::create(options);
  if (!dane)
    return tl::make_unexpected(dane.error());
  options.dane = false;
  auto trusted = tls::client_context::create(options);
  if (!trusted)
    return tl::make_unexpected(trusted.error());
  out->any_certificate = std::move(*any);
  out->dane_certificate = std::move(*dane);
  out->trusted_certificate = std::move(*trusted);
  return out;
}

} // namespace merpati
