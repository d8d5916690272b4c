#include "actors/runtime/stats.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <mutex>
#include <tuple>
#include <unordered_map>

#include "base/clock.hpp"

namespace merpati::runtime {

namespace {

constexpr std::size_t longest_label = 64;
constexpr std::size_t longest_error = 200;
constexpr std::size_t shard_count = 16;

/// Sums of the ended actors of a kind, and how many there are and were.
struct kind_sums {
  std::uint64_t alive = 0;
  std::uint64_t started = 0;
  std::uint64_t failed = 0;
  std::uint64_t handled = 0;
  std::uint64_t busy_ns = 0;
  std::uint64_t restarts = 0;
  std::string last_error;
};

using kind_map = std::map<std::string, kind_sums, std::less<>>;

} // namespace

namespace detail {

// Numbers have one writer, the actor, and so need no read-modify-write; text is guarded by the shard's lock.
struct stats_block {
  std::uint64_t id = 0;
  std::uint64_t parent = 0;
  std::int64_t started_us = 0;
  kind_map::value_type* kind = nullptr;
  std::atomic<std::uint64_t> handled{0};
  std::atomic<std::uint64_t> busy_ns{0};
  std::atomic<std::uint32_t> mailbox_depth{0};
  std::atomic<std::uint32_t> restarts{0};
  std::string label;
  std::unique_ptr<std::string> last_error;
  stats_block* previous = nullptr;
  stats_block* next = nullptr;
};

static_assert(sizeof(stats_block) <= 200);

} // namespace detail

namespace {

using detail::stats_block;

struct shard {
  std::mutex mutex;
  stats_block* first = nullptr;
  kind_map kinds;
  std::unordered_map<std::uint64_t, std::uint32_t> restarts_before; // of actors that have not registered yet

