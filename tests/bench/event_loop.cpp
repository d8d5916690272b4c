#include "tests/bench/event_loop.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include <sys/epoll.h>
#include <unistd.h>

namespace merpati::bench {

namespace {

void control(int epoll, int operation, int fd, readiness_handler* handler, bool writable) {
  epoll_event event{};
  event.events = EPOLLIN | (writable ? EPOLLOUT : 0U);
  event.data.ptr = handler;
  if (epoll_ctl(epoll, operation, fd, &event) != 0)
    throw load_error(std::string("epoll_ctl: ") + std::strerror(errno));
}

} // namespace

event_loop::event_loop() : epoll_(epoll_create1(EPOLL_CLOEXEC)) {
  if (epoll_ < 0)
    throw load_error(std::string("epoll_create1: ") + std::strerror(errno));
}

event_loop::~event_loop() {
  close(epoll_);
}

void event_loop::watch(int fd, readiness_handler* handler, bool writable) {
  control(epoll_, EPOLL_CTL_ADD, fd, handler, writable);
}

void event_loop::change(int fd, readiness_handler* handler, bool writable) {
  control(epoll_, EPOLL_CTL_MOD, fd, handler, writable);
}

void event_loop::forget(int fd) {
  epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, nullptr);
}

void event_loop::sleep_awaiter::await_suspend(std::coroutine_handle<> waiter) const {
  loop->timers_.push(timer{steady::now() + time, waiter});
}

void event_loop::poll_once(steady::time_point deadline) {
  const auto now = steady::now();
  const auto next = timers_.empty() ? deadline : std::min(deadline, timers_.top().due);
  // Rounded up, or the loop would spin through the last millisecond before a timer.
  const auto wait = std::chrono::ceil<std::chrono::milliseconds>(std::max(next - now, steady::duration::zero()));
  // One handler per event and one event per descriptor; a handler closes only its own descriptor, so that no event of
  // this batch can belong to a handler that is gone.
  std::array<epoll_event, 256> events;
  const int count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()),
                               static_cast<int>(std::min<long>(wait.count(), 60'000)));
  if (count < 0 && errno != EINTR)
    throw load_error(std::string("epoll_wait: ") + std::strerror(errno));
  for (int i = 0; i < count; ++i) {
    const auto& event = events[static_cast<std::size_t>(i)];
    auto* handler = static_cast<readiness_handler*>(event.data.ptr);
    const bool broken = (event.events & (EPOLLERR | EPOLLHUP)) != 0;
    handler->on_ready(broken || (event.events & EPOLLIN) != 0, broken || (event.events & EPOLLOUT) != 0);
  }
  while (!timers_.empty() && timers_.top().due <= steady::now()) {
    const auto waiter = timers_.top().waiter;
    timers_.pop();
    waiter.resume();
  }
}

void event_loop::run_all(std::vector<task<void>> tasks, steady::duration limit) {
  const auto deadline = steady::now() + limit;
  for (auto& each : tasks)
    each.start();
  while (true) {
    std::erase_if(tasks, [](task<void>& each) {
      if (!each.done())
        return false;
      each.rethrow();
      return true;
    });
    if (tasks.empty())
      return;
    if (steady::now() >= deadline)
      throw load_error("time limit of the run reached; " + std::to_string(tasks.size()) + " sessions still busy");
    poll_once(deadline);
  }
}

} // namespace merpati::bench
