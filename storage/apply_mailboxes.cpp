// create_mailbox, delete_mailbox, rename_mailbox, subscribe.
#include <algorithm>

#include <spdlog/fmt/fmt.h>

#include "base/ascii.hpp"
#include "storage/change_set.hpp"
#include "storage/limits.hpp"

namespace merpati::storage {

namespace {

constexpr std::size_t removal_chunk = 4096; ///< rows held in memory while a mailbox is emptied

std::string own_prefix(std::uint64_t id) {
  return std::string(std::string_view(schema::id_key(id)));
}

} // namespace

result<std::string> canonical_mailbox_name(std::string_view name) {
  if (name.empty() || name.size() > storage_limits.mailbox_name_bytes)
    return fail(errc::invalid, fmt::format("a mailbox name has 1 to {} octets", storage_limits.mailbox_name_bytes));
  if (name.front() == '/' || name.back() == '/' || name.find("//") != std::string_view::npos)
    return fail(errc::invalid, "a mailbox name has no empty levels");
  if (name.find('\0') != std::string_view::npos)
    return fail(errc::invalid, "a mailbox name has no NUL");
  auto levels = static_cast<std::size_t>(std::count(name.begin(), name.end(), '/')) + 1;
  if (levels > storage_limits.mailbox_levels)
    return fail(errc::invalid, fmt::format("a mailbox name has at most {} levels", storage_limits.mailbox_levels));
  std::string out(name);
  if (ascii::iequals(name.substr(0, name.find('/')), "INBOX")) // RFC 9051 5.1
    out.replace(0, 5, "INBOX");
  return out;
}

result<mailbox_id> change_set::make_mailbox(account_id account, const std::string& name, std::uint32_t uid_validity,
                                            std::uint32_t special_use) {
  mailbox_id made;
  for (std::size_t end = name.find('/');; end = name.find('/', end + 1)) {
    auto level = name.substr(0, end);
    if (const auto* known = find_mailbox(account, level)) {
      made = known->id;
    } else {
      auto& kept = usage(account);
      if (kept.row.mailboxes >= storage_limits.mailboxes_per_account)
        return fail(errc::too_many, fmt::format("more than {} mailboxes", storage_limits.mailboxes_per_account));
      auto& numbers = edit_counters();
      auto validity = std::max<std::uint64_t>(uid_validity, numbers.uid_validity_high + 1);
      if (validity > UINT32_MAX)
        return fail(errc::too_many, "the shard has used up its UIDVALIDITY values");
      numbers.uid_validity_high = validity;
      mailbox_row row;
      row.id = made = mailbox_id(numbers.next_mailbox++);
      row.account = account;
      row.name = level;
      row.uid_validity = static_cast<std::uint32_t>(validity);
      row.special_use = end == std::string::npos ? special_use : 0;
      row.subscribed = txn_.has(table::subscriptions, schema::owned_name_key(account, level));
      txn_.put(table::mailbox_names, schema::owned_name_key(account, level), schema::encode_number(made.value));
      mailboxes_[made] = {std::move(row), true, false, 0};
      touch(made);
      kept.row.mailboxes += 1;
      kept.dirty = true;
    }
    if (end == std::string::npos)
      return made;
  }
}

result<outcome> change_set::carry_out(const create_mailbox& m) {
  auto name = canonical_mailbox_name(m.name);
  if (!name)
    return tl::unexpected(name.error());
  if (!find_account(m.account))
    return fail(errc::not_found, fmt::format("there is no account {}", m.account.value));
  if (find_mailbox(m.account, *name))
    return fail(errc::already_exists, fmt::format("mailbox {} exists already", *name));
  if (m.subscribed)
    if (auto done = carry_out(storage::subscribe{m.account, *name, true}); !done)
      return done;
  auto made = make_mailbox(m.account, *name, m.uid_validity, m.special_use);
  if (!made)
    return tl::unexpected(made.error());
  outcome done;
  done.mailbox = *made;
  done.uid_validity = find_mailbox(*made)->uid_validity;
  done.changed = find_mailbox(*made)->highest_modseq;
  return done;
}

void change_set::remove_mailbox(mailbox_id id) {
  auto prefix = own_prefix(id.value);
  for (;;) {
    std::vector<std::pair<std::string, std::optional<message_row>>> chunk;
    txn_.scan_raw(table::messages, prefix, [&](std::string_view key, std::optional<std::string_view> payload, auto) {
      if (!key.starts_with(prefix) || chunk.size() == removal_chunk)
        return false;
      chunk.emplace_back(key, payload ? schema::decode_message(key, *payload) : std::nullopt);
      return true;
    });
    for (const auto& [key, row] : chunk) {
      txn_.erase(table::messages, key);
      if (row)
        release_body(row->body);
    }
    if (chunk.size() < removal_chunk)
      break;
  }
  for (;;) {
    std::vector<std::string> chunk;
    txn_.scan_raw(table::changes, prefix, [&](std::string_view key, auto, auto) {
      if (!key.starts_with(prefix) || chunk.size() == removal_chunk)
        return false;
      chunk.emplace_back(key);
      return true;
    });
    for (const auto& key : chunk)
      txn_.erase(table::changes, key);
    if (chunk.size() < removal_chunk)
      break;
  }
  const auto& row = edit_mailbox(id);
  auto& kept = usage(row.account);
  kept.row.quota.bytes -= std::min(kept.row.quota.bytes, row.size_bytes);
  kept.row.quota.messages -= std::min<std::uint64_t>(kept.row.quota.messages, row.messages);
  kept.row.mailboxes -= std::min(kept.row.mailboxes, 1u);
  kept.dirty = true;
  txn_.erase(table::mailbox_names, schema::owned_name_key(row.account, row.name));
  txn_.erase(table::mailboxes, schema::id_key(id.value));
  mailboxes_.at(id).gone = true;
}

result<outcome> change_set::carry_out(const delete_mailbox& m) {
  const auto* box = find_mailbox(m.mailbox);
  if (!box)
    return fail(errc::not_found, fmt::format("there is no mailbox {}", m.mailbox.value));
  if (box->name == "INBOX")
    return fail(errc::not_permitted, "INBOX can't be deleted");
  remove_mailbox(m.mailbox);
  return outcome{};
}

result<outcome> change_set::rename_inbox(const mailbox_row& inbox, const std::string& name,
                                         std::uint32_t uid_validity) {
  auto id = inbox.id;
  auto prefix = own_prefix(id.value);
  std::vector<uid> uids;
  txn_.scan_raw(table::messages, prefix, [&](std::string_view key, auto, auto) {
    if (!key.starts_with(prefix))
      return false;
    uids.emplace_back(big32(key.substr(8)));
    return true;
  });
  auto made = make_mailbox(inbox.account, name, uid_validity, 0);
  if (!made)
    return tl::unexpected(made.error());
  auto done = copy_rows(id, *made, rows_of(id, uids), true, std::nullopt);
  if (!done)
    return done;
  outcome answer;
  answer.mailbox = *made;
  answer.uid_validity = find_mailbox(*made)->uid_validity;
  return answer;
}

result<outcome> change_set::carry_out(const rename_mailbox& m) {
  const auto* found = find_mailbox(m.mailbox);
  if (!found)
    return fail(errc::not_found, fmt::format("there is no mailbox {}", m.mailbox.value));
  auto name = canonical_mailbox_name(m.new_name);
  if (!name)
    return tl::unexpected(name.error());
  if (find_mailbox(found->account, *name))
    return fail(errc::already_exists, fmt::format("mailbox {} exists already", *name));
  if (found->name == "INBOX") // RFC 9051 6.3.6
    return rename_inbox(*found, *name, m.uid_validity);
  const auto account = found->account;
  const auto below = found->name + '/';
  if (name->starts_with(below))
    return fail(errc::invalid, "a mailbox can't move below itself");

  // Itself and everything below it, with the new names; all of them are checked before the first is changed.
  std::vector<std::pair<mailbox_id, std::string>> moves{{m.mailbox, *name}};
  auto prefix = own_prefix(account.value);
  std::vector<mailbox_id> all;
  txn_.scan(table::mailbox_names, prefix, [&](std::string_view key, std::string_view value) {
    if (!key.starts_with(prefix))
      return false;
    all.emplace_back(schema::decode_number(value).value_or(0));
    return true;
  });
  for (auto id : all) {
    const auto* child = find_mailbox(id);
    if (!child || !child->name.starts_with(below))
      continue;
    auto moved = canonical_mailbox_name(*name + '/' + child->name.substr(below.size()));
    if (!moved)
      return tl::unexpected(moved.error());
    if (find_mailbox(account, *moved))
      return fail(errc::already_exists, fmt::format("mailbox {} exists already", *moved));
    moves.emplace_back(id, std::move(*moved));
  }
  for (const auto& [id, new_name] : moves) {
    auto& row = edit_mailbox(id);
    txn_.erase(table::mailbox_names, schema::owned_name_key(account, row.name));
    row.name = new_name;
    row.subscribed = txn_.has(table::subscriptions, schema::owned_name_key(account, new_name));
    txn_.put(table::mailbox_names, schema::owned_name_key(account, new_name), schema::encode_number(id.value));
  }
  if (auto slash = name->rfind('/'); slash != std::string::npos)
    if (auto parents = make_mailbox(account, name->substr(0, slash), m.uid_validity, 0); !parents)
      return tl::unexpected(parents.error());
  outcome done;
  done.mailbox = m.mailbox;
  done.uid_validity = find_mailbox(m.mailbox)->uid_validity;
  return done;
}

result<outcome> change_set::carry_out(const subscribe& m) {
  auto name = canonical_mailbox_name(m.name);
  if (!name)
    return tl::unexpected(name.error());
  if (!find_account(m.account))
    return fail(errc::not_found, fmt::format("there is no account {}", m.account.value));
  auto k = schema::owned_name_key(m.account, *name);
  bool known = txn_.has(table::subscriptions, k);
  if (m.on && !known) {
    auto prefix = own_prefix(m.account.value);
    std::size_t count = 0;
    txn_.scan_raw(table::subscriptions, prefix,
                  [&](std::string_view key, auto, auto) { return key.starts_with(prefix) && ++count; });
    if (count >= storage_limits.subscriptions_per_account)
      return fail(errc::too_many, fmt::format("more than {} subscriptions", storage_limits.subscriptions_per_account));
    txn_.put(table::subscriptions, k, *name);
  } else if (!m.on && known) {
    txn_.erase(table::subscriptions, k);
  }
  if (const auto* box = find_mailbox(m.account, *name); box && box->subscribed != m.on)
    edit_mailbox(box->id).subscribed = m.on;
  return outcome{};
}

} // namespace merpati::storage
