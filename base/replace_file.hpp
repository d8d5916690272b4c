// Small files that somebody else may read while they are replaced.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string_view>

#include <sys/types.h>

#include "base/result.hpp"

namespace merpati {

/// What the new content has to survive.
enum class file_life : std::uint8_t {
  until_reboot,      ///< nothing is synced: the file says something of a process
  through_power_cut, ///< file and folder entry are synced
};

/// Writes beside `file`, then puts it in its place in one step: whoever reads sees the old content or the new. Blocks.
/// Failures, with what the system answered: disk_full, unavailable.
result<void> replace_file(const std::filesystem::path& file, std::string_view content, mode_t mode, file_life life);

} // namespace merpati
