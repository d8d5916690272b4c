// The commands of the program, one function each. They print for people and answer with the exit status:
// 0 done, 1 failed or refused (the reason is on standard error), 3 the daemon could not go on.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

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

} // namespace merpati
