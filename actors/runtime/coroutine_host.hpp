// What lets an actor be written as a coroutine: keeps the root task, wakes it, and gives the awaitables that need
// nothing but an actor: ask and sleep. Sessions build on it; any other actor holds one as the LAST member of its state:
//
//   struct agent_state {
//     explicit agent_state(caf::event_based_actor* self) : host(self) {}
//     coroutine_host host;
//   };
//   self->state.host.start(deliver(self->state.host, job), [self](std::exception_ptr failure) { self->quit(...); });
//
// One coroutine waits at a time. The actor must have a behaviour (an empty one ends an actor). Destroying the host
// destroys all frames; answers and timers that come later find nobody and are dropped.
#pragma once

#include <chrono>
#include <coroutine>
#include <cstdint>
#include <exception>
#include <functional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <caf/all.hpp>

#include "actors/runtime/task.hpp"
#include "base/result.hpp"

namespace merpati::runtime {

/// A timeout that never comes.
inline constexpr std::chrono::nanoseconds forever = std::chrono::nanoseconds::max();

/// What another actor's error means to the one who asked.
error from_caf(const caf::error& cause);

template <class R>
class ask_awaiter;
class sleep_awaiter;

class coroutine_host {
public:
  using time_point = std::chrono::steady_clock::time_point;
  using ended_function = std::function<void(std::exception_ptr)>;

  explicit coroutine_host(caf::scheduled_actor* self) noexcept : self_(self) {}
  ~coroutine_host() { reset(); }
  coroutine_host(const coroutine_host&) = delete;
  coroutine_host& operator=(const coroutine_host&) = delete;

  /// Runs `root` to its first suspension. `ended` is called once, when the root has returned (null) or thrown; it may
  /// make the actor quit, not destroy this host.
  void start(task<void> root, ended_function ended);
  bool running() const noexcept { return static_cast<bool>(root_); }
  /// Destroys the root and all frames below it. Not from within the root.
  void reset() noexcept;

  /// `co_await host.ask<reply>(actor, message...)`: see session_io::ask.
  template <class R, class Handle, class... Args>
  [[nodiscard]] ask_awaiter<R> ask(const Handle& whom, Args&&... args) {
    return ask_for<R>(forever, whom, std::forward<Args>(args)...);
  }
  template <class R, class Handle, class... Args>
  [[nodiscard]] ask_awaiter<R> ask_for(std::chrono::nanoseconds timeout, const Handle& whom, Args&&... args);
  /// `co_await host.sleep(5s)`
  [[nodiscard]] sleep_awaiter sleep(std::chrono::nanoseconds duration);

  caf::scheduled_actor& self() const noexcept { return *self_; }
  time_point now() const { return self_->clock().now(); }
  /// now() + `timeout`, without overflow.
  time_point deadline(std::chrono::nanoseconds timeout) const;

  /// Base of all awaiters: one suspension of the coroutine. Lives in the coroutine's frame.
  class waiter {
  public:
    explicit waiter(coroutine_host& host) noexcept : host_(host) {}
    virtual ~waiter() { host_.forget(*this); }
    waiter(const waiter&) = delete;
    waiter& operator=(const waiter&) = delete;

  protected:
    /// Waits until host().wake() or, from `until` on, expired() says true.
    void suspend(std::coroutine_handle<> waiting, time_point until);
    /// The time set is over. True: wake the coroutine; false: go on waiting till the time set by set_deadline().
    virtual bool expired() { return true; }
    void set_deadline(time_point until) noexcept { until_ = until; }
    coroutine_host& host() const noexcept { return host_; }

  private:
    friend class coroutine_host;
    coroutine_host& host_;
    std::coroutine_handle<> waiting_;
    time_point until_ = time_point::max();
  };

  /// Who waits now; null while the coroutine runs or when there is none.
  waiter* waiting() const noexcept { return waiting_; }
  /// Changes with each suspension: a late answer recognises that nobody waits for it any more.
  std::uint64_t wait_number() const noexcept { return wait_number_; }
  bool waits(std::uint64_t number) const noexcept { return waiting_ != nullptr && wait_number_ == number; }
  /// Continues the waiting coroutine, up to its next suspension or its end. Only from a message handler.
  void wake();

private:
  // Timers are lazy: at most a few are set, a wait whose deadline lies behind a set timer sets none, and a timer that
  // comes too early is set again. A session that waits 30 minutes after each command thus bothers the clock once in
  // 30 minutes.
  struct timer {
    time_point at;
    caf::message_id id;
  };
  void arm(time_point until);
  void on_timer(caf::message_id id);
  void forget(waiter& gone) noexcept;
  void finish_if_done();

