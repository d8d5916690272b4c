#include "storage/fsck_examiner.hpp"

#include <algorithm>
#include <fcntl.h>
#include <spdlog/fmt/fmt.h>

#include "base/crypto.hpp"

namespace merpati::storage {

namespace {

std::string hex(std::string_view octets) {
  std::string out;
  for (char c : octets)
    fmt::format_to(std::back_inserter(out), "{:02x}", static_cast<unsigned char>(c));
  return out;
}

template <class T>
void raise(T& counter, T above) {
  counter = std::max(counter, above);
}

} // namespace

examiner::examiner(const shard_options& options, const transaction& txn, const summary_function& summarise,
                   const progress_function& progress)
    : options_(options), paths_{options.folder}, txn_(txn), summarise_(summarise), progress_(progress) {}

void examiner::note(std::string where, std::string what, fix how) {
  if (how)
    fixes_.emplace_back(report_.findings.size(), std::move(how));
  report_.findings.push_back({std::move(where), std::move(what), false});
}

void examiner::set_aside(table t, std::string_view key, std::string_view stored) {
  note(fmt::format("{} {}", table_name(t), hex(key)), "the row is damaged",
       [this, t, k = std::string(key), value = std::string(stored)](transaction& txn) {
         auto path = paths_.aside() / fmt::format("{}-{}.row", table_name(t), hex(k).substr(0, 200));
         auto file = io::open(path, O_WRONLY | O_CREAT | O_TRUNC);
         auto copy = value;
         iovec piece{copy.data(), copy.size()};
         auto kept = file ? io::write(*file, {&piece, 1}, 0) : tl::unexpected(file.error());
         if (!kept)
           throw failure{kept.error()};
         txn.erase(t, k);
       });
}

void examiner::walk(table t, const std::function<bool(std::string_view, std::string_view)>& row_is_good) {
  txn_.scan_raw(t, {}, [&](std::string_view key, std::optional<std::string_view> payload, std::string_view stored) {
    if (!payload || !row_is_good(key, *payload))
      set_aside(t, key, stored);
    return true;
  });
}

void examiner::check_meta() {
  bool marked = false;
  walk(table::meta, [&](std::string_view key, std::string_view value) {
    if (key == schema::version_key)
      return marked = schema::decode_number(value) == schema::version;
    if (auto numbers = key == schema::counters_key ? schema::decode_counters(value) : std::nullopt) {
      stored_ = *numbers;
      return have_counters_ = true;
    }
    return false;
  });
  if (!marked)
    note("meta", "the marker of an initialised shard is missing",
         [](transaction& txn) { txn.put(table::meta, schema::version_key, schema::encode_number(schema::version)); });
}

void examiner::check_accounts() {
  walk(table::accounts, [&](std::string_view key, std::string_view value) {
    auto row = schema::decode_account(key, value);
    if (!row)
      return false;
    raise(seen_.next_account, row->id.value + 1);
    accounts_.emplace(row->id.value, std::move(*row));
    return true;
  });
  std::set<std::uint64_t> named;
  walk(table::account_names, [&](std::string_view key, std::string_view value) {
    auto id = schema::decode_number(value);
    if (!id)
      return false;
    auto found = accounts_.find(*id);
    if (found != accounts_.end() && key == std::string_view(schema::name_key(found->second.name)))
      named.insert(*id);
    else
      note(fmt::format("account_names {}", hex(key)), "leads to no account of that name",
           [k = std::string(key)](transaction& txn) { txn.erase(table::account_names, k); });
    return true;
  });
  for (const auto& [id, row] : accounts_)
    if (!named.contains(id))
      note(fmt::format("accounts {}", id), "its name does not lead to it",
           [id = id, name = row.name](transaction& txn) {
             txn.put(table::account_names, schema::name_key(name), schema::encode_number(id));
           });
}

void examiner::check_named_rows() {
  walk(table::domains, [](std::string_view key, std::string_view value) {
    auto row = schema::decode_domain(value);
    return row && key == std::string_view(schema::name_key(row->name));
  });
  walk(table::addresses, [](std::string_view key, std::string_view value) {
    auto row = schema::decode_address(value);
    return row && key == std::string_view(schema::name_key(row->address));
  });
  walk(table::subscriptions, [](std::string_view key, std::string_view value) {
    return key.size() > 8 && key == std::string_view(schema::owned_name_key(account_id(big64(key)), value));
  });
}

void examiner::check_mailboxes() {
  walk(table::mailboxes, [&](std::string_view key, std::string_view value) {
    auto row = schema::decode_mailbox(key, value);
    if (!row)
      return false;
    raise(seen_.next_mailbox, row->id.value + 1);
    raise<std::uint64_t>(seen_.uid_validity_high, row->uid_validity);
    if (!accounts_.contains(row->account.value))
      note(fmt::format("mailboxes {}", row->id.value), fmt::format("its account {} is missing", row->account.value));
    auto& facts = boxes_[row->id.value];
    facts.stored = true;
    facts.row = std::move(*row);
    return true;
  });
}

void examiner::check_mailbox_names() {
  walk(table::mailbox_names, [&](std::string_view key, std::string_view value) {
    auto id = schema::decode_number(value);
    if (!id || key.size() < 9)
      return false;
    auto found = boxes_.find(*id);
    if (found != boxes_.end() && found->second.stored) {
      const auto& row = found->second.row;
      if (key == std::string_view(schema::owned_name_key(row.account, row.name))) {
        found->second.named = true;
        return true;
      }
    } else {
      // The row is lost; the name still tells whose it was and what it was called.
      auto& facts = boxes_[*id];
      facts.named = true;
      facts.row.id = mailbox_id(*id);
      facts.row.account = account_id(big64(key));
      facts.row.name = key[8] == 0 ? std::string(key.substr(9)) : fmt::format("recovered-{}", *id);
      raise(seen_.next_mailbox, *id + 1);
      return true;
    }
    note(fmt::format("mailbox_names {}", hex(key)), "leads to no mailbox of that name",
         [k = std::string(key)](transaction& txn) { txn.erase(table::mailbox_names, k); });
    return true;
  });
  for (const auto& [id, facts] : boxes_)
    if (!facts.named)
      note(fmt::format("mailboxes {}", id), "its name does not lead to it",
           [id = id, account = facts.row.account, name = facts.row.name](transaction& txn) {
             txn.put(table::mailbox_names, schema::owned_name_key(account, name), schema::encode_number(id));
           });
}

void examiner::check_messages() {
  walk(table::messages, [&](std::string_view key, std::string_view value) {
    auto row = schema::decode_message(key, value);
    if (!row)
      return false;
    auto box = mailbox_id(big64(key));
    auto& facts = boxes_[box.value];
    ++report_.messages;
    ++facts.messages;
    facts.size_bytes += row->size_bytes;
    facts.unseen += (row->flags & flag_seen) ? 0 : 1;
    facts.deleted += (row->flags & flag_deleted) ? 1 : 0;
    facts.keywords |= row->keywords;
    raise(facts.last_uid, row->id);
    raise(facts.last_change, row->changed);
    ++references_[row->body.value];
    auto where = [&] { return fmt::format("message {} of mailbox {}", row->id.value, box.value); };
    auto change = schema::change_key(box, row->changed, row->id);
    std::string_view expected("\1", 1);
    try {
      if (txn_.get(table::changes, change) == expected)
        return true;
    } catch (const failure&) {
      // damaged: check_changes sets it aside
    }
    note(where(), "is missing in the index of changes",
         [k = std::string(std::string_view(change))](transaction& txn) { txn.put(table::changes, k, "\1"); });
    return true;
  });
}

void examiner::check_changes() {
  walk(table::changes, [&](std::string_view key, std::string_view value) {
    if (key.size() != 20 || value.size() != 1 || (value[0] != 1 && value[0] != 2))
      return false;
    auto box = mailbox_id(big64(key));
    auto changed = modseq(big64(key.substr(8)));
    auto which = uid(big32(key.substr(16)));
    auto found = boxes_.find(box.value);
    auto drop = [k = std::string(key)](transaction& txn) { txn.erase(table::changes, k); };
    if (found == boxes_.end()) {
      note(fmt::format("changes {}", hex(key)), "belongs to no mailbox", drop);
      return true;
    }
    auto& facts = found->second;
    raise(facts.last_uid, which);
    raise(facts.last_change, changed);
    std::optional<message_row> row;
    auto mk = schema::message_key(box, which);
    try {
      if (auto stored = txn_.get(table::messages, mk))
        row = schema::decode_message(mk, *stored);
    } catch (const failure&) {
      // damaged: check_messages set it aside
    }
    bool expunged = value[0] == 2;
    if (expunged && row)
      note(fmt::format("changes {}", hex(key)), "says that a message is gone which is there", drop);
    else if (!expunged && row && row->changed != changed)
      note(fmt::format("changes {}", hex(key)), "is older than its message", drop);
    else if (!expunged && !row)
      facts.vanished.emplace_back(changed, which);
    return true;
  });
}

void examiner::check_waiting() {
  std::set<std::pair<std::uint64_t, std::uint64_t>> due;
  walk(table::waiting, [&](std::string_view key, std::string_view value) {
    auto row = schema::decode_waiting(key, value);
    if (!row)
      return false;
    raise(seen_.next_waiting, row->id.value + 1);
    ++references_[row->body.value];
    due.emplace(schema::sortable(row->next_due), row->id.value);
    return true;
  });
  walk(table::waiting_due, [&](std::string_view key, std::string_view value) {
    if (key.size() != 16 || !value.empty())
      return false;
    if (due.erase({big64(key), big64(key.substr(8))}) == 0)
      note(fmt::format("due {}", hex(key)), "leads to no row of the waiting list",
           [k = std::string(key)](transaction& txn) { txn.erase(table::waiting_due, k); });
    return true;
  });
  for (const auto& [when, id] : due)
    note(fmt::format("waiting {}", id), "is missing in the order of due times",
         [when = when, id = id](transaction& txn) { txn.put(table::waiting_due, key().u64(when).u64(id), {}); });
}

void examiner::check_deliveries() {
  std::unordered_set<std::string> ages;
  walk(table::deliveries, [&](std::string_view k, std::string_view value) {
    auto row = schema::decode_delivery(value);
    if (!row || k.size() != delivery_id{}.size())
      return false;
    ages.emplace(std::string_view(schema::age_key(row->when, k)));
    return true;
  });
  walk(table::delivery_ages, [&](std::string_view k, std::string_view value) {
    if (k.size() != 8 + delivery_id{}.size() || !value.empty())
      return false;
    if (ages.erase(std::string(k)) == 0)
      note(fmt::format("delivery_ages {}", hex(k)), "leads to no delivery",
           [k = std::string(k)](transaction& txn) { txn.erase(table::delivery_ages, k); });
    return true;
  });
  for (const auto& age : ages)
    note(fmt::format("deliveries {}", hex(std::string_view(age).substr(8))), "is missing in the order of ages",
         [age](transaction& txn) { txn.put(table::delivery_ages, age, {}); });
}

std::optional<std::string> examiner::octets_of(const body_row& row) {
  auto path = row.segment ? segment_path(paths_.folder, row.segment) : large_body_path(paths_.folder, row.id);
  io::file own;
  const io::file* file = nullptr;
  if (row.segment) {
    auto& shared = open_segments_[row.segment];
    if (!shared)
      if (auto opened = io::open(path, O_RDONLY))
        shared = std::move(*opened);
    file = &shared;
  } else if (auto opened = io::open(path, O_RDONLY)) {
    own = std::move(*opened);
    file = &own;
  }
  auto length = file && *file ? io::size(*file) : tl::unexpected(error{errc::not_found, {}});
  if (!length || row.offset > *length || row.size_bytes > *length - row.offset)
    return std::nullopt;
  std::string octets(row.size_bytes, '\0');
  auto got = io::read(*file, octets.data(), octets.size(), row.offset);
  if (!got || *got != octets.size() || crypto::checksum(octets) != row.checksum)
    return std::nullopt;
  return octets;
}

void examiner::check_body_octets(const body_row& row) {
  if (row.segment)
    live_[row.segment] += record_bytes(row.size_bytes);
  if (!octets_of(row))
    note(fmt::format("body {}", row.id.value),
         fmt::format("its octets are missing or damaged (segment {}, offset {})", row.segment, row.offset));
}

void examiner::check_bodies() {
  walk(table::bodies, [&](std::string_view key, std::string_view value) {
    auto row = schema::decode_body(key, value);
    if (!row)
      return false;
    raise(seen_.next_body, row->id.value + 1);
    bodies_.emplace(row->id.value, *row);
    return true;
  });
  std::size_t done = 0;
  std::vector<body_row> rows;
  for (const auto& [id, row] : bodies_)
    rows.push_back(row);
  std::sort(rows.begin(), rows.end(), [](const body_row& a, const body_row& b) {
    return std::tie(a.segment, a.offset, a.id) < std::tie(b.segment, b.offset, b.id);
  });
  for (auto row : rows) {
    ++report_.bodies;
    check_body_octets(row);
    auto counted = references_.contains(row.id.value) ? references_.at(row.id.value) : 0;
    if (counted != row.references && counted > 0)
      note(fmt::format("body {}", row.id.value),
           fmt::format("counts {} references where there are {}", row.references, counted), [row, counted](auto& txn) {
             auto right = row;
             right.references = counted;
             txn.put(table::bodies, schema::id_key(row.id.value), schema::encode(right));
           });
    if (progress_ && ++done % 256 == 0)
      progress_(static_cast<double>(done) / static_cast<double>(rows.size()));
  }
  for (const auto& [id, count] : references_)
    if (!bodies_.contains(id)) {
      raise(seen_.next_body, id + 1);
      note(fmt::format("body {}", id), fmt::format("is missing; {} messages or waiting rows refer to it", count));
    }
}

void examiner::resummarise(body_id id) {
  note(fmt::format("summary {}", id.value), "is missing or damaged", [this, id](transaction& txn) {
    auto found = bodies_.find(id.value);
    auto octets = found != bodies_.end() ? octets_of(found->second) : std::nullopt;
    txn.put(table::summaries, schema::id_key(id.value), octets && summarise_ ? summarise_(*octets) : std::string());
  });
}

void examiner::check_summaries() {
  txn_.scan_raw(table::summaries, {}, [&](std::string_view key, std::optional<std::string_view> payload, auto) {
    auto id = key.size() == 8 ? big64(key) : 0;
    if (!bodies_.contains(id))
      note(fmt::format("summary {}", id), "belongs to no body",
           [k = std::string(key)](transaction& txn) { txn.erase(table::summaries, k); });
    else if (payload)
      summaries_.insert(id);
    return true;
  });
  for (const auto& [id, row] : bodies_)
    if (!summaries_.contains(id) && references_.contains(id))
      resummarise(row.id);
}

void examiner::check_orphans() {
  for (const auto& [id, row] : bodies_) {
    if (references_.contains(id))
      continue;
    // Its message row may be what is damaged: the octets are kept where a person finds them.
    note(fmt::format("body {}", id), "nobody refers to it", [this, row = row](transaction& txn) {
      if (auto octets = octets_of(row)) {
        auto file = io::open(paths_.aside() / fmt::format("body-{}.eml", row.id.value), O_WRONLY | O_CREAT | O_TRUNC);
        iovec piece{octets->data(), octets->size()};
        auto kept = file ? io::write(*file, {&piece, 1}, 0) : tl::unexpected(file.error());
        if (!kept)
          throw failure{kept.error()};
      }
      txn.erase(table::bodies, schema::id_key(row.id.value));
      txn.erase(table::summaries, schema::id_key(row.id.value));
      if (row.segment == 0)
        txn.put(table::doomed, schema::id_key(row.id.value), {});
    });
    if (row.segment)
      live_[row.segment] -= record_bytes(row.size_bytes);
  }
}

void examiner::examine() {
  check_meta();
  check_accounts();
  check_named_rows();
  check_mailboxes();
  check_mailbox_names();
  check_messages();
  check_changes();
  check_waiting();
  check_deliveries();
  check_bodies();
  check_summaries();
  check_orphans();
  check_segments();
  finish_mailboxes();
  check_usage();
  check_counters();
}

void examiner::repair(transaction& txn) {
  for (auto& [number, how] : fixes_) {
    how(txn);
    report_.findings[number].repaired = true;
  }
}

} // namespace merpati::storage
