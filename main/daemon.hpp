// The composition root: makes every part of the daemon from the settings and joins them. What is around it (signals,
// run files, exit codes) is in serve.cpp.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "actors/admin/admin_server.hpp"
#include "base/result.hpp"
#include "config/settings.hpp"

namespace merpati {

/// A listener with the port it really has.
struct bound_listener {
  config::listener_kind kind;
  std::string address;
  std::uint16_t port = 0;
};

class mail_daemon {
public:
  /// Opens the store and starts every actor; returns when all listeners accept. `on_failure` is called once, on any
  /// thread, when the daemon can't go on (the top supervisor's budget is spent); it must return at once.
  static result<std::unique_ptr<mail_daemon>> start(const config::settings& settings,
                                                    std::function<void(std::string reason)> on_failure);
  /// As stop() with no time at all.
  ~mail_daemon();

  const std::vector<bound_listener>& listeners() const noexcept;
  /// What the admin port shows and changes. Valid as long as the daemon.
  admin::services services();
  /// Reads the certificates anew; sessions that run keep theirs. On failure the old ones stay in use.
  result<void> reload();
  /// Ends everything in order: listeners, sessions, queue, writers. Returns within `deadline`.
  void stop(std::chrono::milliseconds deadline);

private:
  mail_daemon();
  struct state;
  std::unique_ptr<state> state_;
};

} // namespace merpati