  caf::scheduled_actor* self_;
  waiter* waiting_ = nullptr;
  std::uint64_t wait_number_ = 0;
  std::vector<timer> timers_; // the earliest last
  ended_function ended_;
  task<void> root_;
};

namespace detail {

template <class R>
struct reply_of {
  using type = result<R>;
};
template <class R>
struct reply_of<result<R>> {
  using type = result<R>;
};

} // namespace detail

template <class R>
class [[nodiscard]] ask_awaiter final : public coroutine_host::waiter {
public:
  using reply = typename detail::reply_of<R>::type;

  ask_awaiter(coroutine_host& asker, std::chrono::nanoseconds timeout, caf::strong_actor_ptr whom, caf::message what)
      : waiter(asker), timeout_(timeout), whom_(std::move(whom)), what_(std::move(what)) {}

  bool await_ready() {
    if (!whom_)
      reply_ = fail(errc::unavailable, "the actor asked does not exist");
    return !whom_;
  }

  void await_suspend(std::coroutine_handle<> waiting) {
    auto& asker = host();
    auto& self = asker.self();
    suspend(waiting, asker.deadline(timeout_));
    const auto id = self.new_request_id(caf::message_priority::normal);
    self.add_multiplexed_response_handler(id.response_id(), handlers(asker.wait_number()));
    whom_->enqueue(self.ctrl(), id, std::move(what_), self.context());
    whom_ = nullptr;
  }

  reply await_resume() { return std::move(reply_); }

private:
  bool expired() override {
    reply_ = fail(errc::unavailable, "no answer in time");
    return true;
  }

  caf::behavior handlers(std::uint64_t number) {
    auto* asker = &host();
    auto* asking = this;
    auto failed = [asker, asking, number](caf::error& cause) {
      if (!asker->waits(number))
        return;
      asking->reply_ = tl::unexpected<error>(from_caf(cause));
      asker->wake();
    };
    if constexpr (std::is_void_v<R>) {
      auto answered = [asker, asking, number] {
        if (!asker->waits(number))
          return;
        asking->reply_ = reply();
        asker->wake();
      };
      return caf::behavior{answered, failed};
    } else {
      auto answered = [asker, asking, number](R& value) {
        if (!asker->waits(number))
          return;
        asking->reply_ = std::move(value);
        asker->wake();
      };
      return caf::behavior{answered, failed};
    }
  }

  std::chrono::nanoseconds timeout_;
  caf::strong_actor_ptr whom_;
  caf::message what_;
  reply reply_ = fail(errc::internal, "not answered");
};

class [[nodiscard]] sleep_awaiter final : public coroutine_host::waiter {
public:
  sleep_awaiter(coroutine_host& host, std::chrono::nanoseconds duration) noexcept : waiter(host), duration_(duration) {}
  bool await_ready() const noexcept { return duration_ <= std::chrono::nanoseconds::zero(); }
  void await_suspend(std::coroutine_handle<> waiting) { suspend(waiting, host().deadline(duration_)); }
  void await_resume() const noexcept {}

private:
  std::chrono::nanoseconds duration_;
};

template <class R, class Handle, class... Args>
ask_awaiter<R> coroutine_host::ask_for(std::chrono::nanoseconds timeout, const Handle& whom, Args&&... args) {
  using token = caf::detail::type_list<typename caf::detail::implicit_conversions<std::decay_t<Args>>::type...>;
  static_assert(caf::response_type_unbox<caf::signatures_of_t<Handle>, token>::valid,
                "the actor asked does not take this message");
  return ask_awaiter<R>(*this, timeout, caf::actor_cast<caf::strong_actor_ptr>(whom),
                        caf::make_message(std::forward<Args>(args)...));
}

inline sleep_awaiter coroutine_host::sleep(std::chrono::nanoseconds duration) {
  return sleep_awaiter(*this, duration);
}

} // namespace merpati::runtime
