// Where in data_dir the shards are, and with what options they are opened: the same for daemon, command line and fsck.
#pragma once

#include <memory>
#include <vector>

#include "base/result.hpp"
#include "config/settings.hpp"
#include "storage/shard.hpp"

namespace merpati {

/// More than one needs the hand-over of a message between shards, which comes with the waiting list: see
/// docs/decisions/0004-shards.md.
inline constexpr std::uint32_t shards_per_node = 1;

inline storage::shard_options shard_options_of(const config::settings& settings, std::uint32_t index) {
  storage::shard_options out;
  out.folder = settings.data_dir / "shards" / std::to_string(index);
  out.reserve_bytes = settings.storage.reserve_bytes;
  return out;
}

/// All shards, or the first failure, which says what to do.
inline result<std::vector<std::unique_ptr<storage::shard>>> open_shards(const config::settings& settings) {
  std::vector<std::unique_ptr<storage::shard>> out;
  std::error_code ec;
  for (std::uint32_t index = 0; index < shards_per_node; ++index) {
    auto options = shard_options_of(settings, index);
    std::filesystem::create_directories(options.folder.parent_path(), ec);
    auto opened = storage::shard::open(std::move(options));
    if (!opened)
      return tl::unexpected(opened.error());
    out.push_back(std::move(*opened));
  }
  return out;
}

} // namespace merpati
