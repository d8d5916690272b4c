// What session_io's functions give to `co_await`. Included by session.hpp; sessions need not look here.
#pragma once

#include <chrono>
#include <coroutine>
#include <cstdint>
#include <string_view>

#include "actors/runtime/coroutine_host.hpp"
#include "actors/runtime/session.hpp"
#include "base/result.hpp"

namespace merpati::runtime {

/// A wait that session_core looks at after each of its messages.
class session_waiter : public coroutine_host::waiter {
public:
  explicit session_waiter(session_core& core) noexcept;

  /// What was waited for is there.
  virtual bool satisfied() const = 0;

protected:
  bool expired() override;
  /// Waits at most `timeout`, and no longer than the peer may take nothing of our output.
  void wait(std::coroutine_handle<> waiting, std::chrono::nanoseconds timeout);
  bool timed_out() const noexcept { return timed_out_; }
  session_core& core_;

private:
  void set_next_deadline();

  coroutine_host::time_point until_ = coroutine_host::time_point::max();
  bool timed_out_ = false;
};

/// next() and next_data().
class [[nodiscard]] event_awaiter final : public session_waiter {
public:
  event_awaiter(session_core& core, std::chrono::nanoseconds timeout, bool with_notices) noexcept
      : session_waiter(core), timeout_(timeout), with_notices_(with_notices) {}
  bool await_ready();
  void await_suspend(std::coroutine_handle<> waiting);
  session_event await_resume();
  bool satisfied() const override;

private:
  std::chrono::nanoseconds timeout_;
  bool with_notices_;
};

/// write() and flush().
class [[nodiscard]] write_awaiter final : public session_waiter {
public:
  write_awaiter(session_core& core, std::string_view bytes) noexcept : session_waiter(core), rest_(bytes) {}
  bool await_ready();
  void await_suspend(std::coroutine_handle<> waiting) { wait(waiting, forever); }
  result<void> await_resume();
  bool satisfied() const override;

private:
  bool push() const;

  mutable std::string_view rest_;
};

class [[nodiscard]] session_sleep_awaiter final : public session_waiter {
public:
  session_sleep_awaiter(session_core& core, std::chrono::nanoseconds duration) noexcept
      : session_waiter(core), duration_(duration) {}
  bool await_ready() const { return duration_ <= std::chrono::nanoseconds::zero() || satisfied(); }
  void await_suspend(std::coroutine_handle<> waiting) { wait(waiting, duration_); }
  bool await_resume() const { return timed_out() || !satisfied(); }
  bool satisfied() const override;

private:
  std::chrono::nanoseconds duration_;
};

/// Waits for the header of the PROXY protocol; false: it did not come, or was none.
class [[nodiscard]] proxy_awaiter final : public session_waiter {
public:
  explicit proxy_awaiter(session_core& core) noexcept : session_waiter(core) {}
  bool await_ready() const { return satisfied(); }
  void await_suspend(std::coroutine_handle<> waiting);
  bool await_resume() const;
  bool satisfied() const override;
};

/// Waits for the end of the handshake under way, well or ill.
class [[nodiscard]] handshake_awaiter final : public session_waiter {
public:
  explicit handshake_awaiter(session_core& core) noexcept : session_waiter(core) {}
  bool await_ready() const { return satisfied(); }
  void await_suspend(std::coroutine_handle<> waiting);
  result<void> await_resume() const;
  bool satisfied() const override;
};

inline event_awaiter session_io::next(std::chrono::nanoseconds timeout) {
  return event_awaiter(core_, timeout, true);
}
inline event_awaiter session_io::next_data(std::chrono::nanoseconds timeout) {
  return event_awaiter(core_, timeout, false);
}
inline write_awaiter session_io::write(std::string_view bytes) {
  return write_awaiter(core_, bytes);
}
inline write_awaiter session_io::flush() {
  return write_awaiter(core_, {});
}
inline session_sleep_awaiter session_io::sleep(std::chrono::nanoseconds duration) {
  return session_sleep_awaiter(core_, duration);
}

} // namespace merpati::runtime
