#include "actors/auth/hashing_actor.hpp"

#include <exception>

#include "actors/runtime/stats.hpp"
#include "base/log.hpp"

namespace merpati::auth {

namespace {

struct hashing_state {
  static inline const char* name = "hashing";

  verify_function verify;
  runtime::stats_handle stats;
};

hashing_actor::behavior_type run_hashing(hashing_actor::stateful_pointer<hashing_state> self, verify_function verify) {
  self->state.verify = std::move(verify);
  self->state.stats = runtime::stats_handle::add(self->id(), "hashing");
  self->set_exception_handler([self](std::exception_ptr& thrown) -> caf::error {
    try {
      std::rethrow_exception(thrown);
    } catch (const std::exception& e) {
      self->state.stats.set_error(e.what());
      log::error("hashing a password failed: {}; another worker takes its place", e.what());
    }
    return caf::sec::runtime_error;
  });
  return {
      [self](const hash_job& job) {
        auto timing = self->state.stats.measure();
        hash_verdict verdict;
        verdict.matches = self->state.verify(job.encoded, job.password);
        return verdict;
      },
  };
}

} // namespace

hashing_actor spawn_hashing(caf::actor_system& system, verify_function verify, bool detached) {
  return detached ? system.spawn<caf::detached>(run_hashing, std::move(verify))
                  : system.spawn(run_hashing, std::move(verify));
}

} // namespace merpati::auth
