// The file in which greylisting survives a restart. Replaced as a whole: after a crash it is the one before or the new.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "base/result.hpp"

namespace merpati::policy {

constexpr std::uint64_t greylist_file_max_bytes = 134'217'728; ///< all entries at their limits have 30 MB

/// The content; empty when there is no file. Failures: unavailable, too_big. Blocks.
result<std::string> load_greylist(const std::filesystem::path& file);
/// Failures: unavailable, disk_full. Blocks until the disk has it.
result<void> save_greylist(const std::filesystem::path& file, const std::string& content);

} // namespace merpati::policy
