// [delivery] and [[route]]: how mail leaves.
#pragma once

#include <filesystem>

#include "config/delivery_settings.hpp"
#include "config/table_reader.hpp"

namespace merpati::config {

/// Relative paths are taken from `folder`.
void read_delivery(table_reader& root, const std::filesystem::path& folder, delivery_settings& into,
                   problem_list& report);

} // namespace merpati::config
