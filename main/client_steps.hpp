// `merpati explain --ip`: what a client has to bear before its mail is taken.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "config/settings.hpp"

namespace merpati {

/// A line for each check of [policy], in the order of a session. Nothing is looked up. `account`: who logged in; empty:
/// nobody. errc::invalid: `address` is no IP address.
result<std::vector<std::string>> client_steps(const config::settings& settings, std::string_view address,
                                              const std::string& account);

} // namespace merpati
