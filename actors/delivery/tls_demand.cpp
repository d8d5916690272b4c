#include "actors/delivery/tls_demand.hpp"

namespace merpati::delivery {

namespace {

tls_need configured(config::hop_tls tls) {
  switch (tls) {
  case config::hop_tls::none: return tls_need::none;
  case config::hop_tls::need: return tls_need::any_certificate;
  case config::hop_tls::verify: return tls_need::authority;
  case config::hop_tls::may:
  case config::hop_tls::automatic:
  case config::hop_tls::dane: break;
  }
  return tls_need::may;
}

} // namespace

tl::expected<tls_demand, reason> tls_demand_for(const hop& next, const mail_host& host, const std::string& domain) {
  tls_demand out;
  out.server_name = host.name;
  out.need = configured(next.tls);
  if (next.tls != config::hop_tls::automatic && next.tls != config::hop_tls::dane)
    return out;
  switch (host.dane.what) {
  case dane_state::absent: break;
  case dane_state::failed: // RFC 7672 2.1.2: as if the host could not be reached
    return tl::make_unexpected(
        reason{"4.7.5", "", "DNS does not tell the TLSA records of " + host.name + ": " + host.dane.why});
  case dane_state::unusable: // RFC 7672 2.2: encrypted, but nobody can be authenticated
    out.need = tls_need::any_certificate;
    out.by_dns = true;
    break;
  case dane_state::usable: {
    auto check = std::make_shared<tls::dane_check>();
    check->records = host.dane.records;
    check->names = {host.name};
    if (next.host.empty()) // RFC 7672 3.2.2: the domain itself, where the host was found by its MX records
      check->names.push_back(domain);
    out.need = tls_need::dane;
    out.by_dns = true;
    out.server_name = host.dane.base; // RFC 7672 8.1
    out.dane = std::move(check);
    return out;
  }
  }
  if (next.tls == config::hop_tls::dane)
    return tl::make_unexpected(
        reason{"4.7.5", "", host.name + " has no TLSA record that can be used, and tls = \"dane\""});
  return out;
}

std::string verdict_of(const tls_demand& demand, const std::string& version, bool trusted, bool tls_failed_before) {
  if (version.empty()) {
    if (tls_failed_before)
      return "none: TLS failed before";
    return demand.need == tls_need::none ? "none: as configured" : "none: not offered";
  }
  switch (demand.need) {
  case tls_need::dane: return version + ", DANE verified";
  case tls_need::authority: return version + ", certificate verified";
  case tls_need::any_certificate:
    if (demand.by_dns)
      return version + ", demanded by DANE, certificate " + (trusted ? "trusted" : "not verified");
    break;
  case tls_need::none:
  case tls_need::may: break;
  }
  return version + ", certificate " + (trusted ? "trusted" : "not verified");
}

} // namespace merpati::delivery
