// alias, list, user forward, domain alias and explain.
#include <fstream>
#include <functional>
#include <iostream>

#include "base/ascii.hpp"
#include "main/account_access.hpp"
#include "main/client_steps.hpp"
#include "main/commands.hpp"
#include "main/report.hpp"

namespace merpati {

namespace {

int with_addresses(const std::filesystem::path& config, const std::function<int(mail::address_service&)>& act) {
  return with_access(config, [&](const auto&, const account_access& access) { return act(access.addresses()); });
}

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const auto& word : words)
    out += (out.empty() ? "" : ", ") + word;
  return out;
}

/// One address a line; empty lines and what stands behind # count for nothing.
result<std::vector<std::string>> read_addresses(const std::string& file) {
  std::ifstream in_file;
  if (file != "-")
    in_file.open(file);
  std::istream& in = file == "-" ? std::cin : in_file;
  if (!in)
    return fail(errc::not_found, "file " + file + " can't be read");
  std::vector<std::string> out;
  for (std::string line; std::getline(in, line);) {
    if (line.ends_with('\r'))
      line.pop_back();
    const auto word = ascii::trim(std::string_view(line).substr(0, line.find('#')));
    if (!word.empty())
      out.emplace_back(word);
  }
  return out;
}

result<void> change(mail::list_settings& list, const list_change& how) {
  if (how.posting) {
    auto rule = mail::parse_posting_rule(*how.posting);
    if (!rule)
      return tl::unexpected(rule.error());
    list.posting = *rule;
  }
  list.title = how.title.value_or(list.title);
  list.owners = how.owners.value_or(list.owners);
  return {};
}

int put(mail::address_service& service, const mail::address_entry& entry, const std::string& done) {
  auto kept = service.put_address(entry);
  if (!kept)
    return complain(kept.error().what);
  std::cout << kept->address << ' ' << done << std::endl;
  return exit_done;
}

} // namespace

int user_forward(const std::filesystem::path& config, const std::string& address,
                 const std::vector<std::string>& targets, bool keep_copy) {
  return with_addresses(config, [&](mail::address_service& service) {
    if (!targets.empty())
      return put(service, {address, mail::forward_settings{targets, keep_copy}},
                 "forwards to " + joined(targets) + (keep_copy ? " and keeps a copy" : " and keeps nothing"));
    return finish(service.remove_address(address), address + " forwards no more");
  });
}

int domain_alias(const std::filesystem::path& config, const std::string& name, const std::string& target) {
  return with_addresses(config, [&](mail::address_service& service) {
    return finish(service.set_domain_alias(name, target),
                  "domain " + name + (target.empty() ? " is a domain of its own" : " is an alias of " + target));
  });
}

int alias_set(const std::filesystem::path& config, const std::string& address,
              const std::vector<std::string>& targets) {
  return with_addresses(config, [&](mail::address_service& service) {
    return put(service, {address, mail::alias_settings{targets}}, "leads to " + joined(targets));
  });
}

int alias_list(const std::filesystem::path& config) {
  return with_addresses(config, [&](mail::address_service& service) {
    auto all = service.addresses();
    if (!all)
      return complain(all.error().what);
    for (const auto& entry : *all) {
      if (const auto* alias = std::get_if<mail::alias_settings>(&entry.settings))
        std::cout << entry.address << '\t' << joined(alias->targets) << '\n';
      else if (const auto* forward = std::get_if<mail::forward_settings>(&entry.settings))
        std::cout << entry.address << '\t' << joined(forward->targets)
                  << (forward->keep_copy ? "\tforward, keeps a copy\n" : "\tforward\n");
    }
    std::cout << std::flush;
    return static_cast<int>(exit_done);
  });
}

int address_remove(const std::filesystem::path& config, const std::string& address) {
  return with_addresses(config, [&](mail::address_service& service) {
    return finish(service.remove_address(address), address + " removed");
  });
}

