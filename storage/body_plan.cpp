// Puts the bodies of a batch on disk before its index transaction refers to them.
#include <algorithm>
#include <tuple>

#include <fcntl.h>
#include <spdlog/fmt/fmt.h>
#include <unistd.h>

#include "base/crypto.hpp"
#include "base/log.hpp"
#include "storage/limits.hpp"
#include "storage/shard_state.hpp"

namespace merpati::storage {

namespace {

bool is_spool_name(std::string_view name) {
  return !name.empty() && name.size() <= storage_limits.spool_name_bytes
         && std::all_of(name.begin(), name.end(),
                        [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); });
}

std::uint64_t size_of(const body_source& source) {
  if (const auto* memory = std::get_if<std::shared_ptr<const std::string>>(&source))
    return *memory ? (*memory)->size() : 0;
  return std::get<spooled_body>(source).size_bytes;
}

/// Writes `header` and then all of `from` to a new file and syncs it; returns the checksum of both.
result<std::uint64_t> copy_behind(std::string_view header, const io::file& from, const std::filesystem::path& to) {
  auto out = io::open(to, O_RDWR | O_CREAT | O_TRUNC);
  if (!out)
    return tl::unexpected(out.error());
  crypto::running_checksum sum;
  std::string piece(header);
  std::uint64_t written = 0;
  std::uint64_t taken = 0;
  while (!piece.empty()) {
    sum.add(piece);
    iovec v{piece.data(), piece.size()};
    if (auto done = io::write(*out, {&v, 1}, written); !done)
      return tl::unexpected(done.error());
    written += piece.size();
    piece.resize(256 << 10);
    auto got = io::read(from, piece.data(), piece.size(), taken);
    if (!got)
      return tl::unexpected(got.error());
    taken += *got;
    piece.resize(*got);
  }
  if (auto synced = io::sync(*out); !synced)
    return tl::unexpected(synced.error());
  return sum.value();
}

} // namespace

result<void> shard::state::place_spooled(const spooled_body& spooled, planned_body& body,
                                         std::vector<std::string>& linked) {
  if (!is_spool_name(spooled.file))
    return fail(errc::invalid, "the name of the spooled body is not one of ours");
  auto from = paths.spool() / spooled.file;
  auto file = io::open(from, O_RDONLY);
  if (!file)
    return tl::unexpected(file.error());
  auto size = io::size(*file);
  if (!size)
    return tl::unexpected(size.error());
  if (*size != spooled.size_bytes)
    return fail(errc::corrupted,
                fmt::format("{} has {} octets where {} were written", from.string(), *size, spooled.size_bytes));
  auto to = large_body_path(paths.folder, body.row.id);
  // A number that a batch left behind when its commit failed; nobody refers to it.
  if (auto gone = io::unlink(to); !gone)
    return gone;
  linked.push_back(to.string());
  if (body.header.empty())
    return io::link(from, to);
  auto sum = copy_behind(body.header, *file, to);
  if (!sum) {
    std::ignore = io::unlink(to); // its number is used up; fsck would find it
    return tl::unexpected(sum.error());
  }
  body.row.checksum = *sum;
  return {};
}

