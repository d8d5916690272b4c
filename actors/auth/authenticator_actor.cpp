#include "actors/auth/authenticator_actor.hpp"

#include <deque>
#include <unordered_map>
#include <utility>
#include <vector>

#include "actors/auth/login_cache.hpp"
#include "actors/auth/login_throttle.hpp"
#include "actors/runtime/stats.hpp"
#include "base/crypto.hpp"
#include "base/ip_address.hpp"
#include "protocols/sasl/saslprep.hpp"
#include "protocols/smtp/address.hpp"

namespace merpati::auth {

namespace {

/// The delay of the login with this number is over.
struct delay_over {
  std::uint64_t number = 0;
};

} // namespace

} // namespace merpati::auth

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(merpati::auth::delay_over)

namespace merpati::auth {

namespace {

using authenticator_impl = authenticator_actor::extend<caf::reacts_to<delay_over>>;
using clock = std::chrono::steady_clock;

/// One login under way.
struct attempt {
  std::string name;       ///< canonical address; empty: nobody can have it
  std::string name_key;   ///< what failures of the login name are counted under
  std::string origin_key; ///< what failures of the client are counted under
  std::string network;
  std::string password;
  std::optional<storage::account_row> row;
  caf::typed_response_promise<login_verdict> promise;
};

/// Keys that were asked for and are not given yet.
struct scram_attempt {
  attempt who;
  caf::typed_response_promise<scram_offer> promise;
};

/// A stored hash that costs what a real one costs and that no password meets: 32 random octets were hashed.
const std::string& unknown_account_hash() {
  static const std::string hash = crypto::argon2id_hash(crypto::random_bytes(32));
  return hash;
}

/// The canonical address for a login name, or empty when it is none.
std::string canonical_name(const std::string& login) {
  auto prepared = sasl::saslprep(login, sasl::saslprep_use::query);
  if (!prepared)
    return {};
  smtp::address_syntax syntax;
  syntax.utf8 = true;
  auto mailbox = smtp::parse_mailbox(*prepared, syntax);
  if (!mailbox || mailbox->is_bare_postmaster())
    return {};
  return smtp::canonical_address(*mailbox).value_or(std::string());
}

struct authenticator_state {
  static inline const char* name = "authenticator";

  authenticator_impl::stateful_pointer<authenticator_state> self;
  authenticator_options options;
  std::string dummy_hash;
  std::optional<login_throttle> throttle;
  std::optional<login_cache> cache;
  std::vector<hashing_actor> workers; ///< idle and busy ones
  std::vector<hashing_actor> idle;
  std::deque<attempt> queue;
  std::unordered_map<std::uint64_t, attempt> delayed;
  std::unordered_map<std::uint64_t, scram_attempt> delayed_offers;
  std::unordered_map<std::uint64_t, attempt> hashing;
  std::string decoy_secret = crypto::random_bytes(32);
  std::uint64_t last_number = 0;
  runtime::stats_handle stats;

  explicit authenticator_state(authenticator_impl::stateful_pointer<authenticator_state> ptr) : self(ptr) {}
  /// However the actor ended, nobody is left without an answer and no worker is left over.
  ~authenticator_state() {
    shut_down();
    for (const auto& worker : workers)
      caf::anon_send_exit(worker, caf::exit_reason::user_shutdown);
  }

  clock::time_point now() const { return self->clock().now(); }

  void start(authenticator_options given) {
    options = std::move(given);
    stats = runtime::stats_handle::add(self->id(), "authenticator");
    if (!options.verify) {
      options.verify = [](const std::string& encoded, const std::string& password) {
        return crypto::argon2id_verify(encoded, password);
      };
    }
    dummy_hash = unknown_account_hash();
    login_throttle::limits t;
    t.failures = options.limits.failures;
    t.window = options.limits.failure_window;
    t.longest_delay = options.limits.longest_delay;
    t.keys = options.limits.counted;
    throttle.emplace(t);
    cache.emplace(crypto::random_bytes(32), options.limits.remembered, options.limits.remembered_entries);
    while (workers.size() < options.limits.workers)
      add_worker();
  }

  void add_worker() {
    auto worker = spawn_hashing(self->system(), options.verify, options.detached_workers);
    workers.push_back(worker);
    idle.push_back(std::move(worker));
  }

  static void answer(attempt& a, result<identity> who) {
    login_verdict verdict{std::move(who)};
    a.promise.deliver(std::move(verdict));
  }

