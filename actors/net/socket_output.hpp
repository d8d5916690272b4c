// The direct way into a connection's socket, shared by its broker and its session.
#pragma once

#include <atomic>
#include <mutex>

#include "actors/net/connection.hpp"

namespace merpati::net {

class socket_output final : public direct_output {
public:
  explicit socket_output(int descriptor) noexcept : descriptor_(descriptor) {}

  std::size_t try_send(std::string_view octets) noexcept override;
  void queued(std::size_t octets) noexcept override { waiting_.fetch_add(octets, std::memory_order_relaxed); }

  // The broker's side.

  /// As try_send(), for octets that were announced by queued() and are next: written() is part of it.
  std::size_t send_queued(std::string_view octets) noexcept;
  /// So many of the queued octets were written.
  void written(std::size_t octets) noexcept { waiting_.fetch_sub(octets, std::memory_order_release); }
  /// The descriptor is about to be closed, or nothing more may be sent.
  void close() noexcept;

private:
  std::size_t send(std::string_view octets) noexcept;

  std::mutex mutex_; // held while the descriptor is used, so that it is never closed under a send
  int descriptor_;
  std::atomic<std::size_t> waiting_{0};
};

} // namespace merpati::net
