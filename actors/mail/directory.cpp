#include "actors/mail/directory.hpp"

#include <algorithm>
#include <chrono>

#include "base/crypto.hpp"
#include "protocols/sasl/saslprep.hpp"
#include "protocols/sasl/scram.hpp"
#include "protocols/smtp/address.hpp"

namespace merpati::mail {

namespace {

struct default_mailbox {
  const char* name;
  std::uint32_t special_use;
};
/// What mail programs expect to find, marked so that they find it under any name (RFC 6154).
constexpr default_mailbox default_mailboxes[] = {
    {"INBOX", 0},
    {"Drafts", storage::use_drafts},
    {"Sent", storage::use_sent},
    {"Junk", storage::use_junk},
    {"Trash", storage::use_trash},
    {"Archive", storage::use_archive},
};

/// RFC 9051 2.3.1.1: seconds since 1970 are a good UIDVALIDITY; the shard raises one that was used before.
std::uint32_t uid_validity_of(timestamp now) {
  return static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count());
}

std::size_t code_points(std::string_view utf8) {
  return static_cast<std::size_t>(
      std::count_if(utf8.begin(), utf8.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

/// Replaces all that logins are checked against.
result<void> put_password(storage::account_row& row, std::string_view password) {
  auto prepared = sasl::saslprep(password, sasl::saslprep_use::stored);
  if (!prepared)
    return fail(errc::invalid,
                "the password has characters that no password may have (control characters, or no UTF-8)");
  if (code_points(*prepared) < password_min_characters)
    return fail(errc::invalid,
                "the password is too short; at least " + std::to_string(password_min_characters) + " characters");
  if (prepared->size() > password_max_octets)
    return fail(errc::invalid, "the password is too long; at most " + std::to_string(password_max_octets) + " octets");
  auto scram = sasl::derive(*prepared, crypto::random_bytes(sasl::scram_salt_bytes));
  if (!scram)
    return tl::unexpected(scram.error());
  row.password_hash = crypto::argon2id_hash(*prepared);
  row.scram_salt = std::move(scram->salt);
  row.scram_stored_key = std::move(scram->stored_key);
  row.scram_server_key = std::move(scram->server_key);
  row.scram_iterations = scram->iterations;
  return {};
}

} // namespace

std::string_view domain_of(std::string_view address) {
  return address.substr(address.rfind('@') + 1);
}

result<void> directory_store::change(std::uint32_t shard, storage::mutation what) const {
  auto done = apply(shard, std::move(what));
  if (!done)
    return tl::unexpected(done.error());
  return {};
}

std::string generated_password() {
  auto text = crypto::random_text(20);
  for (std::size_t at : {15, 10, 5})
    text.insert(at, 1, '-');
  return text;
}

result<std::string> canonical_domain(std::string_view name) {
  smtp::address_syntax syntax;
  syntax.utf8 = true;
  if (!smtp::is_domain(name, syntax))
    return fail(errc::invalid, "\"" + std::string(name) + "\" is no domain name");
  return smtp::canonical_domain(name);
}

result<std::string> canonical_address(std::string_view address) {
  smtp::address_syntax syntax;
  syntax.utf8 = true;
  auto parsed = smtp::parse_mailbox(address, syntax);
  if (!parsed || parsed->is_bare_postmaster() || parsed->is_address_literal() || parsed->local_part.empty())
    return fail(errc::invalid, "\"" + std::string(address) + "\" is no mail address; write name@domain");
  return smtp::canonical_address(*parsed);
}

directory::directory(directory_store store, const clock_source& clock) : store_(std::move(store)), clock_(clock) {}

result<std::vector<std::string>> directory::domains() {
  auto view = store_.read(0);
  if (!view)
    return tl::unexpected(view.error());
  std::vector<std::string> out;
  for (auto& row : view->domains())
    out.push_back(std::move(row.name));
  return out;
}

result<std::string> directory::add_domain(std::string_view name) {
  auto canonical = canonical_domain(name);
  if (!canonical)
    return canonical;
  std::scoped_lock lock(changes_);
  {
    auto view = store_.read(0);
    if (!view)
      return tl::unexpected(view.error());
    if (view->domain(*canonical))
      return fail(errc::already_exists, "domain " + *canonical + " exists already");
  }
  storage::put_domain change;
  change.domain.name = *canonical;
  if (auto done = store_.change(0, std::move(change)); !done)
    return tl::unexpected(done.error());
  return canonical;
}

result<void> directory::remove_domain(std::string_view name) {
  auto canonical = canonical_domain(name);
  if (!canonical)
    return tl::unexpected(canonical.error());
  std::scoped_lock lock(changes_);
  {
    auto view = store_.read(0);
    if (!view)
      return tl::unexpected(view.error());
    if (!view->domain(*canonical))
      return fail(errc::not_found, "there is no domain " + *canonical);
    auto rows = view->accounts();
    auto used =
        std::count_if(rows.begin(), rows.end(), [&](const auto& row) { return domain_of(row.name) == *canonical; });
    for (const auto& row : view->addresses())
      if (used == 0 && domain_of(row.address) == *canonical)
        return fail(errc::in_use, row.address + " is of domain " + *canonical + "; remove it first");
    if (used != 0)
      return fail(errc::in_use, "domain " + *canonical + " has " + std::to_string(used)
                                    + (used == 1 ? " account; remove it first" : " accounts; remove them first"));
  }
  storage::delete_domain change;
  change.name = *canonical;
  return store_.change(0, std::move(change));
}

result<std::vector<account_summary>> directory::accounts() {
  auto first = store_.read(0);
  if (!first)
    return tl::unexpected(first.error());
  auto rows = first->accounts();
  std::vector<account_summary> out(rows.size());
  for (std::uint32_t shard = 0; shard < store_.shards; ++shard) {
    auto view = shard == 0 ? std::move(first) : store_.read(shard);
    if (!view)
      return tl::unexpected(view.error());
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (rows[i].shard != shard)
        continue;
      auto usage = view->usage(rows[i].id);
      out[i].address = std::move(rows[i].name);
      out[i].enabled = rows[i].enabled;
      out[i].quota_bytes = rows[i].quota_bytes;
      out[i].used_bytes = usage.bytes;
      out[i].messages = usage.messages;
    }
  }
  return out;
}

result<storage::account_row> directory::find(std::string_view address) {
  auto canonical = canonical_address(address);
  if (!canonical)
    return tl::unexpected(canonical.error());
  auto view = store_.read(0);
  if (!view)
    return tl::unexpected(view.error());
  auto row = view->account(*canonical);
  if (!row)
    return fail(errc::not_found, "there is no account " + *canonical);
  return std::move(*row);
}

result<void> directory::put(const storage::account_row& row) {
  storage::put_account change;
  change.account = row;
  // The copy first: a crash in between leaves the account as it was where logins and the router look.
  if (row.shard != 0)
    if (auto copied = store_.change(row.shard, change); !copied)
      return copied;
  return store_.change(0, std::move(change));
}

result<std::uint32_t> directory::shard_for_new_account() {
  auto view = store_.read(0);
  if (!view)
    return tl::unexpected(view.error());
  std::vector<std::size_t> accounts(store_.shards);
  for (const auto& row : view->accounts())
    if (row.shard < accounts.size())
      ++accounts[row.shard];
  return static_cast<std::uint32_t>(std::min_element(accounts.begin(), accounts.end()) - accounts.begin());
}

result<void> directory::make_default_mailboxes(const storage::account_row& row) {
  for (const auto& entry : default_mailboxes) {
    storage::create_mailbox change;
    change.account = row.id;
    change.name = entry.name;
    change.special_use = entry.special_use;
    change.uid_validity = uid_validity_of(clock_.now());
    change.subscribed = true;
    auto done = store_.apply(row.shard, std::move(change));
    if (!done && done.error().code != errc::already_exists)
      return tl::unexpected(done.error());
  }
  return {};
}

result<void> directory::complete(const storage::account_row& row) {
  bool whole = false;
  {
    auto view = store_.read(row.shard);
    if (!view)
      return tl::unexpected(view.error());
    whole = row.enabled || view->mailboxes(row.id).size() >= std::size(default_mailboxes);
  }
  return whole ? result<void>() : make_default_mailboxes(row);
}

result<std::string> directory::add_account(const new_account& account) {
  auto canonical = canonical_address(account.address);
  if (!canonical)
    return canonical;
  storage::account_row row;
  row.name = *canonical;
  row.quota_bytes = account.quota_bytes;
  if (auto fit = put_password(row, account.password); !fit)
    return tl::unexpected(fit.error());
  std::scoped_lock lock(changes_);
  {
    auto view = store_.read(0);
    if (!view)
      return tl::unexpected(view.error());
    auto domain = std::string(domain_of(*canonical));
    if (!view->domain(domain))
      return fail(errc::not_found, "there is no domain " + domain + "; add it first: merpati domain add " + domain);
    if (view->account(*canonical))
      return fail(errc::already_exists, "account " + *canonical + " exists already");
    if (view->address(*canonical))
      return fail(errc::already_exists, *canonical + " is an alias or a list; remove it first");
    if (!view->domain(domain)->settings.empty())
      return fail(errc::invalid, domain + " is an alias of another domain; make the account there");
  }
  auto shard = shard_for_new_account();
  if (!shard)
    return tl::unexpected(shard.error());
  row.shard = *shard;
  // Disabled until it is whole, so that nobody ever logs in to an account without its mailboxes. What a crash leaves
  // behind is completed by enabling it.
  row.enabled = false;
  storage::put_account change;
  change.account = row;
  auto made = store_.apply(0, std::move(change));
  if (!made)
    return tl::unexpected(made.error());
  row.id = made->account;
  if (row.shard != 0)
    if (auto copied = put(row); !copied)
      return tl::unexpected(copied.error());
  if (auto mailboxes = make_default_mailboxes(row); !mailboxes)
    return tl::unexpected(mailboxes.error());
  row.enabled = true;
  if (auto done = put(row); !done)
    return tl::unexpected(done.error());
  return canonical;
}

result<void> directory::remove_account(std::string_view address) {
  std::scoped_lock lock(changes_);
  auto row = find(address);
  if (!row)
    return tl::unexpected(row.error());
  // Mail first: an account without its row could never be removed again.
  storage::delete_account change;
  change.account = row->id;
  if (row->shard != 0) {
    auto mail = store_.apply(row->shard, change);
    if (!mail && mail.error().code != errc::not_found)
      return tl::unexpected(mail.error());
  }
  if (auto done = store_.change(0, std::move(change)); !done)
    return done;
  auto forward = store_.change(0, storage::delete_address{row->name});
  return forward || forward.error().code == errc::not_found ? result<void>() : forward;
}

result<void> directory::set_enabled(std::string_view address, bool enabled) {
  std::scoped_lock lock(changes_);
  auto row = find(address);
  if (!row)
    return tl::unexpected(row.error());
  if (enabled)
    if (auto whole = complete(*row); !whole)
      return whole;
  row->enabled = enabled;
  return put(*row);
}

result<void> directory::set_password(std::string_view address, std::string_view password) {
  // Hashing takes its time, so it is done before others are made to wait.
  storage::account_row hashed;
  if (auto fit = put_password(hashed, password); !fit)
    return fit;
  std::scoped_lock lock(changes_);
  auto row = find(address);
  if (!row)
    return tl::unexpected(row.error());
  row->password_hash = std::move(hashed.password_hash);
  row->scram_salt = std::move(hashed.scram_salt);
  row->scram_stored_key = std::move(hashed.scram_stored_key);
  row->scram_server_key = std::move(hashed.scram_server_key);
  row->scram_iterations = hashed.scram_iterations;
  return put(*row);
}

result<void> directory::set_quota(std::string_view address, std::uint64_t bytes) {
  std::scoped_lock lock(changes_);
  auto row = find(address);
  if (!row)
    return tl::unexpected(row.error());
  row->quota_bytes = bytes;
  return put(*row);
}

directory_store direct_store(const std::vector<std::unique_ptr<storage::shard>>& shards) {
  std::vector<storage::shard*> open;
  for (const auto& shard : shards)
    open.push_back(shard.get());
  directory_store out;
  out.shards = static_cast<std::uint32_t>(open.size());
  out.read = [open](std::uint32_t shard) { return open.at(shard)->read(); };
  out.apply = [open](std::uint32_t shard, storage::mutation change) {
    return std::move(open.at(shard)->apply({&change, 1}).front());
  };
  return out;
}

} // namespace merpati::mail
