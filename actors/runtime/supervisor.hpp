// supervisor: starts children from their specifications, starts them again when they fail, gives up past a budget,
// and stops them in order.
//
// owns: the list of children; holds a handle to each.
// receives: adopt_child, stop_request, stop_in_order, child_count; the ends of its children.
// sends: stop_request or an exit to children.
// dies when: told to stop and all children are gone, or a child's budget is used up (exit reason
//   supervisor_error::budget_exhausted, after the other children were killed; whoever supervises it decides).
// supervised by: another supervisor, or main through `on_escalation`. Never blocks.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <caf/all.hpp>

#include "actors/runtime/messages.hpp"

namespace merpati::runtime {

enum class restart_policy : std::uint8_t {
  permanent, ///< started again however it ended
  transient, ///< started again unless it ended normally
  temporary  ///< never started again
};

/// Where the present incarnation of a restarted actor is found. Thread-safe. Cleared when its supervisor ends.
class actor_slot {
public:
  caf::actor get() const;
  void set(caf::actor now);

private:
  mutable std::mutex mutex_;
  caf::actor now_;
};

struct child_spec {
  std::string name; ///< unique within its supervisor
  /// Makes the actor; called again for each restart. `parent` is the supervisor's actor id. An exception counts as a
  /// failure of the child.
  std::function<caf::actor(caf::actor_system&, std::uint64_t parent)> factory;
  restart_policy restart = restart_policy::permanent;
  /// More than `restarts` restarts `within` this time and the supervisor gives up.
  std::uint32_t restarts = 5;
  std::chrono::nanoseconds within = std::chrono::minutes(1);
  /// The first restart in that time is immediate, the second waits this long, each further one twice as long.
  std::chrono::nanoseconds restart_delay = std::chrono::milliseconds(100);
  /// Ordered stop goes through the phases from the lowest to the highest; children of a phase stop together.
  int phase = 0;
  /// True: told to stop by the message stop_request; false: by exit reason user_shutdown.
  bool takes_stop_request = true;
  std::shared_ptr<actor_slot> slot; ///< kept up to date when given
};

/// Takes a running actor as a temporary child, such as a session that a listener made.
struct adopt_child {
  caf::actor child;
  int phase = 0;
};

/// Ordered stop within `deadline` in all; whoever has not quit when its share is over is killed. A phase that ends
/// early leaves its time to the later ones. Answered with the number of children that had to be killed.
struct stop_in_order {
  std::chrono::nanoseconds deadline;
};

struct count_children {};

/// The error category of supervisors' exit reasons.
enum class supervisor_error : std::uint8_t { budget_exhausted = 1 };
caf::error make_error(supervisor_error code, std::string what);

} // namespace merpati::runtime

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(merpati::runtime::adopt_child)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(merpati::runtime::stop_in_order)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(merpati::runtime::count_children)

namespace merpati::runtime {

using supervisor_actor = caf::typed_actor<caf::reacts_to<adopt_child>, caf::reacts_to<stop_request>,
                                          caf::replies_to<stop_in_order>::with<std::uint64_t>,
                                          caf::replies_to<count_children>::with<std::uint64_t>>;

struct supervisor_settings {
  std::string name;
  std::vector<child_spec> children;
  std::uint64_t parent = 0;
  /// Called once, on a scheduler thread, when the budget is used up. For the topmost supervisor: main ends the process.
  std::function<void(const std::string& why)> on_escalation;
  /// What stop_request (which names no deadline) allows.
  std::chrono::nanoseconds stop_deadline = std::chrono::seconds(8);
};

/// Starts the supervisor; its children are started, in the order given, as the first thing it does.
supervisor_actor spawn_supervisor(caf::actor_system& system, supervisor_settings settings);

} // namespace merpati::runtime
