#include "actors/mail/address_book.hpp"

#include <algorithm>

#include "actors/mail/route_explainer.hpp"

namespace merpati::mail {

namespace {

/// "@domain" or an address, canonical.
result<std::string> canonical_key(std::string_view address) {
  if (!address.starts_with('@'))
    return canonical_address(address);
  auto domain = canonical_domain(address.substr(1));
  if (!domain)
    return domain;
  return '@' + *domain;
}

/// Canonical, sorted, each once. errc::invalid names the first that is no address.
result<std::vector<std::string>> canonical_all(const std::vector<std::string>& addresses) {
  std::vector<std::string> out;
  out.reserve(addresses.size());
  for (const auto& each : addresses) {
    auto canonical = canonical_address(each);
    if (!canonical)
      return tl::make_unexpected(canonical.error());
    out.push_back(std::move(*canonical));
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

struct canonical_settings {
  result<address_settings> operator()(const alias_settings& s) const {
    auto targets = canonical_all(s.targets);
    if (!targets)
      return tl::make_unexpected(targets.error());
    if (targets->empty())
      return fail(errc::invalid, "an alias needs at least one address that it leads to");
    return alias_settings{std::move(*targets)};
  }
  result<address_settings> operator()(const forward_settings& s) const {
    auto targets = canonical_all(s.targets);
    if (!targets)
      return tl::make_unexpected(targets.error());
    if (targets->empty())
      return fail(errc::invalid, "a forward needs at least one address; remove it to forward no more");
    return forward_settings{std::move(*targets), s.keep_copy};
  }
  result<address_settings> operator()(const list_settings& s) const {
    auto members = canonical_all(s.members);
    if (!members)
      return tl::make_unexpected(members.error());
    auto owners = canonical_all(s.owners);
    if (!owners)
      return tl::make_unexpected(owners.error());
    const bool clean = std::none_of(s.title.begin(), s.title.end(), [](char c) { return c >= 0 && c < ' '; });
    if (s.title.size() > list_title_octets || !clean)
      return fail(errc::invalid,
                  "a list's title is one line of at most " + std::to_string(list_title_octets) + " octets");
    return list_settings{s.title, s.posting, std::move(*owners), std::move(*members)};
  }
};

// RFC 5321 4.5.3.1.1, quotes included: an address that a client could not name would get no bounces.
result<void> has_room_for_bounces(const std::string& list) {
  constexpr auto most = smtp::address_limits::local_part_bytes;
  if (smtp::write_local_part(bounce_address(list).local_part).size() <= most)
    return {};
  return fail(errc::invalid, list
                                 + " is too long for a list: with -bounces, where its bounces go, the part before @ "
                                   "would have more than "
                                 + std::to_string(most) + " octets");
}

error no_address(const std::string& address) {
  return {errc::not_found, "there is no alias, list or forward " + address};
}

result<address_entry> entry_of(storage::address_row row) {
  auto settings = read_settings(row.settings);
  if (!settings)
    return fail(settings.error().code, row.address + ": " + settings.error().what);
  return address_entry{std::move(row.address), std::move(*settings)};
}

} // namespace

address_book::address_book(directory_store store, std::vector<std::string> srs_secrets, const clock_source& clock)
    : store_(std::move(store)), srs_secrets_(std::move(srs_secrets)), clock_(clock) {}

result<std::vector<address_entry>> address_book::addresses() {
  auto view = store_.read(0);
  if (!view)
    return tl::make_unexpected(view.error());
  std::vector<address_entry> out;
  for (auto& row : view->addresses()) {
    auto entry = entry_of(std::move(row));
    if (!entry)
      return tl::make_unexpected(entry.error());
    out.push_back(std::move(*entry));
  }
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.address < b.address; });
  return out;
}

result<address_entry> address_book::address(std::string_view address) {
  auto key = canonical_key(address);
  if (!key)
    return tl::make_unexpected(key.error());
  auto view = store_.read(0);
  if (!view)
    return tl::make_unexpected(view.error());
  auto row = view->address(*key);
  if (!row)
    return tl::make_unexpected(no_address(*key));
  return entry_of(std::move(*row));
}

// A forward belongs to an account; everything else needs an address that is still free, or one of its own kind.
result<void> address_book::check_place(const address_entry& entry) {
  auto view = store_.read(0);
  if (!view)
    return tl::make_unexpected(view.error());
  const auto domain = std::string(domain_of(entry.address));
  const auto row = view->domain(domain);
  if (!row)
    return fail(errc::not_found, "there is no domain " + domain + "; add it first: merpati domain add " + domain);
  if (auto settings = read_domain_settings(row->settings); settings && !settings->alias_of.empty())
    return fail(errc::invalid, domain + " is an alias of " + settings->alias_of + "; use the address there");
  const bool is_account = !entry.address.starts_with('@') && view->account(entry.address).has_value();
  if (std::holds_alternative<forward_settings>(entry.settings))
    return is_account ? result<void>() : fail(errc::not_found, "there is no account " + entry.address);
  if (is_account)
    return fail(errc::already_exists, entry.address + " is an account");
  if (entry.address.starts_with('@') && !std::holds_alternative<alias_settings>(entry.settings))
    return fail(errc::invalid, "a catch-all is an alias; a list needs an address of its own");
  const auto before = view->address(entry.address);
  if (!before && std::holds_alternative<list_settings>(entry.settings))
    if (auto room = has_room_for_bounces(entry.address); !room)
      return room;
  auto settings = before ? read_settings(before->settings) : result<address_settings>(entry.settings);
  if (settings && settings->index() != entry.settings.index())
    return fail(errc::already_exists, entry.address + " is an alias or list already; remove it first");
  return {};
}

result<address_entry> address_book::put_address(const address_entry& entry) {
  auto key = canonical_key(entry.address);
  if (!key)
    return tl::make_unexpected(key.error());
  auto settings = std::visit(canonical_settings(), entry.settings);
  if (!settings)
    return tl::make_unexpected(settings.error());
  address_entry out{std::move(*key), std::move(*settings)};
  std::scoped_lock lock(changes_);
  if (auto good = check_place(out); !good)
    return tl::make_unexpected(good.error());
  if (auto done = store_.change(0, storage::put_address{{out.address, write_settings(out.settings)}}); !done)
    return tl::make_unexpected(done.error());
  return out;
}

result<void> address_book::remove_address(std::string_view address) {
  auto key = canonical_key(address);
  if (!key)
    return tl::make_unexpected(key.error());
  std::scoped_lock lock(changes_);
  auto done = store_.change(0, storage::delete_address{*key});
  if (!done && done.error().code == errc::not_found)
    return tl::make_unexpected(no_address(*key));
  return done;
}

result<std::size_t> address_book::change_members(std::string_view list, const std::vector<std::string>& add,
                                                 const std::vector<std::string>& remove) {
  auto key = canonical_key(list);
  auto more = canonical_all(add);
  auto fewer = canonical_all(remove);
  for (const auto* problem :
       {key ? nullptr : &key.error(), more ? nullptr : &more.error(), fewer ? nullptr : &fewer.error()})
    if (problem)
      return tl::make_unexpected(*problem);
  std::scoped_lock lock(changes_);
  auto entry = address(*key);
  if (!entry)
    return tl::make_unexpected(entry.error());
  auto* settings = std::get_if<list_settings>(&entry->settings);
  if (!settings)
    return fail(errc::invalid, *key + " is no list");
  std::vector<std::string> with, without;
  std::set_union(settings->members.begin(), settings->members.end(), more->begin(), more->end(),
                 std::back_inserter(with));
  std::set_difference(with.begin(), with.end(), fewer->begin(), fewer->end(), std::back_inserter(without));
  settings->members = std::move(without);
  if (auto done = store_.change(0, storage::put_address{{*key, write_settings(entry->settings)}}); !done)
    return tl::make_unexpected(done.error());
  return settings->members.size();
}

result<void> address_book::set_domain_alias(std::string_view name, std::string_view target) {
  auto domain = canonical_domain(name);
  if (!domain)
    return tl::make_unexpected(domain.error());
  domain_settings settings;
  std::scoped_lock lock(changes_);
  if (!target.empty()) {
    auto to = canonical_domain(target);
    if (!to)
      return tl::make_unexpected(to.error());
    auto view = store_.read(0);
    if (!view)
      return tl::make_unexpected(view.error());
    const auto row = view->domain(*to);
    if (!row || *to == *domain)
      return fail(errc::not_found, "there is no other domain " + *to + " to be an alias of");
    if (!row->settings.empty())
      return fail(errc::invalid, *to + " is itself an alias of a domain");
    const auto accounts = view->accounts();
    if (std::any_of(accounts.begin(), accounts.end(), [&](const auto& a) { return domain_of(a.name) == *domain; }))
      return fail(errc::in_use, *domain + " has accounts; remove them first");
    settings.alias_of = std::move(*to);
  }
  return store_.change(0, storage::put_domain{{*domain, write_settings(settings)}});
}

result<std::vector<std::string>> address_book::explain(const explain_request& what) {
  auto view = store_.read(0);
  if (!view)
    return tl::make_unexpected(view.error());
  routing_rules rules;
  rules.hostname = what.hostname;
  rules.detail_separators = what.detail_separators;
  rules.srs_secrets = srs_secrets_;
  return explain_route(*view, rules, what, clock_.now());
}

} // namespace merpati::mail
