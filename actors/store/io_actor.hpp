// A worker for file calls that may block: body reads that miss the page cache, spool writes.
//
// owns:          nothing but its thread
// receives:      io_job
// sends:         io_done to whoever asked
// dies when:     told to stop; jobs that wait are dropped, their askers see the actor end
// supervised by: the store supervisor. Blocks: spawned detached.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <vector>

#include <caf/all.hpp>

namespace merpati::store {

/// Runs on the worker's thread. Owns what it touches, by shared_ptr; the asker may be gone when it runs.
struct io_job {
  std::function<void()> run;
};
struct io_done {};

} // namespace merpati::store

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(merpati::store::io_job)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(merpati::store::io_done)

namespace merpati::store {

using io_actor = caf::typed_actor<caf::replies_to<io_job>::with<io_done>>;

/// `detached` is false under the testing scheduler only.
io_actor spawn_io(caf::actor_system& system, bool detached);

/// The workers of a node, asked in turn. Copies share the turn.
class io_pool {
public:
  io_pool() = default;
  explicit io_pool(std::vector<io_actor> workers) : shared_(std::make_shared<shared>(std::move(workers))) {}

  const io_actor& next() const {
    return shared_->workers[shared_->turn.fetch_add(1, std::memory_order_relaxed) % shared_->workers.size()];
  }

private:
  struct shared {
    explicit shared(std::vector<io_actor> w) : workers(std::move(w)) {}
    std::vector<io_actor> workers;
    std::atomic<std::size_t> turn{0};
  };
  std::shared_ptr<shared> shared_;
};

} // namespace merpati::store
