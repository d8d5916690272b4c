#include "actors/runtime/coroutine_host.hpp"

#include <algorithm>

namespace merpati::runtime {

error from_caf(const caf::error& cause) {
  const auto text = caf::to_string(cause);
  if (cause.category() == caf::atom("system")) {
    switch (static_cast<caf::sec>(cause.code())) {
    case caf::sec::unexpected_message:
    case caf::sec::unexpected_response:
    case caf::sec::invalid_argument: return error{errc::internal, "the actor asked and the asker disagree: " + text};
    default: break;
    }
  }
  return error{errc::unavailable, "the actor asked failed: " + text};
}

void coroutine_host::start(task<void> root, ended_function ended) {
  root_ = std::move(root);
  ended_ = std::move(ended);
  root_.start();
  finish_if_done();
}

void coroutine_host::reset() noexcept {
  waiting_ = nullptr;
  ++wait_number_;
  root_.reset();
  for (const auto& set : timers_)
    self_->clock().cancel_request_timeout(self_, set.id);
  timers_.clear();
}

coroutine_host::time_point coroutine_host::deadline(std::chrono::nanoseconds timeout) const {
  const auto from = now();
  return timeout >= time_point::max() - from ? time_point::max() : from + timeout;
}

void coroutine_host::waiter::suspend(std::coroutine_handle<> waiting, time_point until) {
  waiting_ = waiting;
  until_ = until;
  host_.waiting_ = this;
  ++host_.wait_number_;
  host_.arm(until);
}

void coroutine_host::wake() {
  auto* woken = std::exchange(waiting_, nullptr);
  if (woken == nullptr)
    return;
  woken->waiting_.resume();
  finish_if_done();
}

void coroutine_host::arm(time_point until) {
  if (until == time_point::max() || (!timers_.empty() && timers_.back().at <= until))
    return;
  const auto id = self_->new_request_id(caf::message_priority::normal).response_id();
  timers_.push_back(timer{until, id});
  self_->add_multiplexed_response_handler(id, caf::behavior{[this, id](const caf::error&) { on_timer(id); }});
  self_->clock().set_request_timeout(until, self_, id);
}

void coroutine_host::on_timer(caf::message_id id) {
  std::erase_if(timers_, [id](const timer& t) { return t.id == id; });
  if (waiting_ == nullptr)
    return;
  if (now() >= waiting_->until_ && waiting_->expired())
    wake();
  else if (waiting_ != nullptr)
    arm(waiting_->until_);
}

void coroutine_host::forget(waiter& gone) noexcept {
  if (waiting_ == &gone)
    waiting_ = nullptr;
}

void coroutine_host::finish_if_done() {
  if (!root_ || !root_.done())
    return;
  std::exception_ptr failure;
  try {
    root_.take();
  } catch (...) {
    failure = std::current_exception();
  }
  root_.reset();
  if (auto ended = std::exchange(ended_, nullptr))
    ended(failure);
}

} // namespace merpati::runtime
