// task<T>: a coroutine that runs when it is awaited and gives its value, or its exception, to whoever awaited it.
// Lazy, move-only, symmetric transfer (a chain of tasks that finish at once uses no stack), no thread of its own.
// Destroying a task destroys its frame and, through the locals in it, every frame it was waiting for.
#pragma once

#include <coroutine>
#include <exception>
#include <optional>
#include <utility>
#include <variant>

namespace merpati::runtime {

template <class T>
class task;

namespace detail {

struct task_promise_base {
  std::coroutine_handle<> continuation = std::noop_coroutine();

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
};

template <class T>
struct task_promise final : task_promise_base {
  std::variant<std::monostate, T, std::exception_ptr> outcome;

  task<T> get_return_object() noexcept;
  template <class U>
  void return_value(U&& value) {
    outcome.template emplace<1>(std::forward<U>(value));
  }
  void unhandled_exception() noexcept { outcome.template emplace<2>(std::current_exception()); }
  T take() {
    if (outcome.index() == 2)
      std::rethrow_exception(std::get<2>(std::move(outcome)));
    return std::get<1>(std::move(outcome));
  }
};

template <>
struct task_promise<void> final : task_promise_base {
  std::exception_ptr failure;

  task<void> get_return_object() noexcept;
  void return_void() const noexcept {}
  void unhandled_exception() noexcept { failure = std::current_exception(); }
  void take() const {
    if (failure)
      std::rethrow_exception(failure);
  }
};

} // namespace detail

/// The result of a coroutine of type T, once it is awaited. Await it at most once.
template <class T = void>
class [[nodiscard]] task {
public:
  using promise_type = detail::task_promise<T>;
  using handle = std::coroutine_handle<promise_type>;

  task() noexcept = default;
  explicit task(handle h) noexcept : handle_(h) {}
  task(task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  task& operator=(task&& other) noexcept {
    if (this != &other) {
      reset();
      handle_ = std::exchange(other.handle_, nullptr);
    }
    return *this;
  }
  task(const task&) = delete;
  task& operator=(const task&) = delete;
  ~task() { reset(); }

  explicit operator bool() const noexcept { return static_cast<bool>(handle_); }
  bool done() const noexcept { return !handle_ || handle_.done(); }

  /// Destroys the frame. Not while the coroutine itself is running.
  void reset() noexcept {
    if (auto h = std::exchange(handle_, nullptr))
      h.destroy();
  }

  struct awaiter {
    handle running;
    bool await_ready() const noexcept { return false; }
    std::coroutine_handle<> await_suspend(std::coroutine_handle<> waiting) const noexcept {
      running.promise().continuation = waiting;
      return running;
    }
    T await_resume() const { return running.promise().take(); }
  };
  awaiter operator co_await() const noexcept { return awaiter{handle_}; }

  /// For the one who owns a root task and no coroutine to await it from: runs to the first suspension. Once only.
  void start() { handle_.resume(); }
  /// The value, or the exception thrown again. Only when done().
  T take() { return handle_.promise().take(); }

private:
  handle handle_ = nullptr;
};

namespace detail {

template <class T>
task<T> task_promise<T>::get_return_object() noexcept {
  return task<T>(std::coroutine_handle<task_promise<T>>::from_promise(*this));
}
inline task<void> task_promise<void>::get_return_object() noexcept {
  return task<void>(std::coroutine_handle<task_promise<void>>::from_promise(*this));
}

} // namespace detail

} // namespace merpati::runtime
