// update_waiting, expire_deliveries.
#include <unordered_set>

#include <spdlog/fmt/fmt.h>

#include "storage/change_set.hpp"
#include "storage/limits.hpp"

namespace merpati::storage {

waiting_id change_set::insert_waiting(const new_waiting& w, body_id body) {
  waiting_row row;
  row.id = waiting_id(edit_counters().next_waiting++);
  row.body = body;
  row.destination = w.destination;
  row.next_due = w.next_due;
  row.details = w.details;
  txn_.put(table::waiting, schema::id_key(row.id.value), schema::encode(row), true);
  txn_.put(table::waiting_due, schema::due_key(row.next_due, row.id), {});
  return row.id;
}

void change_set::remove_waiting(const waiting_row& row) {
  txn_.erase(table::waiting, schema::id_key(row.id.value));
  txn_.erase(table::waiting_due, schema::due_key(row.next_due, row.id));
  release_body(row.body);
}

/// The row's message into the INBOX; an id of none: it is full.
result<placed> change_set::deliver(const waiting_delivery& what, const waiting_row& row) {
  const auto* box = find_mailbox(what.account, "INBOX");
  const auto* body = find_body(row.body);
  if (!body)
    return fail(errc::corrupted, fmt::format("row {} of the waiting list has no body: run merpati fsck", row.id.value));
  message_row message;
  message.body = row.body;
  message.size_bytes = body->row.size_bytes;
  message.internal_date = message.save_date = what.now;
  message.email = message.thread = row.body.value;
  const auto account = find_account(what.account);
  if (!fits(*account, usage(what.account).row.quota, message.size_bytes, 1)
      || (box && box->uid_next.value == UINT32_MAX))
    return placed{box ? box->id : mailbox_id(), 0, uid(), modseq()};
  auto inbox = box ? box->id : mailbox_id();
  if (!inbox) {
    auto made = make_mailbox(what.account, "INBOX",
                             static_cast<std::uint32_t>(
                                 std::chrono::duration_cast<std::chrono::seconds>(what.now.time_since_epoch()).count()),
                             0);
    if (!made)
      return tl::unexpected(made.error());
    inbox = *made;
  }
  use_body(row.body);
  return insert_message(inbox, message);
}

result<outcome> change_set::carry_out(const update_waiting& m) {
  std::unordered_set<waiting_id> named;
  auto load = [&](waiting_id id) -> result<waiting_row> {
    if (!named.insert(id).second)
      return fail(errc::invalid, fmt::format("row {} of the waiting list is named twice", id.value));
    auto k = schema::id_key(id.value);
    auto value = txn_.get(table::waiting, k);
    if (!value)
      return fail(errc::not_found, fmt::format("the waiting list has no row {}", id.value));
    auto row = schema::decode_waiting(k, *value);
    if (!row)
      return fail(errc::corrupted, fmt::format("row {} of the waiting list can't be read: run merpati fsck", id.value));
    return std::move(*row);
  };
  // Everything is looked up before anything is changed: a repeat of an update that was carried out finds its rows gone
  // and makes no second DSN.
  std::vector<waiting_row> old_rows;
  std::vector<waiting_row> removed;
  for (const auto& row : m.put) {
    auto before = load(row.id);
    if (!before)
      return tl::unexpected(before.error());
    if (row.body && row.body != before->body)
      return fail(errc::invalid, fmt::format("row {} of the waiting list can't change its body", row.id.value));
    if (row.details.size() > storage_limits.details_bytes || row.destination.size() > storage_limits.details_bytes)
      return fail(errc::too_big, "a row of the waiting list is too large");
    old_rows.push_back(std::move(*before));
  }
  for (auto id : m.remove) {
    auto before = load(id);
    if (!before)
      return tl::unexpected(before.error());
    removed.push_back(std::move(*before));
  }
  std::vector<waiting_row> delivered;
  for (const auto& each : m.deliver) {
    auto before = load(each.id);
    if (!before)
      return tl::unexpected(before.error());
    if (!find_account(each.account))
      return fail(errc::not_found, fmt::format("there is no account {}", each.account.value));
    delivered.push_back(std::move(*before));
  }
  outcome done;
  if (auto added = add_all(m.replacements, done); !added)
    return tl::unexpected(added.error());
  for (std::size_t i = 0; i < m.deliver.size(); ++i) {
    auto place = deliver(m.deliver[i], delivered[i]);
    if (!place)
      return tl::unexpected(place.error());
    done.places.push_back(*place);
    if (place->id) {
      done.changed = place->changed;
      remove_waiting(delivered[i]);
    }
  }
  for (std::size_t i = 0; i < m.put.size(); ++i) {
    auto row = m.put[i];
    row.body = old_rows[i].body;
    txn_.put(table::waiting, schema::id_key(row.id.value), schema::encode(row));
    if (row.next_due != old_rows[i].next_due) {
      txn_.erase(table::waiting_due, schema::due_key(old_rows[i].next_due, row.id));
      txn_.put(table::waiting_due, schema::due_key(row.next_due, row.id), {});
    }
  }
  for (const auto& row : removed)
    remove_waiting(row);
  return done;
}

result<outcome> change_set::carry_out(const expire_deliveries& m) {
  std::vector<std::string> old;
  txn_.scan_raw(table::delivery_ages, {}, [&](std::string_view key, auto, auto) {
    if (key.size() < 8 || big64(key) >= schema::sortable(m.before) || old.size() == storage_limits.list_items)
      return false;
    old.emplace_back(key);
    return true;
  });
  for (const auto& key : old) {
    txn_.erase(table::delivery_ages, key);
    txn_.erase(table::deliveries, std::string_view(key).substr(8));
  }
  return outcome{};
}

} // namespace merpati::storage
