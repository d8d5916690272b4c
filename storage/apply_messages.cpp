// add_message, append_messages, store_flags, expunge, copy_messages.
#include <algorithm>
#include <bit>

#include <spdlog/fmt/fmt.h>

#include "base/ascii.hpp"
#include "base/log.hpp"
#include "storage/change_set.hpp"
#include "storage/limits.hpp"

namespace merpati::storage {

namespace {

constexpr std::uint8_t all_flags = flag_seen | flag_answered | flag_flagged | flag_deleted | flag_draft;

bool is_set(const delivery_id& id) {
  return std::any_of(id.begin(), id.end(), [](auto octet) { return octet != 0; });
}

std::optional<unsigned> keyword_bit(const mailbox_row& box, std::string_view name) {
  for (unsigned i = 0; i < box.keywords.size(); ++i)
    if (ascii::iequals(box.keywords[i], name))
      return i;
  return std::nullopt;
}

/// Bits of the keywords that the mailbox knows.
std::uint64_t known_bits(const mailbox_row& box, const std::vector<std::string>& names) {
  std::uint64_t bits = 0;
  for (const auto& name : names)
    if (auto bit = keyword_bit(box, name))
      bits |= std::uint64_t{1} << *bit;
  return bits;
}

result<void> check_keywords(const std::vector<std::string>& names) {
  if (names.size() > keywords_per_mailbox)
    return fail(errc::too_many, fmt::format("more than {} keywords", keywords_per_mailbox));
  for (const auto& name : names)
    if (name.empty() || name.size() > storage_limits.keyword_bytes)
      return fail(errc::invalid, fmt::format("a keyword has 1 to {} octets", storage_limits.keyword_bytes));
  return {};
}

error no_mailbox(mailbox_id id) {
  return {errc::not_found, fmt::format("there is no mailbox {}", id.value)};
}

} // namespace

bool change_set::fits(const account_row& account, const quota_usage& used, std::uint64_t bytes,
                      std::uint64_t messages) {
  return (account.quota_bytes == 0 || used.bytes + bytes <= account.quota_bytes)
         && (account.quota_messages == 0 || used.messages + messages <= account.quota_messages);
}

std::vector<message_row> change_set::rows_of(mailbox_id id, const std::vector<uid>& uids) const {
  std::vector<message_row> rows;
  rows.reserve(uids.size());
  uid last;
  for (auto which : uids) {
    if (which <= last)
      continue; // named twice: counted once
    last = which;
    auto k = schema::message_key(id, which);
    try {
      auto value = txn_.get(table::messages, k);
      if (!value)
        continue;
      if (auto row = schema::decode_message(k, *value)) {
        rows.push_back(*row);
        continue;
      }
    } catch (const failure& f) {
      if (f.why.code != errc::corrupted)
        throw;
    }
    // One damaged row must not keep the others from being flagged or removed.
    log::error("message {} of mailbox {} is damaged in the index: run merpati fsck", which.value, id.value);
  }
  return rows;
}

void change_set::count(mailbox_row& box, const message_row& row, int sign) {
  auto by = [sign](auto& counter, std::uint64_t amount) {
    using number = std::remove_reference_t<decltype(counter)>;
    counter = static_cast<number>(sign > 0 ? counter + amount : counter - amount);
  };
  by(box.messages, 1);
  by(box.size_bytes, row.size_bytes);
  if (!(row.flags & flag_seen))
    by(box.unseen, 1);
  if (row.flags & flag_deleted)
    by(box.deleted, 1);
}

void change_set::put_change(mailbox_id box, modseq changed, uid which, schema::change_kind kind) {
  char octet = static_cast<char>(kind);
  txn_.put(table::changes, schema::change_key(box, changed, which), {&octet, 1});
}

placed change_set::insert_message(mailbox_id id, message_row row) {
  row.changed = next_modseq(id);
  auto& box = edit_mailbox(id);
  row.id = box.uid_next;
  ++box.uid_next.value;
  count(box, row, 1);
  auto& kept = usage(box.account);
  kept.row.quota.bytes += row.size_bytes;
  kept.row.quota.messages += 1;
  kept.dirty = true;
  txn_.put(table::messages, schema::message_key(id, row.id), schema::encode(row));
  put_change(id, row.changed, row.id, schema::change_kind::changed);
  return {id, box.uid_validity, row.id, row.changed};
}

void change_set::remove_message(mailbox_id id, const message_row& row) {
  auto changed = next_modseq(id);
  auto& box = edit_mailbox(id);
  count(box, row, -1);
  auto& kept = usage(box.account);
  kept.row.quota.bytes -= std::min(kept.row.quota.bytes, row.size_bytes);
  kept.row.quota.messages -= std::min<std::uint64_t>(kept.row.quota.messages, 1);
  kept.dirty = true;
  txn_.erase(table::messages, schema::message_key(id, row.id));
  txn_.erase(table::changes, schema::change_key(id, row.changed, row.id));
  put_change(id, changed, row.id, schema::change_kind::expunged);
  release_body(row.body);
}

result<std::uint64_t> change_set::keyword_bits(mailbox_id id, const std::vector<std::string>& names) {
  const auto* box = find_mailbox(id);
  std::uint64_t bits = 0;
  for (const auto& name : names) {
    auto bit = keyword_bit(*box, name);
    if (!bit) {
      if (box->keywords.size() >= keywords_per_mailbox)
        return fail(errc::too_many,
                    fmt::format("mailbox {} has its {} keywords already", box->name, keywords_per_mailbox));
      bit = static_cast<unsigned>(box->keywords.size());
      edit_mailbox(id).keywords.push_back(name);
    }
    bits |= std::uint64_t{1} << *bit;
  }
  return bits;
}

struct change_set::resolved_target {
  mailbox_id mailbox; ///< none: to be made, for `account` under `name`
  account_id account;
  std::string name;
  bool skipped = false;
};

result<void> change_set::check_message(const add_message& m) const {
  if (m.targets.size() > storage_limits.targets || m.waiting.size() > storage_limits.targets)
    return fail(errc::too_many, fmt::format("a message has at most {} recipients", storage_limits.targets));
  if (m.targets.empty() && m.waiting.empty())
    return fail(errc::invalid, "a message needs a mailbox or somebody who waits for it");
  if (m.fronts.size() > storage_limits.fronts)
    return fail(errc::too_many, fmt::format("a message has at most {} fronts", storage_limits.fronts));
  for (const auto& f : m.fronts) {
    if (f.summary.size() > storage_limits.summary_bytes)
      return fail(errc::too_big, "the message's summary is too large");
    if (f.header.size() > storage_limits.header_bytes)
      return fail(errc::too_big, "the header put before the message is too large");
  }
  auto has_front = [&](const auto& recipient) { return recipient.front < m.fronts.size(); };
  if (!std::all_of(m.targets.begin(), m.targets.end(), has_front)
      || !std::all_of(m.waiting.begin(), m.waiting.end(), has_front))
    return fail(errc::invalid, "a recipient has a front that the message does not have");
  for (const auto& t : m.targets) {
    if (auto good = check_keywords(t.keywords); !good)
      return good;
  }
  for (const auto& w : m.waiting)
    if (w.details.size() > storage_limits.details_bytes || w.destination.size() > storage_limits.details_bytes)
      return fail(errc::too_big, "a row of the waiting list is too large");
  return {};
}

result<std::vector<change_set::resolved_target>> change_set::resolve_targets(const add_message& m,
                                                                             const message_plan& plan) {
  std::vector<resolved_target> targets;
  targets.reserve(m.targets.size());
  std::unordered_map<account_id, std::pair<account_row, quota_usage>> accounts;
  for (std::size_t i = 0; i < m.targets.size(); ++i) {
    const auto& t = m.targets[i];
    resolved_target r;
    const mailbox_row* box = nullptr;
    if (t.mailbox) {
      if (box = find_mailbox(t.mailbox); !box)
        return tl::unexpected(no_mailbox(t.mailbox));
    } else {
      auto name = canonical_mailbox_name(t.name);
      if (!name)
        return tl::unexpected(name.error());
      r.name = std::move(*name);
      r.account = t.account;
      if (box = find_mailbox(t.account, r.name); !box && !t.create)
        return fail(errc::not_found, fmt::format("account {} has no mailbox {}", t.account.value, r.name));
    }
    if (box) {
      r.mailbox = box->id;
      r.account = box->account;
      if (box->uid_next.value > UINT32_MAX - m.targets.size() - 1)
        return fail(errc::too_many, fmt::format("mailbox {} has used up its UIDs", box->name));
    }
    auto known = accounts.find(r.account);
    if (known == accounts.end()) {
      auto account = find_account(r.account);
      if (!account)
        return fail(errc::not_found, fmt::format("there is no account {}", r.account.value));
      known = accounts.emplace(r.account, std::pair(std::move(*account), usage(r.account).row.quota)).first;
    }
    auto& [account, used] = known->second;
    auto size = plan_.bodies.at(plan.of_front.at(t.front)).row.size_bytes;
    if (fits(account, used, size, 1)) {
      used.bytes += size;
      used.messages += 1;
    } else if (t.skip_when_full) {
      r.skipped = true;
    } else {
      return fail(errc::over_quota, fmt::format("the mailboxes of {} are full", account.name));
    }
    targets.push_back(std::move(r));
  }
  return targets;
}

result<outcome> change_set::carry_out(const add_message& m) {
  if (is_set(m.delivery)) {
    if (auto value = txn_.get(table::deliveries, schema::as_key(m.delivery))) {
      auto before = schema::decode_delivery(*value);
      if (!before)
        return fail(errc::corrupted, "what became of this delivery can't be read: run merpati fsck");
      before->answer.repeated = true;
      return std::move(before->answer);
    }
  }
  if (auto good = check_message(m); !good)
    return tl::unexpected(good.error());
  const auto& plan = plan_.messages.at(&m);
  if (plan.failed)
    return tl::unexpected(*plan.failed);
  auto targets = resolve_targets(m, plan);
  if (!targets)
    return tl::unexpected(targets.error());

  outcome done;
  done.places.reserve(targets->size());
  auto clock_validity =
      static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::seconds>(m.now.time_since_epoch()).count());
  for (std::size_t i = 0; i < targets->size(); ++i) {
    auto& r = (*targets)[i];
    if (r.skipped) {
      done.places.push_back({r.mailbox, 0, uid(), modseq()});
      continue;
    }
    if (!r.mailbox) {
      auto made = make_mailbox(r.account, r.name, clock_validity, 0);
      if (!made)
        return tl::unexpected(made.error());
      r.mailbox = *made;
    }
    const auto& t = m.targets[i];
    auto bits = keyword_bits(r.mailbox, t.keywords);
    if (!bits)
      return tl::unexpected(bits.error());
    const auto planned = plan.of_front[t.front];
    const auto& body = plan_.bodies.at(planned).row;
    message_row row;
    row.flags = t.flags & all_flags;
    row.keywords = *bits;
    row.body = body.id;
    row.size_bytes = body.size_bytes;
    row.internal_date = m.internal_date;
    row.save_date = m.now;
    row.email = body.id.value;
    row.thread = m.thread_key ? m.thread_key : row.email;
    use_planned(planned);
    done.places.push_back(insert_message(r.mailbox, row));
    done.changed = done.places.back().changed;
  }
  for (const auto& w : m.waiting) {
    const auto planned = plan.of_front[w.front];
    use_planned(planned);
    done.waiting.push_back(insert_waiting(w, plan_.bodies.at(planned).row.id));
  }
  if (is_set(m.delivery)) {
    txn_.put(table::deliveries, schema::as_key(m.delivery), schema::encode(schema::delivery_row{m.now, done}));
    txn_.put(table::delivery_ages, schema::age_key(m.now, schema::as_key(m.delivery)), {});
  }
  return done;
}

