// What every command says in the same way.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "base/result.hpp"
#include "config/settings.hpp"
#include "main/commands.hpp"

namespace merpati {

/// "merpati: what" on standard error; exit_failed.
int complain(const std::string& what);

/// Prints `text` when it is done, else the failure.
int finish(const result<void>& done, const std::string& text);

/// The settings, or nothing after all problems were printed.
std::optional<config::settings> load_settings(const std::filesystem::path& config);

} // namespace merpati
