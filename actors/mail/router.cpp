#include "actors/mail/router.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include "protocols/smtp/srs.hpp"

namespace merpati::mail {

namespace {

constexpr std::array<std::string_view, 2> owner_suffixes{"-owner", "-bounces"};

class search {
public:
  search(const storage::read_view& view, const routing_rules& rules, timestamp now, step_recorder* recorder)
      : view_(view), rules_(rules), now_(now), recorder_(recorder) {}

  result<route> run(const smtp::mailbox& recipient);

private:
  using found = std::optional<route>;

  template <class... Parts>
  void note(const Parts&... parts) const {
    mail::note(recorder_, parts...);
  }
  result<std::optional<std::string>> own_domain(const smtp::mailbox& recipient) const;
  result<found> exact(const std::string& address) const;
  result<found> account(const std::string& address) const;
  result<found> without_detail(const std::string& local, const std::string& domain) const;
  result<found> returning(const std::string& local) const;
  result<found> list_owner(const std::string& local, const std::string& domain) const;
  result<found> responsible(const std::string& local, const std::string& domain) const;
  result<found> postmaster_anywhere(const std::string& domain) const;
  result<found> catch_all(const std::string& local, const std::string& domain) const;

  const storage::read_view& view_;
  const routing_rules& rules_;
  timestamp now_;
  step_recorder* recorder_;
};

std::string address_of(const std::string& local, const std::string& domain) {
  return smtp::write_local_part(local) + '@' + domain;
}

// The canonical domain after aliases of domains; nothing when it is not ours.
result<std::optional<std::string>> search::own_domain(const smtp::mailbox& recipient) const {
  auto domain = smtp::canonical_domain(recipient.domain);
  if (!domain)
    return tl::make_unexpected(domain.error());
  const auto row = view_.domain(*domain);
  if (!row) {
    note("domain ", *domain, " is not ours");
    return std::optional<std::string>();
  }
  auto settings = read_domain_settings(row->settings);
  if (!settings)
    return tl::make_unexpected(settings.error());
  if (settings->alias_of.empty()) {
    note("domain ", *domain, " is ours");
    return std::optional(std::move(*domain));
  }
  note("domain ", *domain, " is an alias of ", settings->alias_of);
  return std::optional(std::move(settings->alias_of));
}

result<search::found> search::account(const std::string& address) const {
  const auto row = view_.account(address);
  if (!row)
    return found();
  to_account out;
  out.account = row->id;
  out.shard = row->shard;
  out.address = row->name;
  out.quota_bytes = row->quota_bytes;
  out.quota_messages = row->quota_messages;
  if (const auto also = view_.address(address)) {
    auto settings = read_settings(also->settings);
    if (!settings)
      return tl::make_unexpected(settings.error());
    if (auto* forward = std::get_if<forward_settings>(&*settings)) {
      out.forwards = std::move(forward->targets);
      out.keep_copy = forward->keep_copy || out.forwards.empty();
    }
  }
  note(address, " is an account",
       (out.forwards.empty() ? ""
        : out.keep_copy      ? " that forwards and keeps a copy"
                             : " that forwards"));
  return found(std::move(out));
}

result<search::found> search::exact(const std::string& address) const {
  auto own = account(address);
  if (!own || *own)
    return own;
  const auto row = view_.address(address);
  if (!row) {
    note("there is no account, alias or list ", address);
    return found();
  }
  auto settings = read_settings(row->settings);
  if (!settings)
    return tl::make_unexpected(settings.error());
  if (auto* alias = std::get_if<alias_settings>(&*settings)) {
    note(address + " is an alias of " + std::to_string(alias->targets.size()) + " addresses");
    return found(to_alias{address, std::move(alias->targets)});
  }
  if (auto* list = std::get_if<list_settings>(&*settings)) {
    note(address + " is a list of " + std::to_string(list->members.size()) + " members");
    return found(to_list{address, std::move(*list)});
  }
  return found(); // what an account that is gone left behind
}

result<search::found> search::without_detail(const std::string& local, const std::string& domain) const {
  const auto at = local.find_first_of(rules_.detail_separators);
  if (at == 0 || at == std::string::npos)
    return found();
  note("without its detail \"" + local.substr(at + 1) + "\":");
  auto base = exact(address_of(local.substr(0, at), domain));
  if (base && *base)
    if (auto* own = std::get_if<to_account>(&**base))
      own->detail = local.substr(at + 1);
  return base;
}

result<search::found> search::returning(const std::string& local) const {
  if (rules_.srs_secrets.empty() || !smtp::is_srs(local))
    return found();
  auto first = smtp::srs_reverse(local, rules_.srs_secrets, now_);
  if (!first) {
    note("it looks like a rewritten sender, but: " + first.error().what);
    return found();
  }
  auto parsed = smtp::parse_mailbox(smtp::write_mailbox(*first), {.utf8 = true});
  if (!parsed)
    return found();
  note("it is a sender that was rewritten here, of " + smtp::write_mailbox(*parsed));
  return found(to_remote{std::move(*parsed), true});
}

result<search::found> search::list_owner(const std::string& local, const std::string& domain) const {
  for (auto suffix : owner_suffixes) {
    if (!local.ends_with(suffix) || local.size() == suffix.size())
      continue;
    const auto list_address = address_of(local.substr(0, local.size() - suffix.size()), domain);
    const auto row = view_.address(list_address);
    if (!row)
      continue;
    auto settings = read_settings(row->settings);
    if (!settings)
      return tl::make_unexpected(settings.error());
    auto* list = std::get_if<list_settings>(&*settings);
    if (!list)
      continue;
    if (list->owners.empty())
      return responsible("postmaster", domain);
    note("it is for the owners of ", list_address);
    return found(to_alias{address_of(local, domain), std::move(list->owners)});
  }
  return found();
}

// RFC 5321 4.5.1 and RFC 2142 4: somebody reads these in every domain.
result<search::found> search::responsible(const std::string& local, const std::string& domain) const {
  if (local != "postmaster" && local != "abuse")
    return found();
  if (local == "abuse") {
    auto own = exact("postmaster@" + domain);
    if (!own || *own)
      return own;
  }
  return postmaster_anywhere(domain);
}

result<search::found> search::postmaster_anywhere(const std::string& domain) const {
  std::vector<std::string> candidates{"postmaster@" + rules_.hostname};
  for (const auto& row : view_.domains())
    candidates.push_back("postmaster@" + row.name);
  for (const auto& address : candidates) {
    auto reads = exact(address);
    if (!reads || *reads)
      return reads;
  }
  auto accounts = view_.accounts();
  std::sort(accounts.begin(), accounts.end(), [&](const auto& a, const auto& b) {
    const bool a_is_of_domain = a.name.ends_with('@' + domain);
    const bool b_is_of_domain = b.name.ends_with('@' + domain);
    return a_is_of_domain != b_is_of_domain ? a_is_of_domain : a.id < b.id;
  });
  if (accounts.empty())
    return found();
  note("nobody is postmaster, so it is for whoever was here first:");
  return account(accounts.front().name);
}

result<search::found> search::catch_all(const std::string& local, const std::string& domain) const {
  const auto row = view_.address('@' + domain);
  if (!row)
    return found();
  auto settings = read_settings(row->settings);
  if (!settings)
    return tl::make_unexpected(settings.error());
  auto* alias = std::get_if<alias_settings>(&*settings);
  if (!alias)
    return found();
  note("the catch-all of ", domain, " takes it");
  return found(to_alias{address_of(local, domain), std::move(alias->targets)});
}

result<route> search::run(const smtp::mailbox& recipient) {
  auto hit = [](result<found> step) -> std::optional<result<route>> {
    if (!step)
      return tl::make_unexpected(step.error());
    if (*step)
      return std::move(**step);
    return std::nullopt;
  };
  if (recipient.is_bare_postmaster()) {
    if (auto step = hit(postmaster_anywhere(rules_.hostname)))
      return std::move(*step);
    return unknown_recipient{};
  }
  auto domain = own_domain(recipient);
  if (!domain)
    return tl::make_unexpected(domain.error());
  if (!*domain)
    return to_remote{recipient};
  const auto local = smtp::local_part_key(recipient.local_part);
  if (auto step = hit(exact(address_of(local, **domain))))
    return std::move(*step);
  if (auto step = hit(without_detail(local, **domain)))
    return std::move(*step);
  if (auto step = hit(returning(recipient.local_part)))
    return std::move(*step);
  if (auto step = hit(list_owner(local, **domain)))
    return std::move(*step);
  if (auto step = hit(responsible(local, **domain)))
    return std::move(*step);
  if (auto step = hit(catch_all(local, **domain)))
    return std::move(*step);
  note("there is no such recipient");
  return unknown_recipient{};
}

} // namespace

result<route> find_route(const storage::read_view& view, const routing_rules& rules, const smtp::mailbox& recipient,
                         timestamp now, step_recorder* recorder) {
  return search(view, rules, now, recorder).run(recipient);
}

smtp::mailbox parse_canonical(std::string_view address) {
  auto parsed = smtp::parse_mailbox(address, {.utf8 = true});
  return parsed ? std::move(*parsed) : smtp::mailbox{std::string(address), ""};
}

smtp::mailbox bounce_address(const std::string& list) {
  auto out = parse_canonical(list);
  out.local_part += owner_suffixes[1];
  return out;
}

} // namespace merpati::mail