result<outcome> change_set::carry_out(const store_flags& m) {
  if (!find_mailbox(m.mailbox))
    return tl::unexpected(no_mailbox(m.mailbox));
  if (auto good = check_keywords(m.keywords); !good)
    return tl::unexpected(good.error());
  auto rows = rows_of(m.mailbox, m.uids);
  outcome done;
  if (m.unchanged_since) // RFC 7162 3.1.3
    std::erase_if(rows, [&](const message_row& row) {
      if (row.changed <= *m.unchanged_since)
        return false;
      done.failed.push_back(row.id);
      return true;
    });
  std::uint64_t bits = 0;
  if (m.how == store_flags::mode::remove) {
    bits = known_bits(*find_mailbox(m.mailbox), m.keywords);
  } else if (!rows.empty()) {
    auto interned = keyword_bits(m.mailbox, m.keywords);
    if (!interned)
      return tl::unexpected(interned.error());
    bits = *interned;
  }
  auto flags = static_cast<std::uint8_t>(m.flags & all_flags);
  for (auto& row : rows) {
    auto changed = row;
    switch (m.how) {
    case store_flags::mode::replace:
      changed.flags = flags;
      changed.keywords = bits;
      break;
    case store_flags::mode::add:
      changed.flags |= flags;
      changed.keywords |= bits;
      break;
    case store_flags::mode::remove:
      changed.flags &= static_cast<std::uint8_t>(~flags);
      changed.keywords &= ~bits;
      break;
    }
    if (changed == row)
      continue;
    changed.changed = next_modseq(m.mailbox);
    auto& box = edit_mailbox(m.mailbox);
    count(box, row, -1);
    count(box, changed, 1);
    txn_.put(table::messages, schema::message_key(m.mailbox, row.id), schema::encode(changed));
    txn_.erase(table::changes, schema::change_key(m.mailbox, row.changed, row.id));
    put_change(m.mailbox, changed.changed, row.id, schema::change_kind::changed);
    done.uids.push_back(row.id);
  }
  done.changed = find_mailbox(m.mailbox)->highest_modseq;
  return done;
}