  /// Names and keys of whoever tries.
  void identify(attempt& a, const std::string& login, const std::string& client_address) const {
    auto address = ip_address::parse(client_address);
    a.network = address ? address->client_network() : client_address.substr(0, 64);
    if (login.size() <= options.limits.login_octets)
      a.name = canonical_name(login);
    a.name_key = "name " + (a.name.empty() ? ascii_key(login) : a.name);
    a.origin_key = "from " + a.network + (address && address->is_loopback() ? " " + a.name_key : "");
  }

  void begin(credentials& asked, caf::typed_response_promise<login_verdict> promise) {
    attempt a;
    a.promise = std::move(promise);
    identify(a, asked.login, asked.client_address);
    take_password(a, asked.password);

    auto at = now();
    auto origin_wait = throttle->wait(a.origin_key, at);
    if (!origin_wait)
      return refuse_too_many(a);
    if (auto found = look_up(a); !found)
      return answer(a, tl::unexpected(found.error()));
    // A client that is being delayed must not learn from the cache, without delay, that it guessed right.
    if (*origin_wait == clock::duration(0) && remembered(a, at))
      return answer(a, who_is(*a.row));
    auto name_wait = throttle->wait(a.name_key, at);
    if (!name_wait)
      return refuse_too_many(a);
    auto delay = std::max(*origin_wait, *name_wait);
    if (delay > clock::duration(0) ? delayed.size() >= options.limits.delayed : queue_is_full())
      return answer(a, fail(errc::unavailable, "too many logins are waiting; try again later"));
    throttle->charge(a.origin_key, at);
    throttle->charge(a.name_key, at);
    if (delay > clock::duration(0)) {
      self->delayed_send(self, delay, delay_over{++last_number});
      delayed.emplace(last_number, std::move(a));
    } else {
      queue.push_back(std::move(a));
      dispatch();
    }
  }

  /// Bounded: login names that are no addresses are counted by what they begin with.
  static std::string ascii_key(const std::string& login) { return login.substr(0, 64); }

  void take_password(attempt& a, std::string& password) {
    // No account has a password of this length; what is left keeps the cost of hashing the same.
    if (password.size() > options.limits.password_octets)
      a.name.clear();
    else if (auto prepared = sasl::saslprep(password, sasl::saslprep_use::query))
      a.password = std::move(*prepared);
    else
      a.name.clear(); // no stored password can be equal to it
  }

  result<void> look_up(attempt& a) const {
    a.row.reset();
    if (a.name.empty())
      return {};
    auto found = options.accounts(a.name);
    if (!found)
      return fail(errc::unavailable, "accounts can't be read: " + found.error().what);
    a.row = std::move(*found);
    return {};
  }

  static bool may_log_in(const attempt& a) { return a.row && a.row->enabled && !a.row->password_hash.empty(); }

  static identity who_is(const storage::account_row& row) {
    identity who;
    who.account = row.id;
    who.name = row.name;
    who.shard = row.shard;
    return who;
  }

  bool remembered(const attempt& a, clock::time_point at) const {
    return may_log_in(a) && cache->knows(cache->entry(a.name, a.row->password_hash, a.network, a.password), at);
  }

  bool queue_is_full() const { return idle.empty() && queue.size() >= options.limits.queue; }

  void refuse_too_many(attempt& a) { answer(a, fail(errc::too_many, "too many failed logins; try again later")); }

  void offer_keys(const scram_request& asked, caf::typed_response_promise<scram_offer> promise) {
    scram_attempt a;
    a.promise = std::move(promise);
    identify(a.who, asked.login, asked.client_address);
    auto at = now();
    auto origin_wait = throttle->wait(a.who.origin_key, at);
    auto name_wait = throttle->wait(a.who.name_key, at);
    if (!origin_wait || !name_wait)
      return answer(a, fail(errc::too_many, "too many failed logins; try again later"));
    auto delay = std::max(*origin_wait, *name_wait);
    if (delay > clock::duration(0) && delayed.size() + delayed_offers.size() >= options.limits.delayed)
      return answer(a, fail(errc::unavailable, "too many logins are waiting; try again later"));
    throttle->charge(a.who.origin_key, at);
    throttle->charge(a.who.name_key, at);
    if (delay == clock::duration(0))
      return give_keys(a);
    self->delayed_send(self, delay, delay_over{++last_number});
    delayed_offers.emplace(last_number, std::move(a));
  }

  void give_keys(scram_attempt& a) {
    if (auto found = look_up(a.who); !found) {
      refund(a.who);
      return answer(a, tl::unexpected(found.error()));
    }
    const auto& row = a.who.row;
    if (!may_log_in(a.who) || row->scram_stored_key.empty())
      return answer(a, sasl::decoy_credentials(decoy_secret, a.who.name.empty() ? a.who.name_key : a.who.name));
    answer(a, sasl::scram_credentials{row->scram_salt, row->scram_stored_key, row->scram_server_key,
                                      row->scram_iterations});
  }

