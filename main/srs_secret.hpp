// The secret that marks rewritten senders as ours: <data_dir>/srs.secret, a secret a line. The first one is used, the
// others are still known, so that it can be changed: put a new line on top.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace merpati {

/// Made where there is none, for the owner alone. `data_dir` exists.
result<std::vector<std::string>> srs_secrets(const std::filesystem::path& data_dir);

} // namespace merpati
