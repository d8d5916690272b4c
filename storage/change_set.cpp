#include "storage/change_set.hpp"

#include <algorithm>

#include <spdlog/fmt/fmt.h>

#include "base/log.hpp"
#include "storage/segment.hpp"

namespace merpati::storage {

namespace {

template <class T>
T decoded(std::optional<T> row, table t) {
  if (!row)
    throw failure{
        {errc::corrupted, fmt::format("a row of table {} can't be understood: run merpati fsck", table_name(t))}};
  return std::move(*row);
}

} // namespace

change_set::change_set(transaction& txn, const batch_plan& plan) : txn_(txn), plan_(plan) {
  if (auto value = txn_.get(table::meta, schema::counters_key))
    counters_ = decoded(schema::decode_counters(*value), table::meta);
  if (plan_.next_body > counters_.next_body)
    edit_counters().next_body = plan_.next_body;
}

result<outcome> change_set::carry_out(const mutation& m) {
  ++epoch_;
  touched_.clear();
  auto done = std::visit([this](const auto& what) { return carry_out(what); }, m);
  if (done)
    done->touched = touched_;
  return done;
}

void change_set::touch(mailbox_id id) {
  // A mutation touches few mailboxes, or (a list) each once: looking at the last ones is enough to keep this short.
  auto recent = touched_.size() > 8 ? touched_.end() - 8 : touched_.begin();
  if (std::find(recent, touched_.end(), id) == touched_.end())
    touched_.push_back(id);
}

const mailbox_row* change_set::find_mailbox(mailbox_id id) {
  auto found = mailboxes_.find(id);
  if (found == mailboxes_.end()) {
    auto k = schema::id_key(id.value);
    auto value = txn_.get(table::mailboxes, k);
    if (!value)
      return nullptr;
    found = mailboxes_.emplace(id, kept_mailbox{decoded(schema::decode_mailbox(k, *value), table::mailboxes)}).first;
  }
  return found->second.gone ? nullptr : &found->second.row;
}

const mailbox_row* change_set::find_mailbox(account_id account, std::string_view name) {
  auto value = txn_.get(table::mailbox_names, schema::owned_name_key(account, name));
  return value ? find_mailbox(mailbox_id(decoded(schema::decode_number(*value), table::mailbox_names))) : nullptr;
}

mailbox_row& change_set::edit_mailbox(mailbox_id id) {
  ++writes_;
  auto& kept = mailboxes_.at(id);
  kept.dirty = true;
  touch(id);
  return kept.row;
}

modseq change_set::next_modseq(mailbox_id id) {
  auto& kept = mailboxes_.at(id);
  if (kept.epoch != epoch_) {
    kept.epoch = epoch_;
    ++edit_mailbox(id).highest_modseq.value;
  }
  return kept.row.highest_modseq;
}

change_set::kept_body* change_set::find_body(body_id id) {
  auto found = bodies_.find(id);
  if (found != bodies_.end())
    return &found->second;
  auto k = schema::id_key(id.value);
  try {
    if (auto value = txn_.get(table::bodies, k))
      if (auto row = schema::decode_body(k, *value))
        return &bodies_.emplace(id, kept_body{*row}).first->second;
  } catch (const failure& f) {
    if (f.why.code != errc::corrupted)
      throw;
  }
  // The message itself can still be flagged and removed; only its body can't be counted any more.
  log::error("body {} of the index is missing or damaged: run merpati fsck", id.value);
  return nullptr;
}

void change_set::use_body(body_id id) {
  if (auto* body = find_body(id)) {
    ++writes_;
    ++body->row.references;
    body->dirty = true;
  }
}

void change_set::use_planned(std::size_t index) {
  const auto& planned = plan_.bodies.at(index);
  auto [at, fresh] = bodies_.try_emplace(planned.row.id, kept_body{planned.row, true, true, planned.summary});
  ++writes_;
  ++at->second.row.references;
}

void change_set::release_body(body_id id) {
  if (auto* body = find_body(id); body && body->row.references > 0) {
    ++writes_;
    --body->row.references;
    body->dirty = true;
  }
}

change_set::kept_usage& change_set::usage(account_id id) {
  auto found = usages_.find(id);
  if (found == usages_.end()) {
    kept_usage kept;
    if (auto value = txn_.get(table::quotas, schema::id_key(id.value)))
      kept.row = decoded(schema::decode_usage(*value), table::quotas);
    found = usages_.emplace(id, kept).first;
  }
  return found->second;
}

change_set::kept_segment& change_set::segment(std::uint32_t number) {
  auto found = segments_.find(number);
  if (found == segments_.end()) {
    kept_segment kept;
    kept.row.end_bytes = segment_header_bytes;
    if (auto value = txn_.get(table::segments, schema::segment_key(number)))
      kept.row = decoded(schema::decode_segment(*value), table::segments);
    found = segments_.emplace(number, kept).first;
  }
  return found->second;
}

schema::counters& change_set::edit_counters() {
  ++writes_;
  counters_dirty_ = true;
  return counters_;
}

std::optional<account_row> change_set::find_account(account_id id) const {
  auto k = schema::id_key(id.value);
  auto value = txn_.get(table::accounts, k);
  if (!value)
    return std::nullopt;
  return decoded(schema::decode_account(k, *value), table::accounts);
}

void change_set::move_body(const body_row& body, std::uint32_t number, std::uint64_t offset) {
  auto* kept = find_body(body.id);
  if (!kept)
    return;
  auto record = record_bytes(body.size_bytes);
  auto& old = segment(kept->row.segment);
  old.row.dead_bytes += record;
  old.dirty = true;
  kept->row.segment = number;
  kept->row.offset = offset;
  kept->dirty = true;
  auto& target = segment(number);
  target.row.end_bytes = std::max(target.row.end_bytes, offset - record_header_bytes + record);
  target.dirty = true;
}

void change_set::drop_segment(std::uint32_t number) {
  ++writes_;
  segment(number).gone = true;
}

void change_set::flush_body(kept_body& body) {
  const auto& row = body.row;
  auto k = schema::id_key(row.id.value);
  if (row.references > 0) {
    txn_.put(table::bodies, k, schema::encode(row), body.fresh);
    if (body.fresh)
      txn_.put(table::summaries, k, body.summary, true);
    return;
  }
  if (!body.fresh) {
    txn_.erase(table::bodies, k);
    txn_.erase(table::summaries, k);
  }
  if (row.segment != 0) {
    auto& home = segment(row.segment);
    home.row.dead_bytes += record_bytes(row.size_bytes);
    home.dirty = true;
  } else {
    doomed_.push_back(row.id);
  }
}

void change_set::flush() {
  for (const auto& planned : plan_.bodies) {
    if (!planned.written)
      continue;
    if (planned.row.segment != 0) {
      auto& home = segment(planned.row.segment);
      auto end = planned.row.offset - record_header_bytes + record_bytes(planned.row.size_bytes);
      home.row.end_bytes = std::max(home.row.end_bytes, end);
      home.dirty = true;
    }
    // Written for a mutation that then had no use for it.
    bodies_.try_emplace(planned.row.id, kept_body{planned.row, true, true, {}});
  }
  for (auto& [id, body] : bodies_)
    if (body.dirty)
      flush_body(body);
  for (auto& [id, box] : mailboxes_)
    if (box.dirty && !box.gone)
      txn_.put(table::mailboxes, schema::id_key(id.value), schema::encode(box.row));
  for (auto& [id, kept] : usages_)
    if (kept.dirty)
      txn_.put(table::quotas, schema::id_key(id.value), schema::encode(kept.row));
  for (auto& [number, kept] : segments_) {
    if (kept.gone)
      txn_.erase(table::segments, schema::segment_key(number));
    else if (kept.dirty)
      txn_.put(table::segments, schema::segment_key(number), schema::encode(kept.row));
  }
  for (auto id : doomed_)
    txn_.put(table::doomed, schema::id_key(id.value), {});
  for (auto& [number, kept] : segments_)
    if (kept.gone)
      txn_.put(table::doomed, schema::segment_key(number), {});
  if (counters_dirty_)
    txn_.put(table::meta, schema::counters_key, schema::encode(counters_));
}

} // namespace merpati::storage
