// The TLSA records of a mail host (RFC 7672 2.2), as a coroutine that asks the resolver.
#pragma once

#include <cstdint>

#include "actors/delivery/host_finder.hpp"

namespace merpati::delivery {

/// What DNS says of `host` on `port`. Asks only where the way to the host's name is secure (mail_host::tlsa_bases).
runtime::task<dane_finding> find_dane(runtime::coroutine_host& asker, dns::resolver_actor resolver, mail_host host,
                                      std::uint16_t port);

} // namespace merpati::delivery
