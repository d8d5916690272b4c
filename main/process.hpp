// What the process asks of the operating system, once, before it has threads.
#pragma once

#include <cstdint>

#include "base/result.hpp"

namespace merpati {

/// Keeps glibc's allocator from holding on to memory that sessions gave back.
void tune_allocator() noexcept;

/// Raises the soft limit of open files to the hard one and answers it: every session needs a descriptor.
std::uint64_t raise_descriptor_limit() noexcept;

/// SIGTERM, SIGINT and SIGHUP as events of a file descriptor. They are blocked from the construction on, in this
/// thread and all that it starts later, so none is lost or delivered elsewhere. SIGPIPE is ignored: a peer that left
/// is an error of write().
class signal_events {
public:
  static result<signal_events> block();
  signal_events(signal_events&& other) noexcept;
  signal_events& operator=(signal_events&&) = delete;
  ~signal_events();

  int descriptor() const noexcept { return descriptor_; } ///< readable when next() has something
  int next() const noexcept;                              ///< the signal's number, or 0: none waits

private:
  explicit signal_events(int descriptor) noexcept : descriptor_(descriptor) {}
  int descriptor_;
};

/// A counter that any thread may raise and poll() can wait for.
class wake_event {
public:
  static result<wake_event> create();
  wake_event(wake_event&& other) noexcept;
  wake_event& operator=(wake_event&&) = delete;
  ~wake_event();

  int descriptor() const noexcept { return descriptor_; }
  void raise() const noexcept;

private:
  explicit wake_event(int descriptor) noexcept : descriptor_(descriptor) {}
  int descriptor_;
};

} // namespace merpati
