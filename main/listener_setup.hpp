// What a [[listener]] of the configuration makes of a connection: which session, with which rules.
#pragma once

#include <memory>
#include <vector>

#include "actors/net/listener.hpp"
#include "actors/session/services.hpp"
#include "config/settings.hpp"

namespace merpati {

/// All but the supervisor of its sessions.
net::listener_settings listener_for(const config::listener& where, const std::vector<config::milter>& filters,
                                    const session::services_ptr& services,
                                    const std::shared_ptr<net::connection_limiter>& limiter);

} // namespace merpati
