#include "actors/net/socket_output.hpp"

#include <sys/socket.h>

namespace merpati::net {

std::size_t socket_output::try_send(std::string_view octets) noexcept {
  return waiting_.load(std::memory_order_acquire) == 0 ? send(octets) : 0;
}

std::size_t socket_output::send_queued(std::string_view octets) noexcept {
  const auto sent = send(octets);
  written(sent);
  return sent;
}

void socket_output::close() noexcept {
  std::scoped_lock lock(mutex_);
  descriptor_ = -1;
}

std::size_t socket_output::send(std::string_view octets) noexcept {
  std::scoped_lock lock(mutex_);
  if (descriptor_ < 0)
    return 0;
  // What is wrong with the socket, if anything is, shows when the rest goes the usual way.
  const auto taken = ::send(descriptor_, octets.data(), octets.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  return taken > 0 ? static_cast<std::size_t>(taken) : 0;
}

} // namespace merpati::net
