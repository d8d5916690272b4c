// Reads [limits] and its sub-tables.
#pragma once

#include "config/limits.hpp"
#include "config/table_reader.hpp"

namespace merpati::config {

/// Overwrites what `table` sets; null: all defaults stay.
void read_limits(const toml::table* table, limits& into, problem_list& report);

} // namespace merpati::config
