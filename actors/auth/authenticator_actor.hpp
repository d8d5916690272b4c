// owns: the pool of hashing workers, the queue before it, the counts of failed logins, the cache of right passwords
// receives: credentials, scram_request and scram_success, from sessions
// sends: login_verdict and scram_offer to the asker; hash jobs to its workers
// dies when: told to exit, after it answered every login that waits with shutting_down; never by input
// supervised by: the services supervisor. Does not block: hashing runs in hashing_actors, detached ones in the daemon
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include <caf/all.hpp>

#include "actors/auth/hashing_actor.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "protocols/sasl/scram.hpp"
#include "storage/rows.hpp"

namespace merpati::auth {

/// Who wants in, and from where. `login` is an address in any spelling; `password` may or may not be SASLprepped.
struct credentials {
  std::string login;
  std::string password;
  std::string client_address; ///< numeric IPv4 or IPv6
};

/// Who somebody turned out to be.
struct identity {
  account_id account;
  std::string name; ///< canonical address
  std::uint32_t shard = 0;
  bool operator==(const identity&) const = default;
};

/// Failures: auth_failed (wrong password, no such account or disabled: nobody can tell which, by time neither),
/// too_many (this client network or this account fails too often: try later), unavailable (hashing queue full, account
/// rows unreadable; temporary).
struct login_verdict {
  result<identity> who = fail(errc::internal, "no verdict");
};

/// Whose SCRAM keys are wanted, and where the client is.
struct scram_request {
  std::string login;
  std::string client_address; ///< numeric
};

/// Keys to check a proof against. Who does not exist, or may not log in, has keys too, which nobody can meet. The try
/// counts as failed until scram_success. Failures: too_many, unavailable.
struct scram_offer {
  result<sasl::scram_credentials> keys = fail(errc::internal, "no offer");
};

/// The client of a scram_request with the same values proved that it knows the password.
struct scram_success {
  std::string login;
  std::string client_address;
};

/// The account with this canonical name; none if there is none; a failure if that can't be known now. Called on a
/// scheduler worker, so it must not wait: a look-up in an index snapshot.
using account_source = std::function<result<std::optional<storage::account_row>>(const std::string& name)>;

struct authenticator_limits {
  std::size_t workers = 2;                 ///< each takes a core for 20 ms and 19 MiB a password
  std::size_t queue = 256;                 ///< logins that wait for a worker; 2.5 s of work for two
  std::size_t failures = 10;               ///< of one client network or login name in `failure_window`, then each
                                           ///< try waits; loopback is counted for each login name on its own,
                                           ///< since webmail and proxies come from there
  std::chrono::seconds failure_window{60}; ///< a failure is forgotten after so long divided by `failures`
  std::chrono::seconds longest_delay{30};  ///< a login that would wait longer is refused with too_many
  std::size_t delayed = 1'024;             ///< logins that wait for their delay to pass; beyond it too_many
  std::size_t counted = 65'536;            ///< networks and names with failures; the longest quiet ones are forgotten
  std::chrono::seconds remembered{60};     ///< how long a right password needs no hashing; 0: never
  std::size_t remembered_entries = 16'384; ///< about 200 octets each
  std::size_t login_octets = 320;          ///< RFC 5321 4.5.3.1: 64 + "@" + 255
  std::size_t password_octets = 256;       ///< no account has a longer one, see mail::password_max_octets
};

struct authenticator_options {
  account_source accounts;
  verify_function verify;       ///< empty: crypto::argon2id_verify
  bool detached_workers = true; ///< false under a testing scheduler
  authenticator_limits limits;
};

} // namespace merpati::auth

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(merpati::auth::credentials)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(merpati::auth::login_verdict)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(merpati::auth::scram_request)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(merpati::auth::scram_offer)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(merpati::auth::scram_success)

namespace merpati::auth {

using authenticator_actor = caf::typed_actor<caf::replies_to<credentials>::with<login_verdict>,
                                             caf::replies_to<scram_request>::with<scram_offer>,
                                             caf::replies_to<scram_success>::with<login_verdict>>;

authenticator_actor spawn_authenticator(caf::actor_system& system, authenticator_options options);

} // namespace merpati::auth
