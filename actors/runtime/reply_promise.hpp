// reply_promise<T>: an answer owed. CAF's own promise says nothing when it is dropped, and whoever asked would wait for
// ever; this one answers with an error when it is destroyed unfulfilled, be it that its actor failed or was killed.
//
//   [self](const find& what) { self->state.open.push_back(reply_promise<found>(self)); ... }   // untyped behaviour
//   later: state.open.front().deliver(found{...});
//
// Keep it in the actor's state (C9), not in a lambda that outlives the actor.
#pragma once

#include <memory>
#include <utility>

#include <caf/all.hpp>

namespace merpati::runtime {

template <class T>
class reply_promise {
public:
  reply_promise() = default;
  /// Takes over the request that `self` is handling now; the handler itself then returns nothing.
  template <class Self>
  explicit reply_promise(Self* self)
      : promise_(
          std::make_unique<caf::response_promise>(self->template make_response_promise<caf::response_promise>())) {}
  reply_promise(reply_promise&&) noexcept = default;
  reply_promise& operator=(reply_promise&& other) noexcept {
    if (this != &other) {
      drop();
      promise_ = std::move(other.promise_);
    }
    return *this;
  }
  ~reply_promise() { drop(); }

  bool pending() const noexcept { return promise_ != nullptr; }
  void deliver(T value) {
    if (auto promise = std::move(promise_))
      promise->deliver(std::move(value));
  }
  void fail(caf::error why) {
    if (auto promise = std::move(promise_))
      promise->deliver(std::move(why));
  }

private:
  void drop() {
    if (promise_)
      fail(caf::sec::request_receiver_down);
  }

  std::unique_ptr<caf::response_promise> promise_;
};

} // namespace merpati::runtime
