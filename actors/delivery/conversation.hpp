// What a delivery agent says to another server: the root coroutine of an outgoing session.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "actors/delivery/context.hpp"
#include "actors/delivery/destination_actor.hpp"
#include "actors/delivery/hop.hpp"
#include "actors/delivery/tls_demand.hpp"
#include "actors/runtime/session.hpp"

namespace merpati::delivery {

/// The end of a conversation, told to its agent.
struct conversation_over {
  bool useful = false; ///< jobs were taken; else `why` tells what kept it from that
  bool permanent = false;
  bool tls_failed = false; ///< the handshake did
  std::string encryption;  ///< for waiting_details
  reason why;
};

} // namespace merpati::delivery

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(merpati::delivery::conversation_over)

namespace merpati::delivery {

/// Sends conversation_over to an agent when the last who holds it lets go.
class farewell {
public:
  farewell(caf::actor owner, std::string host_name) : owner_(std::move(owner)) {
    what.why = {"4.3.0", std::move(host_name), "the conversation failed"};
  }
  ~farewell() { caf::anon_send(owner_, std::move(what)); }
  farewell(const farewell&) = delete;
  farewell& operator=(const farewell&) = delete;

  conversation_over what;

private:
  caf::actor owner_;
};

struct conversation_settings {
  context_ptr shared;
  hop next;
  tls_demand demand;
  bool tls_failed_before = false; ///< with the same server, which is why `demand` is none now
  std::string host_name;          ///< for people
  std::uint64_t agent = 0;
  destination_actor destination;
  std::shared_ptr<farewell> end;
};

runtime::task<void> converse(runtime::session_io& io, conversation_settings settings);

} // namespace merpati::delivery
