// Makes the store of a site with a large distribution list, and counts what its members have. For list_kills.py: ten
// thousand accounts by the command line would take minutes of password hashing, and as many logins to read them.
//
//   list_site make FOLDER COUNT    domain example.org, COUNT accounts without passwords, list all@example.org of them
//   list_site count FOLDER         "COPIES MEMBERS" lines: how many members have how many messages in their INBOX
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "actors/mail/address_settings.hpp"
#include "storage/shard.hpp"

using namespace merpati;

namespace {

std::unique_ptr<storage::shard> open(const std::string& folder) {
  storage::shard_options options;
  options.folder = folder;
  options.reserve_bytes = 0;
  auto opened = storage::shard::open(std::move(options));
  if (!opened)
    throw std::runtime_error(opened.error().what);
  return std::move(*opened);
}

void make(const std::string& folder, std::size_t count) {
  std::vector<storage::mutation> changes;
  storage::put_domain domain;
  domain.domain.name = "example.org";
  changes.emplace_back(domain);
  mail::list_settings list;
  for (std::size_t i = 0; i != count; ++i) {
    storage::put_account account;
    account.account.name = "member" + std::to_string(i) + "@example.org";
    list.members.push_back(account.account.name);
    changes.emplace_back(account);
  }
  changes.emplace_back(storage::put_address{{"all@example.org", mail::write_settings(list)}});
  for (const auto& answer : open(folder)->apply(changes))
    if (!answer)
      throw std::runtime_error(answer.error().what);
}

void count(const std::string& folder) {
  auto shard = open(folder);
  auto view = shard->read();
  if (!view)
    throw std::runtime_error(view.error().what);
  std::map<std::uint64_t, std::size_t> members;
  for (const auto& account : view->accounts())
    ++members[view->usage(account.id).messages];
  for (const auto& [copies, number] : members)
    std::cout << copies << ' ' << number << '\n';
}

} // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  try {
    if (words.size() == 3 && words[0] == "make")
      make(words[1], std::stoul(words[2]));
    else if (words.size() == 2 && words[0] == "count")
      count(words[1]);
    else
      throw std::runtime_error("see the head of list_site.cpp");
  } catch (const std::exception& e) {
    std::cerr << "list_site: " << e.what() << '\n';
    return 1;
  }
  return 0;
}
