#include "main/daemon.hpp"

#include <algorithm>
#include <stdexcept>
#include <thread>
#include <utility>

#include <caf/all.hpp>
#include <caf/io/middleman.hpp>

#include "actors/auth/authenticator_actor.hpp"
#include "actors/delivery/queue_actor.hpp"
#include "actors/dns/resolver_actor.hpp"
#include "actors/mail/address_book.hpp"
#include "actors/mail/directory.hpp"
#include "actors/mail/mailboxes_actor.hpp"
#include "actors/mail/queue_control.hpp"
#include "actors/net/connector.hpp"
#include "actors/net/limiter.hpp"
#include "actors/net/listener.hpp"
#include "actors/policy/door_actor.hpp"
#include "actors/runtime/supervisor.hpp"
#include "actors/session/services.hpp"
#include "actors/store/io_actor.hpp"
#include "actors/store/node_store.hpp"
#include "actors/store/writer_actor.hpp"
#include "base/log.hpp"
#include "main/certificates.hpp"
#include "main/delivery_context.hpp"
#include "main/listener_setup.hpp"
#include "main/srs_secret.hpp"
#include "main/store_layout.hpp"

namespace merpati {

namespace {

// Ordered stop: what lets work in ends first, what keeps it safe ends last.
constexpr int phase_listeners = 0;
constexpr int phase_sessions = 1;
constexpr int phase_services = 2;
constexpr int phase_store = 3;

/// Half of it for sessions, half for their connections. Below the share that this phase has of the whole.
constexpr auto sessions_stop_deadline = std::chrono::milliseconds(1'800);

/// Threads that may block on body files. Reads that miss the page cache and spooled messages share them.
constexpr std::size_t io_workers = 4;

class system_config : public caf::actor_system_config {
public:
  system_config() {
    load<caf::io::middleman>();
    // As many workers as cores: sessions never block. Work is shared through one queue: on few cores stealing gains
    // nothing, and its idle workers poll, which costs a sleeping machine its sleep (docs/performance.md).
    set("scheduler.max-threads", std::max<std::size_t>(2, std::thread::hardware_concurrency()));
    set("scheduler.policy", caf::atom("sharing"));
    set("middleman.max-consecutive-reads", std::size_t{1}); // a second read in a row mostly finds nothing
    set("middleman.workers", std::size_t{0}); // background brokers for remote actors: there is no cluster port
    set("logger.verbosity", caf::atom("quiet"));
  }
};

result<std::shared_ptr<const tls::server_context>> load_certificates(const config::tls_settings& settings) {
  auto sources = read_certificates(settings);
  if (!sources)
    return tl::make_unexpected(sources.error());
  return tls::server_context::create(std::move(*sources));
}

} // namespace

struct mail_daemon::state {
  explicit state(config::settings s) : settings(std::move(s)) {}

  config::settings settings;
  system_config actor_config;
  std::unique_ptr<caf::actor_system> system;
  std::shared_ptr<session::tls_slot> certificates = std::make_shared<session::tls_slot>();
  std::shared_ptr<const store::node_store> store;
  std::vector<std::shared_ptr<runtime::actor_slot>> writers;
  session::services_ptr services;
  std::shared_ptr<runtime::actor_slot> resolver_slot;
  std::shared_ptr<runtime::actor_slot> connector_slot;
  std::shared_ptr<net::connection_limiter> limiter;
  runtime::supervisor_actor sessions;
  runtime::supervisor_actor root;
  std::vector<runtime::child_spec> children; ///< planned; handed to `root`
  std::vector<caf::actor> early;             ///< made before `root` is there to look after them
  std::vector<bound_listener> listeners;
  std::shared_ptr<policy::counters> policy_counters = std::make_shared<policy::counters>();
  std::shared_ptr<const delivery::figures> delivery_counts;
  std::unique_ptr<mail::directory> accounts;
  std::unique_ptr<mail::address_book> addresses;
  std::unique_ptr<mail::queue_control> queue;
  bool stopped = false;

