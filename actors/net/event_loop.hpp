// CAF's event loop, for what registers sockets with it by itself.
#pragma once

#include <caf/actor_system.hpp>
#include <caf/io/middleman.hpp>
#include <caf/io/network/default_multiplexer.hpp>

#include "base/result.hpp"

namespace merpati::net {

/// errc::internal: the network runs on another multiplexer (CAF's test backend).
inline result<caf::io::network::default_multiplexer*> event_loop(caf::actor_system& system) {
  auto* loop = dynamic_cast<caf::io::network::default_multiplexer*>(&system.middleman().backend());
  if (loop == nullptr)
    return fail(errc::internal, "the network runs on another multiplexer than CAF's default one");
  return loop;
}

} // namespace merpati::net
