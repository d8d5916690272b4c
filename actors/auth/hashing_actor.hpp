// owns: nothing between jobs
// receives: hash_job, from its authenticator, one at a time
// sends: hash_verdict, the answer
// dies when: told to exit; an exception in verify ends it and fails that one job
// supervised by: its authenticator, which starts another. Blocks for tens of milliseconds: detached in the daemon
#pragma once

#include <functional>
#include <string>

#include <caf/all.hpp>

namespace merpati::auth {

struct hash_job {
  std::string encoded; ///< PHC string
  std::string password;
};

struct hash_verdict {
  bool matches = false;
};

} // namespace merpati::auth

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(merpati::auth::hash_job)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(merpati::auth::hash_verdict)

namespace merpati::auth {

using hashing_actor = caf::typed_actor<caf::replies_to<hash_job>::with<hash_verdict>>;

/// True when `password` matches the PHC string `encoded`. May take its time.
using verify_function = std::function<bool(const std::string& encoded, const std::string& password)>;

hashing_actor spawn_hashing(caf::actor_system& system, verify_function verify, bool detached);

} // namespace merpati::auth