result<void> change_set::add_all(const std::vector<add_message>& messages, outcome& done) {
  for (const auto& message : messages) {
    auto added = carry_out(message);
    if (!added)
      return tl::unexpected(added.error());
    done.places.insert(done.places.end(), added->places.begin(), added->places.end());
    done.waiting.insert(done.waiting.end(), added->waiting.begin(), added->waiting.end());
  }
  return {};
}

result<outcome> change_set::carry_out(const append_messages& m) {
  std::vector<message_row> replaced;
  if (m.replaced_in) {
    if (!find_mailbox(m.replaced_in))
      return tl::unexpected(no_mailbox(m.replaced_in));
    replaced = rows_of(m.replaced_in, {m.replaced});
    if (replaced.empty())
      return fail(errc::not_found, fmt::format("there is no message {}", m.replaced.value));
  }
  outcome done;
  if (auto added = add_all(m.messages, done); !added)
    return tl::unexpected(added.error());
  if (!done.places.empty())
    done.changed = done.places.back().changed;
  for (const auto& row : replaced)
    remove_message(m.replaced_in, row);
  return done;
}

result<outcome> change_set::carry_out(const expunge& m) {
  if (!find_mailbox(m.mailbox))
    return tl::unexpected(no_mailbox(m.mailbox));
  outcome done;
  for (const auto& row : rows_of(m.mailbox, m.uids)) {
    if (m.only_deleted && !(row.flags & flag_deleted))
      continue;
    remove_message(m.mailbox, row);
    done.uids.push_back(row.id);
  }
  done.changed = find_mailbox(m.mailbox)->highest_modseq;
  return done;
}

