#include <algorithm>

#include "base/log.hpp"
#include "storage/shard_state.hpp"

namespace merpati::storage {

namespace {

/// Runs a look-up; damage is logged and counted, and reads as absent.
template <class F>
auto guarded(std::size_t& damaged, F&& f) -> decltype(f()) {
  try {
    return f();
  } catch (const failure& problem) {
    ++damaged;
    log::error("{}", problem.why.what);
    return decltype(f()){};
  }
}

template <class Row>
std::optional<Row> noted(std::size_t& damaged, std::optional<Row> row, std::string_view what) {
  if (!row) {
    ++damaged;
    log::error("a row of table {} can't be understood: run merpati fsck", what);
  }
  return row;
}

/// Every row of `t` from `from` on while its key begins with `prefix`; damaged ones are counted and passed over.
void walk(const transaction& txn, std::size_t& damaged, table t, std::string_view from, std::string_view prefix,
          const std::function<bool(std::string_view key, std::string_view payload)>& each) {
  guarded(damaged, [&] {
    txn.scan_raw(t, from, [&](std::string_view key, std::optional<std::string_view> payload, std::string_view) {
      if (!key.starts_with(prefix))
        return false;
      if (payload)
        return each(key, *payload);
      ++damaged;
      log::error("a row of table {} is damaged: run merpati fsck", table_name(t));
      return true;
    });
    return true;
  });
}

} // namespace

read_view::read_view(std::unique_ptr<state> s) : state_(std::move(s)) {}
read_view::read_view(read_view&&) noexcept = default;
read_view& read_view::operator=(read_view&&) noexcept = default;
read_view::~read_view() = default;

std::size_t read_view::damaged() const noexcept {
  return state_->damaged;
}

std::optional<account_row> read_view::account(account_id id) const {
  return guarded(state_->damaged, [&]() -> std::optional<account_row> {
    auto k = schema::id_key(id.value);
    auto value = state_->txn.get(table::accounts, k);
    if (!value)
      return std::nullopt;
    return noted(state_->damaged, schema::decode_account(k, *value), "accounts");
  });
}

std::optional<account_row> read_view::account(std::string_view name) const {
  auto id = guarded(state_->damaged, [&]() -> std::optional<std::uint64_t> {
    auto value = state_->txn.get(table::account_names, schema::name_key(name));
    if (!value)
      return std::nullopt;
    return noted(state_->damaged, schema::decode_number(*value), "account_names");
  });
  return id ? account(account_id(*id)) : std::nullopt;
}

std::vector<account_row> read_view::accounts() const {
  std::vector<account_row> rows;
  walk(state_->txn, state_->damaged, table::accounts, {}, {}, [&](std::string_view key, std::string_view value) {
    if (auto row = noted(state_->damaged, schema::decode_account(key, value), "accounts"))
      rows.push_back(std::move(*row));
    return true;
  });
  std::sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return rows;
}

std::optional<domain_row> read_view::domain(std::string_view name) const {
  return guarded(state_->damaged, [&]() -> std::optional<domain_row> {
    auto value = state_->txn.get(table::domains, schema::name_key(name));
    if (!value)
      return std::nullopt;
    return noted(state_->damaged, schema::decode_domain(*value), "domains");
  });
}

std::vector<domain_row> read_view::domains() const {
  std::vector<domain_row> rows;
  walk(state_->txn, state_->damaged, table::domains, {}, {}, [&](std::string_view, std::string_view value) {
    if (auto row = noted(state_->damaged, schema::decode_domain(value), "domains"))
      rows.push_back(std::move(*row));
    return true;
  });
  return rows;
}

std::optional<address_row> read_view::address(std::string_view address) const {
  return guarded(state_->damaged, [&]() -> std::optional<address_row> {
    auto value = state_->txn.get(table::addresses, schema::name_key(address));
    if (!value)
      return std::nullopt;
    return noted(state_->damaged, schema::decode_address(*value), "addresses");
  });
}

std::vector<address_row> read_view::addresses() const {
  std::vector<address_row> rows;
  walk(state_->txn, state_->damaged, table::addresses, {}, {}, [&](std::string_view, std::string_view value) {
    if (auto row = noted(state_->damaged, schema::decode_address(value), "addresses"))
      rows.push_back(std::move(*row));
    return true;
  });
  return rows;
}

quota_usage read_view::usage(account_id id) const {
  return guarded(state_->damaged, [&]() -> quota_usage {
    auto value = state_->txn.get(table::quotas, schema::id_key(id.value));
    if (!value)
      return {};
    auto row = noted(state_->damaged, schema::decode_usage(*value), "quotas");
    return row ? row->quota : quota_usage{};
  });
}

std::optional<mailbox_row> read_view::mailbox(mailbox_id id) const {
  return guarded(state_->damaged, [&]() -> std::optional<mailbox_row> {
    auto k = schema::id_key(id.value);
    auto value = state_->txn.get(table::mailboxes, k);
    if (!value)
      return std::nullopt;
    return noted(state_->damaged, schema::decode_mailbox(k, *value), "mailboxes");
  });
}

std::optional<mailbox_row> read_view::mailbox(account_id account, std::string_view name) const {
  auto canonical = canonical_mailbox_name(name);
  if (!canonical)
    return std::nullopt;
  auto id = guarded(state_->damaged, [&]() -> std::optional<std::uint64_t> {
    auto value = state_->txn.get(table::mailbox_names, schema::owned_name_key(account, *canonical));
    if (!value)
      return std::nullopt;
    return noted(state_->damaged, schema::decode_number(*value), "mailbox_names");
  });
  return id ? mailbox(mailbox_id(*id)) : std::nullopt;
}

std::vector<mailbox_row> read_view::mailboxes(account_id id) const {
  std::vector<mailbox_row> rows;
  auto prefix = schema::id_key(id.value);
  walk(state_->txn, state_->damaged, table::mailbox_names, prefix, prefix,
       [&](std::string_view, std::string_view value) {
         auto number = noted(state_->damaged, schema::decode_number(value), "mailbox_names");
         if (auto row = number ? mailbox(mailbox_id(*number)) : std::nullopt)
           rows.push_back(std::move(*row));
         return true;
       });
  std::sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return rows;
}

std::vector<std::string> read_view::subscriptions(account_id id) const {
  std::vector<std::string> names;
  auto prefix = schema::id_key(id.value);
  walk(state_->txn, state_->damaged, table::subscriptions, prefix, prefix,
       [&](std::string_view, std::string_view value) {
         names.emplace_back(value);
         return true;
       });
  std::sort(names.begin(), names.end());
  return names;
}

void read_view::messages(mailbox_id id, uid first, uid last,
                         const std::function<bool(const message_row&)>& each) const {
  auto prefix = schema::id_key(id.value);
  walk(state_->txn, state_->damaged, table::messages, schema::message_key(id, first), prefix,
       [&](std::string_view key, std::string_view value) {
         auto row = noted(state_->damaged, schema::decode_message(key, value), "messages");
         if (!row)
           return true;
         return row->id <= last && each(*row);
       });
}

std::optional<message_row> read_view::message(mailbox_id id, uid which) const {
  return guarded(state_->damaged, [&]() -> std::optional<message_row> {
    auto k = schema::message_key(id, which);
    auto value = state_->txn.get(table::messages, k);
    if (!value)
      return std::nullopt;
    return noted(state_->damaged, schema::decode_message(k, *value), "messages");
  });
}

read_view::changes read_view::changes_since(mailbox_id id, modseq since) const {
  changes found;
  if (auto row = mailbox(id))
    found.highest = row->highest_modseq;
  auto prefix = schema::id_key(id.value);
  if (since.value == UINT64_MAX)
    return found;
  walk(state_->txn, state_->damaged, table::changes, schema::change_key(id, modseq(since.value + 1), uid()), prefix,
       [&](std::string_view key, std::string_view value) {
         if (key.size() != 20 || value.size() != 1)
           return true;
         bool gone = value.front() == static_cast<char>(schema::change_kind::expunged);
         (gone ? found.expunged : found.changed).emplace_back(big32(key.substr(16)));
         return true;
       });
  std::sort(found.changed.begin(), found.changed.end());
  std::sort(found.expunged.begin(), found.expunged.end());
  return found;
}

std::optional<std::string_view> read_view::summary(body_id id) const {
  return guarded(state_->damaged, [&] { return state_->txn.get(table::summaries, schema::id_key(id.value)); });
}

std::optional<body_row> read_view::body(body_id id) const {
  return guarded(state_->damaged, [&]() -> std::optional<body_row> {
    auto k = schema::id_key(id.value);
    auto value = state_->txn.get(table::bodies, k);
    if (!value)
      return std::nullopt;
    return noted(state_->damaged, schema::decode_body(k, *value), "bodies");
  });
}

std::optional<waiting_row> read_view::waiting(waiting_id id) const {
  return guarded(state_->damaged, [&]() -> std::optional<waiting_row> {
    auto k = schema::id_key(id.value);
    auto value = state_->txn.get(table::waiting, k);
    if (!value)
      return std::nullopt;
    return noted(state_->damaged, schema::decode_waiting(k, *value), "waiting");
  });
}

void read_view::waiting_by_due(timestamp from, const std::function<bool(const waiting_row&)>& each) const {
  walk(state_->txn, state_->damaged, table::waiting_due, schema::due_key(from, waiting_id()), {},
       [&](std::string_view key, std::string_view) {
         auto row = key.size() == 16 ? waiting(waiting_id(big64(key.substr(8)))) : std::nullopt;
         return !row || each(*row);
       });
}

} // namespace merpati::storage
