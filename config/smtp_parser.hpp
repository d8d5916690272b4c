// [smtp] and [[delegation]]: how mail is received, and who may send as whom.
#pragma once

#include "config/settings.hpp"
#include "config/table_reader.hpp"

namespace merpati::config {

void read_smtp(table_reader& root, smtp_settings& into, problem_list& report);

} // namespace merpati::config
