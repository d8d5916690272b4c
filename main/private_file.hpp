// Small files that somebody else may read while they are replaced.
#pragma once

#include <filesystem>
#include <string>

#include <sys/types.h>

#include "base/result.hpp"

namespace merpati {

/// Writes beside `file`, then puts it in its place in one step. errc::unavailable says what the system answered.
result<void> write_file(const std::filesystem::path& file, const std::string& content, mode_t mode);

} // namespace merpati
