// put_account, delete_account, domains and addresses.
#include <spdlog/fmt/fmt.h>

#include "storage/change_set.hpp"
#include "storage/limits.hpp"

namespace merpati::storage {

namespace {

result<void> check_name(std::string_view name) {
  if (name.empty() || name.size() > storage_limits.name_bytes)
    return fail(errc::invalid, fmt::format("a name has 1 to {} octets", storage_limits.name_bytes));
  return {};
}

result<void> check_named(std::string_view name, std::string_view settings) {
  if (settings.size() > storage_limits.settings_bytes)
    return fail(errc::too_big, fmt::format("the settings of {} are too large", name));
  return check_name(name);
}

} // namespace

result<outcome> change_set::carry_out(const put_account& m) {
  auto row = m.account;
  if (auto good = check_name(row.name); !good)
    return tl::unexpected(good.error());
  for (const auto* secret : {&row.password_hash, &row.scram_salt, &row.scram_stored_key, &row.scram_server_key})
    if (secret->size() > storage_limits.settings_bytes)
      return fail(errc::too_big, "a credential is too large");
  auto name_key = schema::name_key(row.name);
  if (auto owner = txn_.get(table::account_names, name_key); owner && schema::decode_number(*owner) != row.id.value)
    return fail(errc::already_exists, fmt::format("account {} exists already", row.name));
  if (row.id.value == UINT64_MAX)
    return fail(errc::invalid, "the account's id is out of range");
  if (!row.id)
    row.id = account_id(edit_counters().next_account++);
  else if (auto before = find_account(row.id); before && before->name != row.name)
    txn_.erase(table::account_names, schema::name_key(before->name));
  if (row.id.value >= counters_.next_account)
    edit_counters().next_account = row.id.value + 1;
  txn_.put(table::accounts, schema::id_key(row.id.value), schema::encode(row));
  txn_.put(table::account_names, name_key, schema::encode_number(row.id.value));
  outcome done;
  done.account = row.id;
  return done;
}

result<outcome> change_set::carry_out(const delete_account& m) {
  auto row = find_account(m.account);
  if (!row)
    return fail(errc::not_found, fmt::format("there is no account {}", m.account.value));
  auto prefix = std::string(std::string_view(schema::id_key(m.account.value)));
  std::vector<mailbox_id> mailboxes;
  txn_.scan(table::mailbox_names, prefix, [&](std::string_view key, std::string_view value) {
    if (!key.starts_with(prefix))
      return false;
    mailboxes.emplace_back(schema::decode_number(value).value_or(0));
    return true;
  });
  std::vector<std::string> subscriptions;
  txn_.scan_raw(table::subscriptions, prefix, [&](std::string_view key, auto, auto) {
    if (!key.starts_with(prefix))
      return false;
    subscriptions.emplace_back(key);
    return true;
  });
  for (auto id : mailboxes)
    if (find_mailbox(id))
      remove_mailbox(id);
  for (const auto& key : subscriptions)
    txn_.erase(table::subscriptions, key);
  usages_[m.account] = {};
  txn_.erase(table::quotas, schema::id_key(m.account.value));
  txn_.erase(table::account_names, schema::name_key(row->name));
  txn_.erase(table::accounts, schema::id_key(m.account.value));
  return outcome{};
}

result<outcome> change_set::carry_out(const put_domain& m) {
  if (auto good = check_named(m.domain.name, m.domain.settings); !good)
    return tl::unexpected(good.error());
  txn_.put(table::domains, schema::name_key(m.domain.name), schema::encode_named(m.domain.name, m.domain.settings));
  return outcome{};
}

result<outcome> change_set::carry_out(const delete_domain& m) {
  if (auto good = check_name(m.name); !good)
    return tl::unexpected(good.error());
  if (!txn_.erase(table::domains, schema::name_key(m.name)))
    return fail(errc::not_found, fmt::format("there is no domain {}", m.name));
  return outcome{};
}

result<outcome> change_set::carry_out(const put_address& m) {
  if (auto good = check_named(m.address.address, m.address.settings); !good)
    return tl::unexpected(good.error());
  txn_.put(table::addresses, schema::name_key(m.address.address),
           schema::encode_named(m.address.address, m.address.settings));
  return outcome{};
}

result<outcome> change_set::carry_out(const delete_address& m) {
  if (auto good = check_name(m.address); !good)
    return tl::unexpected(good.error());
  if (!txn_.erase(table::addresses, schema::name_key(m.address)))
    return fail(errc::not_found, fmt::format("there is no address {}", m.address));
  return outcome{};
}

} // namespace merpati::storage
