#include "actors/store/io_actor.hpp"

namespace merpati::store {

namespace {

io_actor::behavior_type run_io(io_actor::pointer) {
  return {
      [](const io_job& job) {
        job.run();
        return io_done{};
      },
  };
}

} // namespace

io_actor spawn_io(caf::actor_system& system, bool detached) {
  return detached ? system.spawn<caf::detached>(run_io) : system.spawn(run_io);
}

} // namespace merpati::store