  static void answer(scram_attempt& a, result<sasl::scram_credentials> keys) {
    scram_offer offer{std::move(keys)};
    a.promise.deliver(std::move(offer));
  }

  login_verdict admit(const scram_success& proof) {
    attempt a;
    identify(a, proof.login, proof.client_address);
    if (auto found = look_up(a); !found)
      return {tl::unexpected(found.error())};
    if (!may_log_in(a))
      return {fail(errc::auth_failed, "wrong name or password")};
    refund(a);
    return {who_is(*a.row)};
  }

  void delay_ended(std::uint64_t number) {
    if (auto offer = delayed_offers.extract(number); !offer.empty())
      return give_keys(offer.mapped());
    auto node = delayed.extract(number);
    if (node.empty())
      return;
    auto& a = node.mapped();
    // The account may have changed while its login waited.
    auto found = look_up(a);
    if (!found || queue_is_full()) {
      refund(a);
      return answer(a, found ? fail(errc::unavailable, "too many logins are waiting; try again later")
                             : tl::unexpected(found.error()));
    }
    queue.push_back(std::move(a));
    dispatch();
  }

  void refund(const attempt& a) {
    throttle->refund(a.origin_key);
    throttle->refund(a.name_key);
  }

  void dispatch() {
    while (!idle.empty() && !queue.empty()) {
      auto worker = std::move(idle.back());
      idle.pop_back();
      auto number = ++last_number;
      auto& a = hashing.emplace(number, std::move(queue.front())).first->second;
      queue.pop_front();
      hash_job job;
      job.encoded = may_log_in(a) ? a.row->password_hash : dummy_hash;
      job.password = a.password;
      self->request(worker, caf::infinite, std::move(job))
          .then(
              [this, number, worker](const hash_verdict& verdict) {
                idle.push_back(worker);
                finish(number, verdict.matches);
                dispatch();
              },
              [this, number, worker](const caf::error&) { // the worker said why, and ended
                std::erase(workers, worker);
                add_worker();
                give_up(number);
                dispatch();
              });
    }
  }

  void finish(std::uint64_t number, bool matches) {
    auto node = hashing.extract(number);
    if (node.empty())
      return;
    auto& a = node.mapped();
    if (!matches || !may_log_in(a))
      return answer(a, fail(errc::auth_failed, "wrong name or password"));
    refund(a);
    cache->remember(cache->entry(a.name, a.row->password_hash, a.network, a.password), now());
    answer(a, who_is(*a.row));
  }

  void give_up(std::uint64_t number) {
    auto node = hashing.extract(number);
    if (node.empty())
      return;
    refund(node.mapped());
    answer(node.mapped(), fail(errc::unavailable, "the password could not be checked; try again"));
  }

  void shut_down() {
    auto refuse = [](attempt& a) { answer(a, fail(errc::shutting_down, "the server is stopping")); };
    for (auto& a : queue)
      refuse(a);
    for (auto* waiting : {&delayed, &hashing})
      for (auto& [number, a] : *waiting)
        refuse(a);
    for (auto& [number, a] : delayed_offers)
      answer(a, fail(errc::shutting_down, "the server is stopping"));
    queue.clear();
    delayed.clear();
    delayed_offers.clear();
    hashing.clear();
    idle.clear();
  }
};

authenticator_impl::behavior_type run_authenticator(authenticator_impl::stateful_pointer<authenticator_state> self,
                                                    authenticator_options options) {
  self->state.start(std::move(options));
  self->set_exit_handler([self](caf::exit_msg& exit) {
    self->state.shut_down();
    self->quit(exit.reason);
  });
  return {
      [self](credentials& asked) {
        auto timing = self->state.stats.measure();
        auto promise = self->make_response_promise<login_verdict>();
        self->state.begin(asked, promise);
        return promise;
      },
      [self](const scram_request& asked) {
        auto timing = self->state.stats.measure();
        auto promise = self->make_response_promise<scram_offer>();
        self->state.offer_keys(asked, promise);
        return promise;
      },
      [self](const scram_success& proof) {
        auto timing = self->state.stats.measure();
        return self->state.admit(proof);
      },
      [self](const delay_over& over) {
        auto timing = self->state.stats.measure();
        self->state.delay_ended(over.number);
      },
  };
}

} // namespace

authenticator_actor spawn_authenticator(caf::actor_system& system, authenticator_options options) {
  return system.spawn(run_authenticator, std::move(options));
}

} // namespace merpati::auth
