// What TLS a connection to one host has to have: the configuration's word and what DNS publishes, put together.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "actors/delivery/hop.hpp"
#include "actors/delivery/host_finder.hpp"
#include "actors/delivery/job.hpp"
#include "protocols/tls/tlsa.hpp"

namespace merpati::delivery {

enum class tls_need : std::uint8_t {
  none,            ///< never
  may,             ///< where it is offered, with any certificate; without TLS otherwise (RFC 7435)
  any_certificate, ///< encrypted, the peer may be anybody
  authority,       ///< a trusted authority's certificate for the host's name
  dane,            ///< a certificate that matches a TLSA record
};

struct tls_demand {
  tls_need need = tls_need::may;
  std::string server_name;                     ///< for SNI and names of certificates
  std::shared_ptr<const tls::dane_check> dane; ///< with tls_need::dane
  bool by_dns = false;                         ///< TLSA records demand it, not the configuration
};

/// `domain`: that of the recipients. The reason where the host is not to be used at all (RFC 7672 2.1.2): temporary.
tl::expected<tls_demand, reason> tls_demand_for(const hop& next, const mail_host& host, const std::string& domain);

/// For people and for the waiting list: "TLSv1.3, DANE verified". `version`: of TLS; empty: there was none. `trusted`:
/// the certificate is good, though nobody asked for that.
std::string verdict_of(const tls_demand& demand, const std::string& version, bool trusted, bool tls_failed_before);

} // namespace merpati::delivery
