// The admin port's paths for the waiting list.
#pragma once

#include "actors/mail/queue_service.hpp"

namespace httplib {
class Server;
}

namespace merpati::admin {

/// `queue` outlives `http`.
void add_queue_routes(httplib::Server& http, mail::queue_service& queue);

} // namespace merpati::admin