int list_create(const std::filesystem::path& config, const std::string& address, const list_change& how) {
  return with_addresses(config, [&](mail::address_service& service) {
    if (auto before = service.address(address); before || before.error().code != errc::not_found)
      return complain(before ? before->address + " is there already" : before.error().what);
    mail::list_settings list;
    if (auto good = change(list, how); !good)
      return complain(good.error().what);
    return put(service, {address, std::move(list)}, "is a list now; add members: merpati list add " + address + " ...");
  });
}

int list_change_settings(const std::filesystem::path& config, const std::string& address, const list_change& how) {
  return with_addresses(config, [&](mail::address_service& service) {
    auto entry = service.address(address);
    if (!entry)
      return complain(entry.error().what);
    auto* list = std::get_if<mail::list_settings>(&entry->settings);
    if (!list)
      return complain(entry->address + " is no list");
    if (auto good = change(*list, how); !good)
      return complain(good.error().what);
    return put(service, *entry, "changed");
  });
}

int list_members(const std::filesystem::path& config, const std::string& address,
                 const std::vector<std::string>& members, const std::string& file, bool add) {
  auto all = members;
  if (!file.empty()) {
    auto more = read_addresses(file);
    if (!more)
      return complain(more.error().what);
    all.insert(all.end(), more->begin(), more->end());
  }
  if (all.empty())
    return complain("no members are named; write their addresses, or --file FILE with one a line");
  return with_addresses(config, [&](mail::address_service& service) {
    const std::vector<std::string> none;
    auto count = service.change_members(address, add ? all : none, add ? none : all);
    if (!count)
      return complain(count.error().what);
    std::cout << "list " << address << " has " << *count << (*count == 1 ? " member" : " members") << std::endl;
    return static_cast<int>(exit_done);
  });
}

int list_show(const std::filesystem::path& config, const std::string& address) {
  return with_addresses(config, [&](mail::address_service& service) {
    auto entry = service.address(address);
    if (!entry)
      return complain(entry.error().what);
    const auto* list = std::get_if<mail::list_settings>(&entry->settings);
    if (!list)
      return complain(entry->address + " is no list");
    std::cout << "# " << entry->address << (list->title.empty() ? "" : ", " + list->title)
              << "\n# may post: " << mail::to_string(list->posting)
              << "\n# owners: " << (list->owners.empty() ? "none, postmaster gets bounces" : joined(list->owners))
              << '\n';
    for (const auto& member : list->members)
      std::cout << member << '\n';
    std::cout << std::flush;
    return static_cast<int>(exit_done);
  });
}

int list_all(const std::filesystem::path& config) {
  return with_addresses(config, [&](mail::address_service& service) {
    auto all = service.addresses();
    if (!all)
      return complain(all.error().what);
    for (const auto& entry : *all)
      if (const auto* list = std::get_if<mail::list_settings>(&entry.settings))
        std::cout << entry.address << '\t' << list->members.size() << " members\t" << mail::to_string(list->posting)
                  << '\t' << list->title << '\n';
    std::cout << std::flush;
    return static_cast<int>(exit_done);
  });
}

namespace {

void print(const std::vector<std::string>& lines) {
  for (const auto& line : lines)
    std::cout << line << '\n';
}

} // namespace

int explain(const std::filesystem::path& config, const explain_options& what) {
  return with_access(config, [&](const config::settings& settings, const account_access& access) {
    mail::explain_request request;
    request.recipient = what.recipient;
    request.sender = what.sender;
    request.account = what.account;
    request.hostname = settings.hostname;
    request.detail_separators = settings.smtp.detail_separators;
    if (!what.client_address.empty()) {
      auto before = client_steps(settings, what.client_address, what.account);
      if (!before)
        return complain(before.error().what);
      print(*before);
    }
    auto steps = access.addresses().explain(request);
    if (!steps)
      return complain(steps.error().what);
    print(*steps);
    std::cout << std::flush;
    return static_cast<int>(exit_done);
  });
}

} // namespace merpati
