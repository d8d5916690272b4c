// connection_scribe: the socket of a connection in CAF's event loop, for brokers that pause and resume their reading.
#pragma once

#include <caf/io/network/default_multiplexer.hpp>
#include <caf/io/network/scribe_impl.hpp>

namespace merpati::net {

/// CAF's own scribe loses trigger() when it comes in the same turn of the event loop as the pause before: the removal
/// of the socket is still pending then, CAF takes it for active, and nothing is read ever after.
class connection_scribe final : public caf::io::network::scribe_impl {
public:
  connection_scribe(caf::io::network::default_multiplexer& loop, int descriptor)
      : caf::io::network::scribe_impl(loop, descriptor), loop_(loop) {}

  void add_to_loop() override {
    caf::io::network::scribe_impl::add_to_loop();
    loop_.add(caf::io::network::operation::read, stream_.fd(), &stream_); // cancels a pending removal, else no effect
  }

private:
  caf::io::network::default_multiplexer& loop_;
};

} // namespace merpati::net
