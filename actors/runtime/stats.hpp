// What every actor tells about itself, readable at any moment from any thread without asking the actor: one small
// block of atomics per actor in a process-wide registry. The lock (one of several) is taken only to register,
// unregister, set a label or an error, and by the reader.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <caf/all.hpp>

namespace merpati::runtime {

/// A copy of one actor's numbers at one moment.
struct actor_stats {
  std::uint64_t id = 0; ///< CAF's actor id; 0: none
  std::string kind;     ///< "imap", "store", ...
  std::string label;    ///< what it is busy with: an address, a mailbox; may be empty
  std::uint64_t parent = 0;
  std::int64_t started_us = 0;     ///< wall clock, microseconds since 1970 UTC
  std::uint32_t mailbox_depth = 0; ///< messages that waited when it last began to handle one
  std::uint64_t handled = 0;
  std::uint64_t busy_ns = 0; ///< wall time spent in its handlers
  std::uint32_t restarts = 0;
  std::string last_error;
};

/// All actors of a kind together, ended ones included, so that counters never go back.
struct kind_stats {
  std::string kind;
  std::uint64_t alive = 0;
  std::uint64_t started = 0;
  std::uint64_t failed = 0; ///< ended with an error
  std::uint64_t handled = 0;
  std::uint64_t busy_ns = 0;
  std::uint64_t restarts = 0;
  std::string last_error;
};

namespace detail {
struct stats_block;
} // namespace detail

/// Held by an actor in its state; its destruction takes the actor off the list and keeps its sums. Move-only. All
/// members may be called on an empty handle and then do nothing.
class stats_handle {
public:
  stats_handle() noexcept = default;
  stats_handle(stats_handle&& other) noexcept;
  stats_handle& operator=(stats_handle&& other) noexcept;
  ~stats_handle();

  /// `label` is cut at 64 octets. `kind` is one of a small set of words: each kind is kept for ever.
  static stats_handle add(std::uint64_t id, std::string_view kind, std::string_view label = {},
                          std::uint64_t parent = 0);

  void set_label(std::string_view label);
  void set_error(std::string_view what); ///< cut at 200 octets; counts as a failure of its kind
  void add_restart() noexcept;
  void set_mailbox_depth(std::size_t messages) noexcept;
  void add_handled(std::uint64_t nanoseconds) noexcept;

  /// Counts one handled message and the time until its own destruction.
  class timing {
  public:
    explicit timing(stats_handle& owner) noexcept : owner_(owner), begun_(std::chrono::steady_clock::now()) {}
    ~timing() {
      owner_.add_handled(static_cast<std::uint64_t>(
          std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now() - begun_).count()));
    }
    timing(const timing&) = delete;
    timing& operator=(const timing&) = delete;

  private:
    stats_handle& owner_;
    std::chrono::steady_clock::time_point begun_;
  };
  [[nodiscard]] timing measure() noexcept { return timing(*this); }

  /// Wraps a handler so that each call is counted and timed: `stats.counted(self, [this](const x& m) { ... })`. The
  /// handle must outlive the behaviour and stay where it is.
  template <class Self, class F>
  auto counted(Self* self, F handler) {
    return wrap(self, std::move(handler), typename caf::detail::get_callable_trait<F>::arg_types{});
  }
  /// The same without the mailbox's depth, for brokers: they handle what sockets report while their mailbox is marked
  /// as waited for, and asking it for its size would take that mark away; nothing would wake the broker again.
  template <class F>
  auto timed(F handler) {
    return wrap_timed(std::move(handler), typename caf::detail::get_callable_trait<F>::arg_types{});
  }

private:
  template <class Self, class F, class... Ts>
  auto wrap(Self* self, F handler, caf::detail::type_list<Ts...>) {
    return [this, self, handler = std::move(handler)](Ts... xs) mutable {
      set_mailbox_depth(self->mailbox().size());
      auto counted_until_return = measure();
      return handler(std::forward<Ts>(xs)...);
    };
  }

  template <class F, class... Ts>
  auto wrap_timed(F handler, caf::detail::type_list<Ts...>) {
    return [this, handler = std::move(handler)](Ts... xs) mutable {
      auto counted_until_return = measure();
      return handler(std::forward<Ts>(xs)...);
    };
  }

  explicit stats_handle(detail::stats_block* block) noexcept : block_(block) {}
  detail::stats_block* block_ = nullptr;
};

/// Tells that actor `id` is the `restarts`-th incarnation after the first; may come before the actor has registered.
void record_restarts(std::uint64_t id, std::uint32_t restarts);

/// All actors alive, by kind and id. Never waits for an actor.
std::vector<actor_stats> snapshot();
/// The sums per kind, by name.
std::vector<kind_stats> totals();

} // namespace merpati::runtime
