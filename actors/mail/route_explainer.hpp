// `merpati explain`: the way of a message to one recipient, a line for each step.
#pragma once

#include <string>
#include <vector>

#include "actors/mail/address_service.hpp"
#include "actors/mail/router.hpp"

namespace merpati::mail {

/// errc::invalid for an address that is none.
result<std::vector<std::string>> explain_route(const storage::read_view& view, const routing_rules& rules,
                                               const explain_request& what, timestamp now);

} // namespace merpati::mail