void shard::state::plan_message(transaction& txn, const add_message& m, batch_plan& plan,
                                std::vector<segment_writer::record>& records, std::vector<std::string>& linked) {
  // A body for each front that is used; ids are used up whatever becomes of the mutation, so that they do not depend on
  // how mutations are grouped into batches.
  auto& mine = plan.messages[&m];
  auto first = plan.bodies.size();
  mine.of_front.assign(m.fronts.size(), message_plan::unused);
  std::uint64_t bytes = 0;
  auto want = [&](std::uint32_t index) {
    if (index >= m.fronts.size() || mine.of_front[index] != message_plan::unused)
      return;
    mine.of_front[index] = plan.bodies.size();
    planned_body body;
    body.row.id = body_id(plan.next_body++);
    body.row.size_bytes = m.fronts[index].header.size() + size_of(m.body);
    body.summary = m.fronts[index].summary;
    body.header = m.fronts[index].header;
    bytes += body.row.size_bytes;
    plan.bodies.push_back(body);
  };
  for (const auto& t : m.targets)
    want(t.front);
  for (const auto& w : m.waiting)
    want(w.front);

  bool named = std::any_of(m.delivery.begin(), m.delivery.end(), [](auto octet) { return octet != 0; });
  if (named && txn.has(table::deliveries, schema::as_key(m.delivery)))
    return;
  if (!plan.room)
    plan.room = room_for_bodies();
  if (*plan.room < bytes) {
    mine.failed = error{errc::disk_full, fmt::format("the disk of {} is nearly full", paths.folder.string())};
    return;
  }
  *plan.room -= bytes;
  if (auto admitted = map_admits(); !admitted) {
    mine.failed = admitted.error();
    return;
  }
  for (auto i = first; i < plan.bodies.size(); ++i) {
    auto& body = plan.bodies[i];
    if (const auto* memory = std::get_if<std::shared_ptr<const std::string>>(&m.body)) {
      if (!*memory) {
        mine.failed = error{errc::invalid, "the message has no body"};
        return;
      }
      if (body.header.empty()) {
        body.row.checksum = crypto::checksum(**memory);
      } else {
        crypto::running_checksum sum;
        sum.add(body.header);
        sum.add(**memory);
        body.row.checksum = sum.value();
      }
      body.row.segment = 1; // in a segment; append_records says which
      records.push_back({{body.row.id, body.row.size_bytes, body.row.checksum}, body.header, **memory});
    } else {
      const auto& spooled = std::get<spooled_body>(m.body);
      body.row.checksum = spooled.checksum;
      if (auto placed = place_spooled(spooled, body, linked); !placed) {
        mine.failed = placed.error();
        return;
      }
      body.written = true;
    }
  }
}

result<void> shard::state::ready_segments() {
  if (!segments_lost)
    return {};
  if (auto reopened = segments.rollback(); !reopened)
    return reopened;
  segments_lost = false;
  return {};
}

void shard::state::append_records(std::span<const segment_writer::record> records, batch_plan& plan) {
  auto ready = ready_segments();
  auto places = ready ? segments.append(records) : tl::unexpected(ready.error());
  std::unordered_map<body_id, segment_writer::place> by_id;
  if (places)
    for (std::size_t i = 0; i < records.size(); ++i)
      by_id.emplace(records[i].head.id, (*places)[i]);
  for (auto& body : plan.bodies) {
    auto found = by_id.find(body.row.id);
    if (found == by_id.end())
      continue;
    body.row.segment = found->second.segment;
    body.row.offset = found->second.offset;
    body.written = true;
  }
  if (!places)
    give_up_records(plan, places.error());
}

void shard::state::give_up_records(batch_plan& plan, const error& why) {
  // Without bodies the messages of this batch fail, each for itself; flags and removals still go through.
  if (!segments.rollback())
    segments_lost = true;
  auto in_segment = [&](std::size_t i) { return plan.bodies[i].row.segment != 0; };
  for (std::size_t i = 0; i < plan.bodies.size(); ++i)
    if (in_segment(i))
      plan.bodies[i].written = false;
  for (auto& [m, mine] : plan.messages) {
    bool hit = std::any_of(mine.of_front.begin(), mine.of_front.end(),
                           [&](std::size_t i) { return i != message_plan::unused && in_segment(i); });
    if (hit && !mine.failed)
      mine.failed = why;
  }
}

std::uint64_t shard::state::room_for_bodies() const {
  auto free = io::free_bytes(paths.folder);
  return free - std::min(free, options.reserve_bytes);
}

batch_plan shard::state::plan_bodies(transaction& txn, std::span<const mutation> batch,
                                     std::vector<std::string>& linked) {
  batch_plan plan;
  schema::counters numbers;
  if (auto value = txn.get(table::meta, schema::counters_key)) {
    auto known = schema::decode_counters(*value);
    if (!known)
      throw failure{{errc::corrupted, "the shard's counters can't be read: run merpati fsck"}};
    numbers = *known;
  }
  plan.next_body = numbers.next_body;
  std::vector<segment_writer::record> records;
  for (const auto& m : batch)
    for_each_message(m, [&](const add_message& add) { plan_message(txn, add, plan, records, linked); });
  if (!records.empty())
    append_records(records, plan);
  if (!linked.empty())
    if (auto synced = io::sync_folder(paths.bodies()); !synced)
      for (auto& [m, mine] : plan.messages)
        if (std::holds_alternative<spooled_body>(m->body) && !mine.failed)
          mine.failed = synced.error();
  return plan;
}

} // namespace merpati::storage
