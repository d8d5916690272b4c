// What a delivery agent says to another server: the root coroutine of an outgoing session.
#pragma once

#include <cstdint>
#include <string>

#include "actors/delivery/context.hpp"
#include "actors/delivery/destination_actor.hpp"
#include "actors/delivery/hop.hpp"
#include "actors/runtime/session.hpp"

namespace merpati::delivery {

/// The end of a conversation, told to its agent.
struct conversation_over {
  bool useful = false; ///< jobs were taken; else `why` tells what kept it from that
  bool permanent = false;
  bool tls_failed = false; ///< the handshake did
  reason why;
};

} // namespace merpati::delivery

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(merpati::delivery::conversation_over)

namespace merpati::delivery {

struct conversation_settings {
  context_ptr shared;
  hop next;
  std::string host_name; ///< for TLS and for people
  std::uint64_t agent = 0;
  destination_actor destination;
  caf::actor owner; ///< gets conversation_over, always
};

runtime::task<void> converse(runtime::session_io& io, conversation_settings settings);

} // namespace merpati::delivery
