// An actor system on CAF's testing scheduler: one thread, first come first served, and a clock that stands still until
// it is told to move. Its end checks that no actor is left alive.
#pragma once

#include <chrono>
#include <memory>

#include <caf/all.hpp>
#include <caf/scheduler/test_coordinator.hpp>

#include "tests/support/catch2.hpp"

namespace merpati::test {

class deterministic_system {
public:
  deterministic_system() {
    config_.set("scheduler.policy", caf::atom("testing"));
    system_ = std::make_unique<caf::actor_system>(config_);
  }
  ~deterministic_system() {
    run();
    CHECK(alive() == 0);
    if (alive() != 0)
      (void)system_.release(); // its destructor would wait for them for ever
  }
  deterministic_system(const deterministic_system&) = delete;
  deterministic_system& operator=(const deterministic_system&) = delete;

  caf::actor_system& system() noexcept { return *system_; }
  operator caf::actor_system&() noexcept { return *system_; }
  caf::scheduler::test_coordinator& scheduler() {
    return dynamic_cast<caf::scheduler::test_coordinator&>(system_->scheduler());
  }

  /// Handles messages until there are none.
  void run() { scheduler().run(); }
  /// Lets time pass and handles what it brings.
  void advance(std::chrono::nanoseconds by) {
    run();
    scheduler().advance_time(caf::timespan(by));
    run();
  }
  std::chrono::steady_clock::time_point now() { return scheduler().clock().now(); }
  std::size_t alive() const { return system_->registry().running(); }

private:
  caf::actor_system_config config_;
  std::unique_ptr<caf::actor_system> system_;
};

} // namespace merpati::test
