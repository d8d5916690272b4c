// What a session is given to work with: the parts of the daemon it may ask, and its bounds. One immutable object for
// all sessions; what is restarted or reloaded behind it sits in slots.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "actors/auth/authenticator_actor.hpp"
#include "actors/mail/mailboxes_actor.hpp"
#include "actors/mail/message_intake.hpp"
#include "actors/mail/router.hpp"
#include "actors/mail/sender_rules.hpp"
#include "actors/net/connector.hpp"
#include "actors/policy/door_actor.hpp"
#include "actors/runtime/supervisor.hpp"
#include "actors/store/node_store.hpp"
#include "base/address_range.hpp"
#include "base/clock.hpp"
#include "config/limits.hpp"
#include "config/settings.hpp"
#include "protocols/smtp/server_engine.hpp"
#include "protocols/tls/context.hpp"

namespace merpati::session {

/// The certificates in use; a reload puts others in their place for sessions that begin later.
class tls_slot {
public:
  std::shared_ptr<const tls::server_context> get() const { return context_.load(); }
  void set(std::shared_ptr<const tls::server_context> context) { context_.store(std::move(context)); }

private:
  std::atomic<std::shared_ptr<const tls::server_context>> context_;
};

struct services {
  std::string hostname;
  config::limits limits;
  mail::intake_limits intake;
  smtp::bare_newlines bare_newlines = smtp::bare_newlines::refuse;
  mail::sender_delegations delegations;
  mail::routing_rules routing;
  const clock_source* clock = &clock_source::system();
  std::shared_ptr<const store::node_store> store;
  std::shared_ptr<runtime::actor_slot> mailboxes_slot;
  std::shared_ptr<runtime::actor_slot> authenticator_slot;
  std::shared_ptr<runtime::actor_slot> door_slot;      ///< null: nobody decides about strangers
  std::shared_ptr<runtime::actor_slot> connector_slot; ///< for filters
  std::shared_ptr<const tls_slot> certificates;        ///< null or empty: no TLS is offered

  mail::mailboxes_actor mailboxes() const { return caf::actor_cast<mail::mailboxes_actor>(mailboxes_slot->get()); }
  auth::authenticator_actor authenticator() const {
    return caf::actor_cast<auth::authenticator_actor>(authenticator_slot->get());
  }
  /// Empty while there is none, or it is being started anew.
  policy::door_actor door() const {
    return door_slot ? caf::actor_cast<policy::door_actor>(door_slot->get()) : policy::door_actor();
  }
  net::connector_actor connector() const { return caf::actor_cast<net::connector_actor>(connector_slot->get()); }
  std::shared_ptr<const tls::server_context> tls() const { return certificates ? certificates->get() : nullptr; }
};

using services_ptr = std::shared_ptr<const services>;

/// What the listener of a session decides.
struct door {
  bool implicit_tls = false;
  bool plaintext_login = false;            ///< passwords without TLS (loopback only, see config)
  std::vector<address_range> xclient_from; ///< who may say for whom it speaks (SMTP)
  std::string kind;                        ///< of the listener: "smtp"
  std::vector<config::milter> filters;     ///< what the listener's mail passes, in order
};

using door_ptr = std::shared_ptr<const door>;

} // namespace merpati::session
