// What the configuration says of mail on its way out, as the queue wants it.
#pragma once

#include <memory>

#include "actors/delivery/context.hpp"
#include "base/result.hpp"
#include "config/settings.hpp"

namespace merpati {

/// Without its actors. errc::invalid, errc::unavailable: TLS can't be set up (no trusted authorities, say).
result<std::shared_ptr<delivery::context>> make_delivery_context(const config::settings& settings,
                                                                 const mail::routing_rules& routing,
                                                                 std::shared_ptr<const store::node_store> store);

} // namespace merpati
