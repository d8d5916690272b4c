// domain and user: through the daemon's admin port while it runs, on the store itself while it does not.
#include <cstdio>
#include <fstream>
#include <functional>
#include <iostream>

#include <termios.h>
#include <unistd.h>

#include "actors/mail/account_service.hpp"
#include "main/account_access.hpp"
#include "main/commands.hpp"
#include "main/report.hpp"

namespace merpati {

namespace {

constexpr std::uint64_t bytes_per_mb = 1'048'576;

int with_accounts(const std::filesystem::path& config, const std::function<int(mail::account_service&)>& act) {
  return with_access(config, [&](const auto&, const account_access& access) { return act(access.accounts()); });
}

/// Reads a line without showing it, when somebody types.
std::string read_hidden_line() {
  termios before{};
  bool typed = ::isatty(STDIN_FILENO) && ::tcgetattr(STDIN_FILENO, &before) == 0;
  if (typed) {
    auto quiet = before;
    quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
    std::cerr << "password: " << std::flush;
  }
  std::string line;
  std::getline(std::cin, line);
  if (typed) {
    ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
    std::cerr << std::endl;
  }
  return line;
}

/// The first line of the source, without its line end.
result<std::string> read_password(const password_source& from) {
  std::string line;
  if (from.file.empty())
    return mail::generated_password();
  if (from.file == "-") {
    line = read_hidden_line();
  } else {
    std::ifstream in(from.file);
    if (!in)
      return fail(errc::not_found, "password file " + from.file + " can't be read");
    std::getline(in, line);
  }
  if (line.ends_with('\r'))
    line.pop_back();
  if (line.empty())
    return fail(errc::invalid,
                "the password is empty; it is the first line of " + (from.file == "-" ? "standard input" : from.file));
  return line;
}

void print_generated(const password_source& from, const std::string& password) {
  if (from.file.empty())
    std::cout << "password: " << password << std::endl;
}

std::string quota_text(std::uint64_t bytes) {
  return bytes == 0 ? "no quota" : std::to_string(bytes / bytes_per_mb) + " MB";
}

} // namespace

int domain_add(const std::filesystem::path& config, const std::string& name) {
  return with_accounts(config, [&](mail::account_service& service) {
    auto done = service.add_domain(name);
    if (!done)
      return complain(done.error().what);
    std::cout << "domain " << *done << " added" << std::endl;
    return static_cast<int>(exit_done);
  });
}

int domain_remove(const std::filesystem::path& config, const std::string& name) {
  return with_accounts(config, [&](mail::account_service& service) {
    return finish(service.remove_domain(name), "domain " + name + " removed");
  });
}

int domain_list(const std::filesystem::path& config) {
  return with_accounts(config, [&](mail::account_service& service) {
    auto list = service.domains();
    if (!list)
      return complain(list.error().what);
    for (const auto& name : *list)
      std::cout << name << '\n';
    std::cout << std::flush;
    return static_cast<int>(exit_done);
  });
}

int user_add(const std::filesystem::path& config, const std::string& address, const password_source& from,
             std::uint64_t quota_mb) {
  auto password = read_password(from);
  if (!password)
    return complain(password.error().what);
  return with_accounts(config, [&](mail::account_service& service) {
    mail::new_account account;
    account.address = address;
    account.password = *password;
    account.quota_bytes = quota_mb * bytes_per_mb;
    auto done = service.add_account(account);
    if (!done)
      return complain(done.error().what);
    std::cout << "user " << *done << " added" << std::endl;
    print_generated(from, *password);
    return static_cast<int>(exit_done);
  });
}

int user_remove(const std::filesystem::path& config, const std::string& address) {
  return with_accounts(config, [&](mail::account_service& service) {
    return finish(service.remove_account(address), "user " + address + " and all mail of it removed");
  });
}

int user_enable(const std::filesystem::path& config, const std::string& address, bool enabled) {
  return with_accounts(config, [&](mail::account_service& service) {
    return finish(service.set_enabled(address, enabled), "user " + address + (enabled ? " enabled" : " disabled"));
  });
}

int user_password(const std::filesystem::path& config, const std::string& address, const password_source& from) {
  auto password = read_password(from);
  if (!password)
    return complain(password.error().what);
  return with_accounts(config, [&](mail::account_service& service) {
    auto status = finish(service.set_password(address, *password), "password of " + address + " changed");
    if (status == exit_done)
      print_generated(from, *password);
    return status;
  });
}

int user_quota(const std::filesystem::path& config, const std::string& address, std::uint64_t quota_mb) {
  return with_accounts(config, [&](mail::account_service& service) {
    return finish(service.set_quota(address, quota_mb * bytes_per_mb),
                  "quota of " + address + ": " + quota_text(quota_mb * bytes_per_mb));
  });
}

int user_list(const std::filesystem::path& config) {
  return with_accounts(config, [&](mail::account_service& service) {
    auto list = service.accounts();
    if (!list)
      return complain(list.error().what);
    for (const auto& a : *list)
      std::cout << a.address << '\t' << (a.enabled ? "enabled" : "disabled") << '\t' << a.messages << " messages\t"
                << a.used_bytes << " octets\t" << quota_text(a.quota_bytes) << '\n';
    std::cout << std::flush;
    return static_cast<int>(exit_done);
  });
}

} // namespace merpati
