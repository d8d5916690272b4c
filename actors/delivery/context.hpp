// What everything on the way out is given to work with. One immutable object.
#pragma once

#include <memory>
#include <string>

#include "actors/delivery/figures.hpp"
#include "actors/delivery/host_finder.hpp"
#include "actors/mail/router.hpp"
#include "actors/net/connector.hpp"
#include "actors/runtime/supervisor.hpp"
#include "actors/store/node_store.hpp"
#include "base/clock.hpp"
#include "config/delivery_settings.hpp"
#include "protocols/mime/limits.hpp"
#include "protocols/tls/context.hpp"

namespace merpati::delivery {

struct context {
  own_places own;
  config::delivery_settings settings;
  mail::routing_rules routing; ///< of reports to senders
  mime::limits mime;
  const clock_source* clock = &clock_source::system();
  std::shared_ptr<const store::node_store> store;
  std::shared_ptr<figures> counts = std::make_shared<figures>();
  runtime::supervisor_actor sessions; ///< stops conversations in order; may be empty
  int sessions_phase = 0;
  std::shared_ptr<runtime::actor_slot> connector_slot;
  std::shared_ptr<runtime::actor_slot> resolver_slot;
  std::shared_ptr<const tls::client_context> any_certificate;     ///< RFC 7435: takes every certificate
  std::shared_ptr<const tls::client_context> trusted_certificate; ///< checks chain and name
  std::shared_ptr<const tls::client_context> dane_certificate;    ///< checks by TLSA records

  net::connector_actor connector() const { return caf::actor_cast<net::connector_actor>(connector_slot->get()); }
  dns::resolver_actor resolver() const { return caf::actor_cast<dns::resolver_actor>(resolver_slot->get()); }
};

using context_ptr = std::shared_ptr<const context>;

} // namespace merpati::delivery
