// The part of fsck that compares totals: what mailboxes, accounts, segments and counters say with what was counted.
#include <fcntl.h>
#include <spdlog/fmt/fmt.h>

#include "storage/fsck_examiner.hpp"

namespace merpati::storage {

void examiner::recover_mailbox(std::uint64_t id, box_facts& facts) {
  // UIDs are kept, but clients must not rely on what they cached: a UIDVALIDITY that was never used before.
  facts.row.id = mailbox_id(id);
  if (facts.row.name.empty())
    facts.row.name = fmt::format("recovered-{}", id);
  seen_.uid_validity_high = std::max(seen_.uid_validity_high, stored_.uid_validity_high) + 1;
  facts.row.uid_validity = static_cast<std::uint32_t>(std::min<std::uint64_t>(seen_.uid_validity_high, UINT32_MAX));
  for (std::size_t bit = 0; facts.keywords >> bit; ++bit) {
    facts.row.keywords.push_back(fmt::format("keyword-{}", bit));
    if (bit == 63)
      break;
  }
}

void examiner::finish_mailboxes() {
  for (auto& [id, facts] : boxes_) {
    auto where = fmt::format("mailbox {}", id);
    auto stored = facts.row;
    if (!facts.stored) {
      if (!facts.row.account) {
        note(where, fmt::format("is missing; {} messages are in it and nothing says whose they are", facts.messages));
        continue;
      }
      recover_mailbox(id, facts);
    }
    auto& row = facts.row;
    for (auto [changed, which] : facts.vanished) {
      ++facts.last_change.value;
      auto at = std::max(facts.last_change, modseq(row.highest_modseq.value + 1));
      facts.last_change = at;
      note(where, fmt::format("message {} is gone without a trace", which.value),
           [box = mailbox_id(id), old = changed, now = at, which = which](transaction& txn) {
             txn.erase(table::changes, schema::change_key(box, old, which));
             txn.put(table::changes, schema::change_key(box, now, which), "\2");
           });
    }
    row.messages = facts.messages;
    row.unseen = facts.unseen;
    row.deleted = facts.deleted;
    row.size_bytes = facts.size_bytes;
    row.uid_next = std::max(row.uid_next, uid(facts.last_uid.value + 1));
    row.highest_modseq = std::max(row.highest_modseq, facts.last_change);
    auto known = row.keywords.size() >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << row.keywords.size()) - 1;
    for (auto bit = row.keywords.size(); bit < 64 && (facts.keywords & ~known) >> bit; ++bit)
      row.keywords.push_back(fmt::format("keyword-{}", bit));
    if (!facts.stored || row != stored)
      note(where,
           facts.stored ? fmt::format("its counters are wrong: {} messages, {} unseen, {} deleted, {} octets are there",
                                      row.messages, row.unseen, row.deleted, row.size_bytes)
                        : std::string("its row is missing"),
           [row](transaction& txn) { txn.put(table::mailboxes, schema::id_key(row.id.value), schema::encode(row)); });
  }
}

void examiner::check_usage() {
  std::map<std::uint64_t, schema::usage_row> counted;
  for (const auto& [id, facts] : boxes_) {
    if (!facts.row.account)
      continue;
    auto& used = counted[facts.row.account.value];
    used.quota.bytes += facts.size_bytes;
    used.quota.messages += facts.messages;
    ++used.mailboxes;
  }
  auto correct = [&](std::uint64_t id, const schema::usage_row& right) {
    note(fmt::format("quotas {}", id),
         fmt::format("is wrong: {} octets, {} messages are there", right.quota.bytes, right.quota.messages),
         [id, right](transaction& txn) { txn.put(table::quotas, schema::id_key(id), schema::encode(right)); });
  };
  walk(table::quotas, [&](std::string_view key, std::string_view value) {
    auto row = schema::decode_usage(value);
    if (!row || key.size() != 8)
      return false;
    auto found = counted.find(big64(key));
    auto right = found == counted.end() ? schema::usage_row{} : found->second;
    if (*row != right)
      correct(big64(key), right);
    if (found != counted.end())
      counted.erase(found);
    return true;
  });
  for (const auto& [id, right] : counted)
    if (right != schema::usage_row{})
      correct(id, right);
}

void examiner::check_segments() {
  std::map<std::uint32_t, schema::segment_row> rows;
  walk(table::segments, [&](std::string_view key, std::string_view value) {
    auto row = schema::decode_segment(value);
    if (!row || key.size() != 4)
      return false;
    rows.emplace(big32(key), *row);
    return true;
  });
  for (const auto& [id, body] : bodies_)
    if (body.segment && !rows.contains(body.segment)) {
      // Made anew from its bodies: the end of the last one.
      auto& row = rows[body.segment];
      for (const auto& [other, b] : bodies_)
        if (b.segment == body.segment)
          row.end_bytes = std::max(row.end_bytes, b.offset - record_header_bytes + record_bytes(b.size_bytes));
      row.dead_bytes = UINT64_MAX; // never right: written below
    }
  for (const auto& [number, row] : rows) {
    auto live = live_.contains(number) ? live_.at(number) : 0;
    auto whole = row.end_bytes - std::min(row.end_bytes, segment_header_bytes);
    auto dead = whole - std::min(whole, live);
    if (auto file = io::open(segment_path(paths_.folder, number), O_RDONLY); !file)
      note(fmt::format("segment {}", number), file.error().what);
    else if (auto length = io::size(*file); !length || *length < row.end_bytes)
      note(fmt::format("segment {}", number),
           fmt::format("the file is shorter than the {} octets that were committed", row.end_bytes));
    if (dead != row.dead_bytes)
      note(fmt::format("segments {}", number), fmt::format("counts wrongly what is dead: {} octets are", dead),
           [number = number, end = row.end_bytes, dead](transaction& txn) {
             txn.put(table::segments, schema::segment_key(number), schema::encode(schema::segment_row{end, dead}));
           });
  }
}

void examiner::check_counters() {
  walk(table::doomed, [](std::string_view key, std::string_view value) {
    return (key.size() == 8 || key.size() == 4) && value.empty();
  });
  auto right = stored_;
  auto at_least = [](std::uint64_t& counter, std::uint64_t least) { counter = std::max(counter, least); };
  at_least(right.next_account, seen_.next_account);
  at_least(right.next_mailbox, seen_.next_mailbox);
  at_least(right.next_body, seen_.next_body);
  at_least(right.next_waiting, seen_.next_waiting);
  at_least(right.uid_validity_high, seen_.uid_validity_high);
  if (!have_counters_ || right != stored_)
    note("meta counters", "are missing or lower than numbers in use",
         [right](transaction& txn) { txn.put(table::meta, schema::counters_key, schema::encode(right)); });
}

} // namespace merpati::storage