  void link(stats_block* block) {
    block->next = first;
    if (first != nullptr)
      first->previous = block;
    first = block;
  }
  void unlink(stats_block* block) {
    if (block->previous != nullptr)
      block->previous->next = block->next;
    else
      first = block->next;
    if (block->next != nullptr)
      block->next->previous = block->previous;
  }
};

/// Never destroyed: actors may end after static objects.
std::array<shard, shard_count>& shards() {
  static auto* const all = new std::array<shard, shard_count>;
  return *all;
}

shard& shard_of(std::uint64_t id) {
  return shards()[id % shard_count];
}

template <class T>
void add_to(std::atomic<T>& number, T by) noexcept {
  number.store(number.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
}

actor_stats copy(const stats_block& block) {
  actor_stats out;
  out.id = block.id;
  out.kind = block.kind->first;
  out.label = block.label;
  out.parent = block.parent;
  out.started_us = block.started_us;
  out.mailbox_depth = block.mailbox_depth.load(std::memory_order_relaxed);
  out.handled = block.handled.load(std::memory_order_relaxed);
  out.busy_ns = block.busy_ns.load(std::memory_order_relaxed);
  out.restarts = block.restarts.load(std::memory_order_relaxed);
  if (block.last_error)
    out.last_error = *block.last_error;
  return out;
}

} // namespace

stats_handle stats_handle::add(std::uint64_t id, std::string_view kind, std::string_view label, std::uint64_t parent) {
  auto block = std::make_unique<stats_block>();
  block->id = id;
  block->parent = parent;
  block->started_us = clock_source::system().now().time_since_epoch().count();
  block->label = label.substr(0, longest_label);
  auto& home = shard_of(id);
  std::scoped_lock lock(home.mutex);
  auto found = home.kinds.find(kind);
  if (found == home.kinds.end())
    found = home.kinds.emplace(std::string(kind), kind_sums{}).first;
  block->kind = &*found;
  ++found->second.alive;
  ++found->second.started;
  if (auto before = home.restarts_before.find(id); before != home.restarts_before.end()) {
    block->restarts = before->second;
    home.restarts_before.erase(before);
  }
  home.link(block.get());
  return stats_handle(block.release());
}

stats_handle::stats_handle(stats_handle&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}

stats_handle& stats_handle::operator=(stats_handle&& other) noexcept {
  std::swap(block_, other.block_);
  return *this;
}

stats_handle::~stats_handle() {
  if (block_ == nullptr)
    return;
  auto& home = shard_of(block_->id);
  std::unique_ptr<stats_block> owned(block_);
  std::scoped_lock lock(home.mutex);
  home.unlink(block_);
  auto& sums = block_->kind->second;
  --sums.alive;
  sums.handled += block_->handled;
  sums.busy_ns += block_->busy_ns;
  sums.restarts += block_->restarts;
}

void stats_handle::set_label(std::string_view label) {
  if (block_ == nullptr)
    return;
  std::scoped_lock lock(shard_of(block_->id).mutex);
  block_->label = label.substr(0, longest_label);
}

void stats_handle::set_error(std::string_view what) {
  if (block_ == nullptr)
    return;
  std::scoped_lock lock(shard_of(block_->id).mutex);
  block_->last_error = std::make_unique<std::string>(what.substr(0, longest_error));
  ++block_->kind->second.failed;
  block_->kind->second.last_error = *block_->last_error;
}

void stats_handle::add_restart() noexcept {
  if (block_ != nullptr)
    add_to(block_->restarts, std::uint32_t{1});
}

void stats_handle::set_mailbox_depth(std::size_t messages) noexcept {
  if (block_ != nullptr)
    block_->mailbox_depth.store(static_cast<std::uint32_t>(messages), std::memory_order_relaxed);
}

void stats_handle::add_handled(std::uint64_t nanoseconds) noexcept {
  if (block_ == nullptr)
    return;
  add_to(block_->handled, std::uint64_t{1});
  add_to(block_->busy_ns, nanoseconds);
}

void record_restarts(std::uint64_t id, std::uint32_t restarts) {
  auto& home = shard_of(id);
  std::scoped_lock lock(home.mutex);
  for (auto* block = home.first; block != nullptr; block = block->next) {
    if (block->id == id) {
      block->restarts = restarts;
      return;
    }
  }
  home.restarts_before[id] = restarts;
}

std::vector<actor_stats> snapshot() {
  std::vector<actor_stats> all;
  for (auto& each : shards()) {
    std::scoped_lock lock(each.mutex);
    for (const auto* block = each.first; block != nullptr; block = block->next)
      all.push_back(copy(*block));
  }
  std::sort(all.begin(), all.end(),
            [](const auto& a, const auto& b) { return std::tie(a.kind, a.id) < std::tie(b.kind, b.id); });
  return all;
}

std::vector<kind_stats> totals() {
  std::map<std::string, kind_stats> sums;
  for (auto& each : shards()) {
    // An actor adds to its shard's sums when it ends, under this lock: it is counted alive or ended, never both.
    std::scoped_lock lock(each.mutex);
    for (const auto& [kind, ended] : each.kinds) {
      auto& sum = sums[kind];
      sum.kind = kind;
      sum.alive += ended.alive;
      sum.started += ended.started;
      sum.failed += ended.failed;
      sum.handled += ended.handled;
      sum.busy_ns += ended.busy_ns;
      sum.restarts += ended.restarts;
      if (!ended.last_error.empty())
        sum.last_error = ended.last_error;
    }
    for (const auto* block = each.first; block != nullptr; block = block->next) {
      auto& sum = sums[block->kind->first];
      sum.handled += block->handled.load(std::memory_order_relaxed);
      sum.busy_ns += block->busy_ns.load(std::memory_order_relaxed);
      sum.restarts += block->restarts.load(std::memory_order_relaxed);
    }
  }
  std::vector<kind_stats> out;
  out.reserve(sums.size());
  for (auto& [kind, sum] : sums)
    out.push_back(std::move(sum));
  return out;
}

} // namespace merpati::runtime
