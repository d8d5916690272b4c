// The admin port's paths for aliases, lists, forwards, aliases of domains, and `merpati explain`.
#pragma once

#include "actors/mail/address_service.hpp"

namespace httplib {
class Server;
}

namespace merpati::admin {

/// `addresses` outlives `http`.
void add_address_routes(httplib::Server& http, mail::address_service& addresses);

} // namespace merpati::admin
