// owns: the rates of client networks and accounts, what greylisting knows
// receives: connection_check, sender_check, recipient_check, send_check, from sessions; stop_request
// sends: client_query to the look-up actor; io_job (load and save greylisting) to a file worker; verdicts to askers
// dies when: told to stop, once greylisting is saved, or to exit; never by input
// supervised by: the services supervisor. Does not block
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <caf/all.hpp>

#include "actors/policy/client_lookup_actor.hpp"
#include "actors/store/io_actor.hpp"
#include "base/clock.hpp"

namespace merpati::policy {

/// A client connected to an MX listener. `address`: numeric, of the client itself (after PROXY).
struct connection_check {
  std::string address;
};

struct connection_verdict {
  /// Too many connections from this network: 421 4.7.0 and close.
  bool admitted = true;
  /// It is on lists of bad addresses: 550 5.7.1 to each RCPT (but postmaster's) names `lists.zone`.
  bool listed = false;
  bool exempt = false;                      ///< loopback, or named in `exempt`
  bool welcome = false;                     ///< on a list of good ones
  std::string name;                         ///< verified by DNS; empty: unknown
  std::string zone;                         ///< of the list that decided; may be empty
  std::chrono::milliseconds greet_pause{0}; ///< wait so long before the greeting; who talks meanwhile is refused
};

/// MAIL at an MX listener. Charges the network for one message.
struct sender_check {
  std::string address;
};
/// RCPT at an MX listener, for a recipient that exists. `sender` empty: null reverse-path. Charges the network for one
/// recipient.
struct recipient_check {
  std::string address;
  std::string sender;
  std::string recipient;
  bool trusted = false; ///< welcome or listed as such, SPF passed, logged in: no greylisting
};
/// A whole message of somebody who has logged in, before DATA is answered 354. Charges the account if it may pass.
struct send_check {
  std::string account;
  std::uint32_t recipients = 1;
};

struct check_verdict {
  enum class kind : std::uint8_t {
    ok,
    too_fast,   ///< 450 4.7.1 (network) or 452 4.7.1 (account): temporary
    greylisted, ///< 451 4.7.1
  };
  kind what = kind::ok;
  std::chrono::seconds retry_in{0}; ///< when it is worth to try again
};

/// "Greylisted, try again in 60 seconds", and the like for a rate; empty for ok.
std::string reply_text(const check_verdict& verdict);

struct door_options {
  config::policy_settings policy;
  std::filesystem::path greylist_file;          ///< absolute; empty: nothing survives a restart
  std::chrono::seconds save_every{60};          ///< what a crash may forget
  std::size_t networks = 65'536;                ///< whose rates are kept
  std::size_t accounts = 65'536;                ///< the same
  std::shared_ptr<runtime::actor_slot> lookups; ///< a client_lookup_actor; null: no look-ups
  std::optional<store::io_pool> files;          ///< detached workers in the daemon; none: nothing survives
  const clock_source* clock = &clock_source::system();
  std::shared_ptr<policy::counters> counters; ///< not null
};

} // namespace merpati::policy

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(merpati::policy::connection_check)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(merpati::policy::connection_verdict)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(merpati::policy::sender_check)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(merpati::policy::recipient_check)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(merpati::policy::send_check)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(merpati::policy::check_verdict)

namespace merpati::policy {

using door_actor =
    caf::typed_actor<caf::replies_to<connection_check>::with<connection_verdict>,
                     caf::replies_to<sender_check>::with<check_verdict>,
                     caf::replies_to<recipient_check>::with<check_verdict>,
                     caf::replies_to<send_check>::with<check_verdict>, caf::reacts_to<runtime::stop_request>>;

door_actor spawn_door(caf::actor_system& system, door_options options);

} // namespace merpati::policy
