// The commands of the program, one function each. They print for people and answer with the exit status:
// 0 done, 1 failed or refused (the reason is on standard error), 3 the daemon could not go on.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "actors/mail/queue_service.hpp"
#include "storage/fsck.hpp"

namespace merpati {

enum exit_status : int { exit_done = 0, exit_failed = 1, exit_usage = 2, exit_broken = 3 };

/// Where a new password comes from.
struct password_source {
  std::string file; ///< "-": standard input; empty: generated and printed
};

int serve(const std::filesystem::path& config);
int check_config(const std::filesystem::path& config);
int reload(const std::filesystem::path& config);
int fsck(const std::filesystem::path& config, storage::fsck_mode mode);

int domain_add(const std::filesystem::path& config, const std::string& name);
int domain_remove(const std::filesystem::path& config, const std::string& name);
int domain_list(const std::filesystem::path& config);

int user_add(const std::filesystem::path& config, const std::string& address, const password_source& password,
             std::uint64_t quota_mb);
int user_remove(const std::filesystem::path& config, const std::string& address);
int user_enable(const std::filesystem::path& config, const std::string& address, bool enabled);
int user_password(const std::filesystem::path& config, const std::string& address, const password_source& password);
int user_quota(const std::filesystem::path& config, const std::string& address, std::uint64_t quota_mb);
int user_list(const std::filesystem::path& config);
int user_forward(const std::filesystem::path& config, const std::string& address,
                 const std::vector<std::string>& targets, bool keep_copy);

/// An alias of `target`; empty: a domain of its own again.
int domain_alias(const std::filesystem::path& config, const std::string& name, const std::string& target);

int alias_set(const std::filesystem::path& config, const std::string& address, const std::vector<std::string>& targets);
int alias_list(const std::filesystem::path& config);
/// An alias or a list.
int address_remove(const std::filesystem::path& config, const std::string& address);

/// What the command line says of a list; what it does not say stays as it is.
struct list_change {
  std::optional<std::string> title;
  std::optional<std::string> posting;
  std::optional<std::vector<std::string>> owners;
};
int list_create(const std::filesystem::path& config, const std::string& address, const list_change& how);
int list_change_settings(const std::filesystem::path& config, const std::string& address, const list_change& how);
/// `file`: one address a line, "-" is standard input, empty: none.
int list_members(const std::filesystem::path& config, const std::string& address,
                 const std::vector<std::string>& members, const std::string& file, bool add);
int list_show(const std::filesystem::path& config, const std::string& address);
int list_all(const std::filesystem::path& config);

int queue_list(const std::filesystem::path& config, const mail::queue_filter& which, bool all_rows);
/// `what`: a message's or a recipient's name, or an address.
int queue_why(const std::filesystem::path& config, const std::string& what);
int queue_change(const std::filesystem::path& config, mail::queue_action what, const mail::queue_filter& which);

/// What `merpati explain` asks.
struct explain_options {
  std::string recipient;
  std::string sender;
  std::string account;
  std::string client_address;
};
int explain(const std::filesystem::path& config, const explain_options& what);

} // namespace merpati