  result<void> open_store();
  void plan_store();
  template <class Spawn>
  std::shared_ptr<runtime::actor_slot> plan_service(const char* name, bool takes_stop_request, Spawn spawn);
  result<void> plan_services();
  void plan_policy(session::services& made);
  result<void> plan_delivery();
  void plan_sessions();
  result<void> bind_listeners();
  result<void> bind(const config::listener& where);
  void wait_for_children();
  void start_directory();
  result<storage::outcome> commit(std::uint32_t shard, storage::mutation what);
  result<void> health() const;
  std::vector<admin::metric> metrics() const;
};

result<void> mail_daemon::state::open_store() {
  auto opened = open_shards(settings);
  if (!opened)
    return tl::make_unexpected(opened.error());
  std::vector<store::node_store::entry> entries;
  for (auto& shard : *opened) {
    writers.push_back(std::make_shared<runtime::actor_slot>());
    entries.push_back({std::move(shard), writers.back()});
  }
  std::vector<store::io_actor> workers;
  for (std::size_t i = 0; i < io_workers; ++i) {
    workers.push_back(store::spawn_io(*system, true));
    early.push_back(caf::actor_cast<caf::actor>(workers.back()));
    runtime::child_spec spec;
    spec.name = "io " + std::to_string(i);
    spec.phase = phase_store;
    spec.takes_stop_request = false;
    spec.restart = runtime::restart_policy::temporary; // the pool holds its handle; its jobs catch what they throw
    spec.factory = [worker = workers.back()](caf::actor_system&, std::uint64_t) {
      return caf::actor_cast<caf::actor>(worker);
    };
    children.push_back(std::move(spec));
  }
  store = std::make_shared<store::node_store>(std::move(entries), store::io_pool(std::move(workers)));
  return {};
}

void mail_daemon::state::plan_store() {
  for (std::uint32_t i = 0; i < store->shards(); ++i) {
    runtime::child_spec spec;
    spec.name = "writer " + std::to_string(i);
    spec.phase = phase_store;
    spec.takes_stop_request = false;
    spec.slot = writers[i];
    spec.factory = [nodes = store, i](caf::actor_system& system_, std::uint64_t) {
      // The node store owns the shard and outlives its writer.
      std::shared_ptr<storage::shard> shard(nodes, &nodes->shard(i));
      return caf::actor_cast<caf::actor>(store::spawn_writer(system_, std::move(shard), true, i));
    };
    children.push_back(std::move(spec));
  }
}

/// A child of the services' phase, and the slot in which it is found.
template <class Spawn>
std::shared_ptr<runtime::actor_slot> mail_daemon::state::plan_service(const char* name, bool takes_stop_request,
                                                                      Spawn spawn) {
  runtime::child_spec spec;
  spec.name = name;
  spec.phase = phase_services;
  spec.takes_stop_request = takes_stop_request;
  spec.slot = std::make_shared<runtime::actor_slot>();
  spec.factory = [spawn](caf::actor_system& system_, std::uint64_t) {
    return caf::actor_cast<caf::actor>(spawn(system_));
  };
  children.push_back(spec);
  return spec.slot;
}

result<void> mail_daemon::state::plan_services() {
  auto made = std::make_shared<session::services>();
  made->hostname = settings.hostname;
  made->limits = settings.limits;
  made->intake.in_memory_bytes = settings.limits.message_in_memory_bytes;
  made->intake.mime.depth = settings.limits.mime.depth;
  made->intake.mime.parts = settings.limits.mime.parts;
  made->intake.mime.header_octets = settings.limits.mime.header_bytes;
  made->intake.mime.parameters = settings.limits.mime.parameters;
  made->bare_newlines = settings.smtp.newlines == config::bare_newlines::normalise ? smtp::bare_newlines::normalise
                                                                                   : smtp::bare_newlines::refuse;
  for (const auto& entry : settings.smtp.delegations)
    for (const auto& address : entry.addresses)
      if (auto added = made->delegations.add(entry.account, address); !added)
        return fail(errc::invalid, settings.file.string() + ":" + std::to_string(entry.line) + ": [[delegation]] of "
                                       + entry.account + " has an address that can't be: " + address
                                       + "; correct or remove it");
  made->routing.hostname = settings.hostname;
  made->routing.detail_separators = settings.smtp.detail_separators;
  auto secrets = srs_secrets(settings.data_dir);
  if (!secrets)
    return tl::make_unexpected(secrets.error());
  made->routing.srs_secrets = std::move(*secrets);
  made->store = store;
  made->certificates = certificates;
  made->mailboxes_slot = plan_service("mailboxes", false,
                                      [nodes = store](auto& system_) { return mail::spawn_mailboxes(system_, nodes); });

  const auto& login = settings.limits.login;
  auth::authenticator_options options;
  options.accounts = [nodes = store](const std::string& name) -> result<std::optional<storage::account_row>> {
    auto view = nodes->read(0);
    if (!view)
      return tl::make_unexpected(view.error());
    return view->account(name);
  };
  options.limits.workers = login.hashing_threads;
  options.limits.queue = login.queue;
  options.limits.failures = login.failures_per_minute;
  options.limits.longest_delay = login.longest_delay;
  options.limits.remembered = login.remembered;
  made->authenticator_slot = plan_service(
      "authenticator", false, [options](auto& system_) { return auth::spawn_authenticator(system_, options); });
  made->connector_slot = connector_slot =
      plan_service("connector", true, [](auto& system_) { return net::spawn_connector(system_); });
  plan_policy(*made);
  services = std::move(made);
  return {};
}

/// Who decides about strangers, who looks them up for it, and who asks DNS for that.
void mail_daemon::state::plan_policy(session::services& made) {
  policy::client_lookup_options lookups;
  lookups.reverse_dns = settings.policy.reverse_dns;
  lookups.lists = settings.policy.lists;
  lookups.threshold = settings.policy.threshold;
  lookups.counters = policy_counters;
  policy::door_options door;
  door.policy = settings.policy;
  door.greylist_file = settings.data_dir / "greylist";
  door.files = store->io();
  door.counters = policy_counters;
  resolver_slot =
      plan_service("resolver", true, [resolver = settings.resolver, counts = policy_counters](auto& system_) {
        return dns::spawn_resolver(system_, resolver, counts);
      });
  if (lookups.reverse_dns || !lookups.lists.empty()) {
    lookups.resolver = resolver_slot;
    door.lookups = plan_service("client lookup", true,
                                [lookups](auto& system_) { return policy::spawn_client_lookup(system_, lookups); });
  }
  made.door_slot = plan_service("door", true, [door](auto& system_) { return policy::spawn_door(system_, door); });
}

/// The way out: the queue, and who opens connections for it.
result<void> mail_daemon::state::plan_delivery() {
  auto made = make_delivery_context(settings, services->routing, store);
  if (!made)
    return tl::make_unexpected(made.error());
  auto& context = **made;
  delivery_counts = context.counts;
  context.sessions = sessions;
  context.resolver_slot = resolver_slot;
  context.connector_slot = connector_slot;
  plan_service("queue", true, [shared = delivery::context_ptr(*made)](auto& system_) {
    return delivery::spawn_queue(system_, shared);
  });
  return {};
}

void mail_daemon::state::plan_sessions() {
  runtime::supervisor_settings supervising;
  supervising.name = "sessions";
  supervising.stop_deadline = sessions_stop_deadline;
  sessions = runtime::spawn_supervisor(*system, std::move(supervising));
  early.push_back(caf::actor_cast<caf::actor>(sessions));
  runtime::child_spec spec;
  spec.name = "sessions";
  spec.phase = phase_sessions;
  spec.restart = runtime::restart_policy::temporary; // the listeners hold its handle
  spec.factory = [handle = sessions](caf::actor_system&, std::uint64_t) { return caf::actor_cast<caf::actor>(handle); };
  children.push_back(std::move(spec));

  net::connection_limits limits;
  limits.total = settings.limits.connections;
  limits.per_address = settings.limits.connections_per_address;
  limiter = net::make_limiter(limits);
}

result<void> mail_daemon::state::bind(const config::listener& where) {
  auto listening = listener_for(where, settings.milters, services, limiter);
  listening.sessions = sessions;
  auto bound = net::listen(*system, listening);
  if (!bound)
    return tl::make_unexpected(bound.error());
  listeners.push_back({where.kind, bound->address, bound->port});
  early.push_back(bound->actor);

  runtime::child_spec spec;
  spec.name = listening.kind + " " + bound->address + " " + std::to_string(bound->port);
  spec.phase = phase_listeners;
  listening.port = bound->port;
  // The first incarnation is bound already, so that a port that is taken is told at start.
  spec.factory = [first = std::make_shared<caf::actor>(bound->actor), listening](caf::actor_system& system_,
                                                                                 std::uint64_t) {
    if (auto handle = std::exchange(*first, nullptr))
      return handle;
    auto again = net::listen(system_, listening);
    if (!again)
      throw std::runtime_error(again.error().what);
    return again->actor;
  };
  children.push_back(std::move(spec));
  return {};
}

result<void> mail_daemon::state::bind_listeners() {
  for (const auto& where : settings.listeners)
    if (auto bound = bind(where); !bound)
      return bound;
  return {};
}

result<storage::outcome> mail_daemon::state::commit(std::uint32_t shard, storage::mutation what) {
  caf::scoped_actor self(*system);
  store::commit request;
  request.change = std::move(what);
  result<storage::outcome> done = fail(errc::unavailable, "the store's writer does not answer");
  self->request(store->writer(shard), caf::infinite, std::move(request))
      .receive([&](store::commit_reply& reply) { done = std::move(reply.done); }, [](const caf::error&) {});
  return done;
}

/// The supervisor starts its children before it answers anybody.
void mail_daemon::state::wait_for_children() {
  caf::scoped_actor self(*system);
  self->request(root, caf::infinite, runtime::count_children{}).receive([](std::uint64_t) {}, [](const caf::error&) {});
}

void mail_daemon::state::start_directory() {
  mail::directory_store backing;
  backing.shards = store->shards();
  backing.read = [this](std::uint32_t shard) { return store->read(shard); };
  backing.apply = [this](std::uint32_t shard, storage::mutation what) { return commit(shard, std::move(what)); };
  accounts = std::make_unique<mail::directory>(backing);
  queue = std::make_unique<mail::queue_control>(backing);
  addresses = std::make_unique<mail::address_book>(std::move(backing), services->routing.srs_secrets);
}

result<void> mail_daemon::state::health() const {
  for (std::uint32_t i = 0; i < store->shards(); ++i) {
    if (!writers[i]->get())
      return fail(errc::unavailable, "the writer of shard " + std::to_string(i) + " is not running");
    if (auto admitted = store->shard(i).admits(0); !admitted)
      return admitted;
    if (auto view = store->read(i); !view)
      return tl::make_unexpected(view.error());
  }
  return {};
}

std::vector<admin::metric> mail_daemon::state::metrics() const {
  std::vector<admin::metric> all;
  auto add = [&](std::uint32_t shard, const char* name, const char* help, bool counter, std::uint64_t value) {
    admin::metric one;
    one.name = name;
    one.help = help;
    one.counter = counter;
    one.value = static_cast<double>(value);
    one.labels = "shard=\"" + std::to_string(shard) + "\"";
    all.push_back(std::move(one));
  };
  for (std::uint32_t i = 0; i < store->shards(); ++i) {
    auto figures = store->shard(i).statistics();
    add(i, "store_commits_total", "Group commits since start", true, figures.commits);
    add(i, "store_mutations_total", "Mutations in them", true, figures.mutations);
    add(i, "store_map_bytes", "Size of the index's map", false, figures.map_bytes);
    add(i, "store_map_used_bytes", "Part of the map in use", false, figures.map_used_bytes);
    add(i, "store_segment_bytes", "Octets of all body segments", false, figures.segment_bytes);
    add(i, "store_segment_dead_bytes", "Part of them that nobody refers to", false, figures.segment_dead_bytes);
    add(i, "store_oldest_reader_commits", "Commits since the oldest open read view began", false,
        figures.oldest_reader_age_commits);
  }
  admin::metric connections;
  connections.name = "connections";
  connections.help = "Open client connections";
  connections.value = static_cast<double>(net::live_connections(*limiter));
  all.push_back(std::move(connections));
  for (auto& one : policy::metrics_of(*policy_counters))
    all.push_back(std::move(one));
  for (auto& one : delivery_counts->metrics())
    all.push_back(std::move(one));
  return all;
}

mail_daemon::mail_daemon() = default;

mail_daemon::~mail_daemon() {
  stop(std::chrono::milliseconds(0));
}

result<std::unique_ptr<mail_daemon>> mail_daemon::start(const config::settings& settings,
                                                        std::function<void(std::string reason)> on_failure) {
  std::unique_ptr<mail_daemon> made(new mail_daemon);
  made->state_ = std::make_unique<state>(settings);
  auto& own = *made->state_;
  if (settings.tls.enabled()) {
    auto context = load_certificates(settings.tls);
    if (!context)
      return tl::make_unexpected(context.error());
    own.certificates->set(std::move(*context));
  }
  own.system = std::make_unique<caf::actor_system>(own.actor_config);
  own.system->await_actors_before_shutdown(false); // stop() has waited as long as it may
  if (auto opened = own.open_store(); !opened)
    return tl::make_unexpected(opened.error());
  own.plan_store();
  if (auto planned = own.plan_services(); !planned)
    return tl::make_unexpected(planned.error());
  own.plan_sessions();
  if (auto planned = own.plan_delivery(); !planned)
    return tl::make_unexpected(planned.error());
  if (auto bound = own.bind_listeners(); !bound)
    return tl::make_unexpected(bound.error());
  runtime::supervisor_settings top;
  top.name = "daemon";
  top.children = std::move(own.children);
  top.on_escalation = std::move(on_failure);
  own.root = runtime::spawn_supervisor(*own.system, std::move(top));
  own.early.clear();
  own.wait_for_children();
  own.start_directory();
  return made;
}

const std::vector<bound_listener>& mail_daemon::listeners() const noexcept {
  return state_->listeners;
}

admin::services mail_daemon::services() {
  admin::services offered;
  offered.accounts = state_->accounts.get();
  offered.addresses = state_->addresses.get();
  offered.queue = state_->queue.get();
  offered.health = [this] { return state_->health(); };
  offered.actors = [] { return runtime::snapshot(); };
  offered.metrics = [this] { return state_->metrics(); };
  offered.reload = [this] { return reload(); };
  return offered;
}

result<void> mail_daemon::reload() {
  if (!state_->settings.tls.enabled())
    return {};
  auto context = load_certificates(state_->settings.tls);
  if (!context)
    return tl::make_unexpected(context.error());
  state_->certificates->set(std::move(*context));
  return {};
}

void mail_daemon::stop(std::chrono::milliseconds deadline) {
  if (!state_ || !state_->system || std::exchange(state_->stopped, true))
    return;
  if (state_->root) {
    caf::scoped_actor self(*state_->system);
    runtime::stop_in_order order;
    order.deadline = deadline;
    self->request(state_->root, caf::infinite, order)
        .receive(
            [](std::uint64_t killed) {
              if (killed != 0)
                log::warning("stop: {} actors did not end in time and were ended by force", killed);
            },
            [](const caf::error&) {});
  }
  for (const auto& actor : state_->early) // the start failed half-way
    caf::anon_send_exit(actor, caf::exit_reason::kill);
  state_->early.clear();
  state_->root = nullptr;
  state_->sessions = nullptr;
  state_->children.clear();
}

} // namespace merpati