result<outcome> change_set::carry_out(const copy_messages& m) {
  if (!find_mailbox(m.from))
    return tl::unexpected(no_mailbox(m.from));
  if (!find_mailbox(m.to))
    return tl::unexpected(no_mailbox(m.to));
  return copy_rows(m.from, m.to, rows_of(m.from, m.uids), m.remove_source, m.now);
}

result<outcome> change_set::copy_rows(mailbox_id from, mailbox_id to, const std::vector<message_row>& rows, bool remove,
                                      std::optional<timestamp> save_date) {
  const auto source = *find_mailbox(from);
  const auto target = *find_mailbox(to);
  if (rows.size() > UINT32_MAX - std::uint64_t{target.uid_next.value} - 1)
    return fail(errc::too_many, fmt::format("mailbox {} has used up its UIDs", target.name));
  // A move inside one account leaves its usage as it is.
  if (!remove || source.account != target.account) {
    std::uint64_t bytes = 0;
    for (const auto& row : rows)
      bytes += row.size_bytes;
    auto account = find_account(target.account);
    if (!account)
      return fail(errc::not_found, fmt::format("there is no account {}", target.account.value));
    if (!rows.empty() && !fits(*account, usage(target.account).row.quota, bytes, rows.size()))
      return fail(errc::over_quota, fmt::format("the mailboxes of {} are full", account->name));
  }
  std::uint64_t used = 0;
  for (const auto& row : rows)
    used |= row.keywords;
  std::array<std::uint64_t, keywords_per_mailbox> bit_in_target{};
  for (unsigned i = 0; i < source.keywords.size(); ++i) {
    if (!(used >> i & 1))
      continue;
    auto bit = keyword_bits(to, {source.keywords[i]});
    if (!bit)
      return tl::unexpected(bit.error());
    bit_in_target[i] = *bit;
  }
  outcome done;
  for (const auto& row : rows) {
    auto copy = row;
    copy.keywords = 0;
    for (auto left = row.keywords; left != 0; left &= left - 1)
      copy.keywords |= bit_in_target[static_cast<std::size_t>(std::countr_zero(left))];
    if (save_date)
      copy.save_date = *save_date;
    use_body(row.body);
    done.uids.push_back(row.id);
    done.new_uids.push_back(insert_message(to, copy).id);
    if (remove)
      remove_message(from, row);
  }
  done.mailbox = to;
  done.uid_validity = target.uid_validity;
  done.changed = find_mailbox(to)->highest_modseq;
  return done;
}

} // namespace merpati::storage
