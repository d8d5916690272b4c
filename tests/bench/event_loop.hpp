// One thread, one epoll, many client sessions as coroutines: the engine under the load generator. It keeps its own
// processor time small (one system call to send, one to receive, per round trip), so that it does not measure itself.
#pragma once

#include <chrono>
#include <coroutine>
#include <cstddef>
#include <exception>
#include <functional>
#include <optional>
#include <queue>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace merpati::bench {

using steady = std::chrono::steady_clock;

/// What went wrong with a server or with the run, in a sentence for people.
struct load_error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A lazy coroutine that is awaited once. Destroying it destroys its frame.
template <class T>
class task;

namespace detail {

struct promise_base {
  std::coroutine_handle<> continuation = std::noop_coroutine();
  std::exception_ptr failure;

  struct final_awaiter {
    bool await_ready() const noexcept { return false; }
    template <class Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> done) const noexcept {
      return done.promise().continuation;
    }
    void await_resume() const noexcept {}
  };

  std::suspend_always initial_suspend() const noexcept { return {}; }
  final_awaiter final_suspend() const noexcept { return {}; }
  void unhandled_exception() noexcept { failure = std::current_exception(); }
};

template <class T>
struct promise : promise_base {
  std::optional<T> value;
  task<T> get_return_object() noexcept;
  template <class U>
  void return_value(U&& result) {
    value.emplace(std::forward<U>(result));
  }
  T take() {
    if (failure)
      std::rethrow_exception(failure);
    return std::move(*value);
  }
};

template <>
struct promise<void> : promise_base {
  task<void> get_return_object() noexcept;
  void return_void() const noexcept {}
  void take() const {
    if (failure)
      std::rethrow_exception(failure);
  }
};

} // namespace detail

template <class T>
class [[nodiscard]] task {
public:
  using promise_type = detail::promise<T>;
  using handle_type = std::coroutine_handle<promise_type>;

  explicit task(handle_type handle) noexcept : handle_(handle) {}
  task(task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  task& operator=(task&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~task() {
    if (handle_)
      handle_.destroy();
  }

  bool await_ready() const noexcept { return false; }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> waiter) noexcept {
    handle_.promise().continuation = waiter;
    return handle_;
  }
  T await_resume() { return handle_.promise().take(); }

  void start() { handle_.resume(); }
  bool done() const { return handle_.done(); }
  void rethrow() { handle_.promise().take(); }

private:
  handle_type handle_;
};

namespace detail {
template <class T>
task<T> promise<T>::get_return_object() noexcept {
  return task<T>(std::coroutine_handle<promise<T>>::from_promise(*this));
}
inline task<void> promise<void>::get_return_object() noexcept {
  return task<void>(std::coroutine_handle<promise<void>>::from_promise(*this));
}
} // namespace detail

/// Told when its descriptor can be read or written.
class readiness_handler {
public:
  virtual void on_ready(bool readable, bool writable) = 0;

protected:
  ~readiness_handler() = default;
};

class event_loop {
public:
  event_loop();
  ~event_loop();
  event_loop(const event_loop&) = delete;
  event_loop& operator=(const event_loop&) = delete;

  /// Starts to report a descriptor; `writable` asks for write readiness too.
  void watch(int fd, readiness_handler* handler, bool writable);
  void change(int fd, readiness_handler* handler, bool writable);
  void forget(int fd);

  struct sleep_awaiter {
    event_loop* loop;
    steady::duration time;
    bool await_ready() const noexcept { return time <= steady::duration::zero(); }
    void await_suspend(std::coroutine_handle<> waiter) const;
    void await_resume() const noexcept {}
  };
  sleep_awaiter sleep(steady::duration time) { return sleep_awaiter{this, time}; }

  /// Runs all tasks to their end. Throws the first failure of any of them, or load_error when `limit` has passed.
  void run_all(std::vector<task<void>> tasks, steady::duration limit);

private:
  struct timer {
    steady::time_point due;
    std::coroutine_handle<> waiter;
    bool operator<(const timer& other) const { return due > other.due; }
  };

  void poll_once(steady::time_point deadline);

  int epoll_;
  std::priority_queue<timer> timers_;
};

} // namespace merpati::bench
