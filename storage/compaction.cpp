// Gives back the space of dead bodies: copies what still lives to the open segment, then removes the file.
#include <algorithm>
#include <tuple>

#include <fcntl.h>
#include <spdlog/fmt/fmt.h>

#include "base/crypto.hpp"
#include "base/log.hpp"
#include "storage/shard_state.hpp"

namespace merpati::storage {

namespace {

// Below this share of dead octets copying the rest costs more than it gives back.
constexpr std::uint64_t worth_percent = 30;

struct candidate {
  std::uint32_t number = 0;
  schema::segment_row row;
};

/// The closed segment with the largest share of dead octets, if it is worth the work.
std::optional<candidate> emptiest(const transaction& txn, std::uint32_t open_segment,
                                  const std::set<std::uint32_t>& hopeless) {
  std::optional<candidate> best;
  auto share = [](const schema::segment_row& row) {
    return static_cast<double>(row.dead_bytes) / static_cast<double>(std::max<std::uint64_t>(row.end_bytes, 1));
  };
  txn.scan(table::segments, {}, [&](std::string_view key, std::string_view value) {
    candidate c{big32(key), schema::decode_segment(value).value_or(schema::segment_row{})};
    bool worth =
        c.row.dead_bytes > 0 && c.row.dead_bytes * 100 >= (c.row.end_bytes - segment_header_bytes) * worth_percent;
    if (c.number != open_segment && worth && !hopeless.contains(c.number) && (!best || share(c.row) > share(best->row)))
      best = c;
    return true;
  });
  return best;
}

} // namespace

result<std::uint64_t> shard::state::compact(std::uint64_t budget_bytes) {
  if (auto ready = ready_segments(); !ready)
    return tl::unexpected(ready.error());
  auto txn = env->begin_write();
  if (!txn)
    return tl::unexpected(txn.error());
  auto victim = emptiest(*txn, segments.current(), hopeless);
  if (!victim)
    return std::uint64_t{0};
  auto file = files->open(victim->number);
  if (!file)
    return tl::unexpected(file.error());

  std::vector<body_row> moving;
  std::vector<std::string> octets;
  std::uint64_t copied = 0;
  bool whole = true;
  auto stopped = walk_segment(**file, victim->row.end_bytes, [&](const record_header& head, std::uint64_t at) {
    auto k = schema::id_key(head.id.value);
    auto value = txn->get(table::bodies, k);
    auto row = value ? schema::decode_body(k, *value) : std::nullopt;
    if (!row || row->segment != victim->number || row->offset != at)
      return true;
    if (copied > 0 && copied + head.size_bytes > budget_bytes)
      return whole = false;
    std::string body(head.size_bytes, '\0');
    auto got = io::read(**file, body.data(), body.size(), at);
    if (!got || *got != body.size() || crypto::checksum(body) != row->checksum) {
      hopeless.insert(victim->number);
      return false;
    }
    copied += std::max<std::uint64_t>(body.size(), 1);
    moving.push_back(*row);
    octets.push_back(std::move(body));
    return true;
  });
  if (!stopped)
    return tl::unexpected(stopped.error());
  if (hopeless.contains(victim->number) || (whole && *stopped < victim->row.end_bytes)) {
    // Salvage may still get something out of it.
    hopeless.insert(victim->number);
    log::error("segment {} of {} is damaged and stays as it is: run merpati fsck", victim->number,
               paths.folder.string());
    return std::uint64_t{0};
  }
  std::vector<segment_writer::record> records;
  for (std::size_t i = 0; i < moving.size(); ++i)
    records.push_back({{moving[i].id, moving[i].size_bytes, moving[i].checksum}, {}, octets[i]});
  auto places = segments.append(records);
  if (auto synced = places ? segments.sync() : tl::unexpected(places.error()); !synced) {
    segments_lost = !segments.rollback();
    return tl::unexpected(synced.error());
  }
  batch_plan nothing;
  change_set changes(*txn, nothing);
  for (std::size_t i = 0; i < moving.size(); ++i)
    changes.move_body(moving[i], (*places)[i].segment, (*places)[i].offset);
  if (whole)
    changes.drop_segment(victim->number);
  changes.flush();
  forget_removed(*txn);
  if (auto done = commit(*txn); !done) {
    segments_lost = !segments.rollback();
    return tl::unexpected(done.error());
  }
  commits.fetch_add(1, std::memory_order_relaxed);
  removed.clear();
  segments.commit_tail();
  if (!whole)
    return copied;
  files->forget(victim->number);
  remove_doomed({std::string(std::string_view(schema::segment_key(victim->number)))});
  return victim->row.end_bytes;
}

result<std::uint64_t> shard::compact(std::uint64_t budget_bytes) {
  state_->keep_room();
  try {
    return state_->compact(budget_bytes);
  } catch (const failure& f) {
    state_->segments_lost = !state_->segments.rollback();
    if (f.map_full)
      std::ignore = state_->env->grow(0, std::chrono::seconds(1)); // the next call finds room, or reports the same
    return tl::unexpected(f.why);
  }
}

} // namespace merpati::storage
