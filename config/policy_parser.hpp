// [policy] and [resolver]: what strangers who bring mail have to bear, and who is asked about them.
#pragma once

#include <filesystem>

#include "config/policy_settings.hpp"
#include "config/table_reader.hpp"

namespace merpati::config {

void read_policy(table_reader& root, policy_settings& into, problem_list& report);
/// Relative paths are taken against `folder`.
void read_resolver(table_reader& root, const std::filesystem::path& folder, resolver_settings& into,
                   problem_list& report);

} // namespace merpati::config
