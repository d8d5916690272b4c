// Reads [[milter]].
#pragma once

#include "config/settings.hpp"
#include "config/table_reader.hpp"

namespace merpati::config {

/// The milter of one table; nothing when something needed is missing or wrong, which is reported.
std::optional<milter> read_milter(const toml::table& entry, problem_list& report);

/// "inet:HOST:PORT" with a numeric HOST, IPv6 in brackets, or "unix:/absolute/path"; nothing for anything else.
std::optional<milter_socket> parse_milter_socket(std::string_view text);

} // namespace merpati::config
