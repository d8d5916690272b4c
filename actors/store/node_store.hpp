// The shards of this node as sessions see them: read directly, write through the writer actor.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "actors/runtime/supervisor.hpp"
#include "actors/store/io_actor.hpp"
#include "actors/store/writer_actor.hpp"
#include "base/result.hpp"
#include "storage/shard.hpp"

namespace merpati::store {

/// Immutable after start and shared by all; only the writers behind their slots change, when one is restarted.
class node_store {
public:
  struct entry {
    std::shared_ptr<storage::shard> shard;
    std::shared_ptr<runtime::actor_slot> writer;
  };

  node_store(std::vector<entry> shards, io_pool io) : shards_(std::move(shards)), io_(std::move(io)) {}

  std::uint32_t shards() const noexcept { return static_cast<std::uint32_t>(shards_.size()); }
  storage::shard& shard(std::uint32_t index) const { return *shards_.at(index).shard; }
  result<storage::read_view> read(std::uint32_t index) const { return shard(index).read(); }
  /// The shard's writer as of now; an actor that has ended while it is being restarted.
  writer_actor writer(std::uint32_t index) const {
    return caf::actor_cast<writer_actor>(shards_.at(index).writer->get());
  }
  const io_pool& io() const noexcept { return io_; }

private:
  std::vector<entry> shards_;
  io_pool io_;
};

} // namespace merpati::store
