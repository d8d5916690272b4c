// The authenticator on the deterministic scheduler: hashing is a stand-in that counts, time is virtual.
#include "actors/auth/authenticator_actor.hpp"

#include <map>

#include <caf/scheduler/test_coordinator.hpp>

#include "base/crypto.hpp"
#include "base/log.hpp"
#include "tests/support/catch2.hpp"

using namespace merpati;
using namespace std::chrono_literals;

namespace {

struct test_config : caf::actor_system_config {
  test_config() {
    set("scheduler.policy", caf::atom("testing"));
    set("logger.verbosity", caf::atom("quiet"));
  }
};

/// A world with alice and bob. The stored "hash" of a password is "h:" and the password.
class fixture {
public:
  test_config config;
  caf::actor_system system{config};
  caf::scheduler::test_coordinator& scheduler = dynamic_cast<caf::scheduler::test_coordinator&>(system.scheduler());
  std::map<std::string, storage::account_row> accounts;
  int hashings = 0;
  int look_ups = 0;
  bool store_fails = false;
  bool hashing_throws = false;
  std::vector<std::string> hashed_against;
  auth::authenticator_actor authenticator;
  auth::authenticator_limits limits;

  fixture() {
    add("alice@example.org", "wonderland", 1);
    add("bob@example.org", "builder", 2);
  }
  ~fixture() {
    if (authenticator)
      caf::anon_send_exit(authenticator, caf::exit_reason::user_shutdown);
    authenticator = nullptr;
    scheduler.run();
    CHECK(system.registry().running() == 0);
  }

  void add(const std::string& name, const std::string& password, std::uint64_t id) {
    storage::account_row row;
    row.id = account_id(id);
    row.name = name;
    row.password_hash = "h:" + password;
    row.shard = static_cast<std::uint32_t>(id + 10);
    accounts[name] = row;
  }

  void start() {
    auth::authenticator_options options;
    options.detached_workers = false;
    options.limits = limits;
    options.accounts = [this](const std::string& name) -> result<std::optional<storage::account_row>> {
      ++look_ups;
      if (store_fails)
        return fail(errc::corrupted, "damaged page");
      auto found = accounts.find(name);
      if (found == accounts.end())
        return std::optional<storage::account_row>();
      return std::optional(found->second);
    };
    options.verify = [this](const std::string& encoded, const std::string& password) {
      ++hashings;
      hashed_against.push_back(encoded);
      if (hashing_throws)
        throw std::bad_alloc();
      return encoded == "h:" + password;
    };
    authenticator = auth::spawn_authenticator(system, options);
    scheduler.run();
  }

  /// A login under way; `answer` is filled when it comes.
  struct pending {
    std::optional<result<auth::identity>> answer;
    bool answered() const { return answer.has_value(); }
  };

  std::shared_ptr<pending> begin(std::string login, std::string password, std::string from = "192.0.2.1") {
    auto out = std::make_shared<pending>();
    auth::credentials asked{std::move(login), std::move(password), std::move(from)};
    system.spawn([out, asked, target = authenticator](caf::event_based_actor* self) {
      self->request(target, caf::infinite, asked)
          .then([out](auth::login_verdict& verdict) { out->answer = std::move(verdict.who); },
                [out](const caf::error&) { out->answer = fail(errc::internal, "request failed"); });
    });
    return out;
  }

  result<auth::identity> log_in(std::string login, std::string password, std::string from = "192.0.2.1") {
    auto started = begin(std::move(login), std::move(password), std::move(from));
    scheduler.run();
    return started->answer.value_or(fail(errc::internal, "no answer yet"));
  }

  errc failure(std::string login, std::string password, std::string from = "192.0.2.1") {
    auto who = log_in(std::move(login), std::move(password), std::move(from));
    REQUIRE(!who);
    return who.error().code;
  }

  void pass(std::chrono::nanoseconds time) {
    scheduler.advance_time(time);
    scheduler.run();
  }
};

} // namespace

TEST_CASE_METHOD(fixture, "the right password tells who it is, a wrong one and an unknown name tell nothing") {
  start();
  auto alice = log_in("alice@example.org", "wonderland");
  REQUIRE(alice);
  CHECK(*alice == auth::identity{account_id(1), "alice@example.org", 11});
  auto wrong = log_in("alice@example.org", "builder");
  auto unknown = log_in("carol@example.org", "wonderland");
  REQUIRE(!wrong);
  REQUIRE(!unknown);
  CHECK(wrong.error().code == errc::auth_failed);
  CHECK(unknown.error().code == wrong.error().code);
  CHECK(unknown.error().what == wrong.error().what);
}

TEST_CASE_METHOD(fixture, "a login name is an address in any case, with U-labels or A-labels") {
  add("hans@xn--bcher-kva.example", "gutenberg", 3);
  start();
  CHECK(log_in("ALICE@Example.ORG", "wonderland"));
  CHECK(log_in("hans@b\xc3\xbc"
               "cher.example",
               "gutenberg"));
  CHECK(log_in("hans@XN--BCHER-KVA.example", "gutenberg"));
}

TEST_CASE_METHOD(fixture, "whoever can't log in costs one hashing all the same, against a real Argon2id string") {
  accounts["bob@example.org"].enabled = false;
  add("dave@example.org", "x", 4);
  accounts["dave@example.org"].password_hash.clear();
  start();
  const std::pair<std::string, std::string> tries[] = {
      {"carol@example.org", "wonderland"},          // unknown
      {"dave@example.org", "x"},                    // has no password
      {"dave@example.org", ""},                     //
      {"nobody", "wonderland"},                     // no address
      {"", ""},                                     //
      {"alice@example.org\n", "wonderland"},        //
      {std::string(100'000, 'a') + "@b.c", "x"},    // too long
      {"alice@example.org", std::string(257, 'x')}, //
      {"alice@example.org", "won\xff"},             // no UTF-8
  };
  int expected = 0;
  for (const auto& [login, password] : tries) {
    CHECK(failure(login, password, "192.0.2." + std::to_string(++expected)) == errc::auth_failed);
    CHECK(hashings == expected);
    CHECK(hashed_against.back().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
  }
  // A disabled account, right password: its own hash is tried, and the answer is no.
  CHECK(failure("bob@example.org", "builder", "192.0.2.99") == errc::auth_failed);
  CHECK(hashings == expected + 1);
}

TEST_CASE_METHOD(fixture, "a second login soon after the first costs no hashing") {
  start();
  for (int i = 0; i < 20; ++i)
    CHECK(log_in("alice@example.org", "wonderland"));
  CHECK(hashings == 1);
  CHECK(log_in("alice@example.org", "wonderland", "192.0.2.2")); // another client
  CHECK(hashings == 2);
  CHECK(failure("alice@example.org", "wonderlanD") == errc::auth_failed);
  CHECK(hashings == 3);
  pass(60s);
  CHECK(log_in("alice@example.org", "wonderland"));
  CHECK(hashings == 4);
}

TEST_CASE_METHOD(fixture, "a remembered login is worth nothing once the account changed") {
  start();
  CHECK(log_in("alice@example.org", "wonderland"));
  accounts["alice@example.org"].enabled = false;
  CHECK(failure("alice@example.org", "wonderland") == errc::auth_failed);
  accounts["alice@example.org"].enabled = true;
  CHECK(log_in("alice@example.org", "wonderland"));
  accounts["alice@example.org"].password_hash = "h:new password";
  CHECK(failure("alice@example.org", "wonderland") == errc::auth_failed);
  CHECK(log_in("alice@example.org", "new password"));
  accounts.erase("alice@example.org");
  CHECK(failure("alice@example.org", "new password") == errc::auth_failed);
}

TEST_CASE_METHOD(fixture, "after ten failures from one address each try waits, and too many waiting are refused") {
  start();
  for (int i = 0; i < 10; ++i)
    CHECK(failure("user" + std::to_string(i) + "@example.org", "guess") == errc::auth_failed);
  auto eleventh = begin("user10@example.org", "guess");
  scheduler.run();
  CHECK(!eleventh->answered());
  CHECK(hashings == 10);
  pass(5s);
  CHECK(!eleventh->answered());
  pass(1s);
  REQUIRE(eleventh->answered());
  CHECK(eleventh->answer->error().code == errc::auth_failed);
  CHECK(hashings == 11);
  // Others are not disturbed, not even for the same accounts.
  CHECK(log_in("alice@example.org", "wonderland", "192.0.2.77"));

  std::vector<std::shared_ptr<pending>> waiting;
  for (int i = 0; i < 5; ++i)
    waiting.push_back(begin("user@example.net", "guess"));
  scheduler.run();
  for (const auto& w : waiting)
    CHECK(!w->answered());
  CHECK(failure("alice@example.org", "wonderland") == errc::too_many);
  CHECK(hashings == 12);
  pass(30s);
  for (const auto& w : waiting)
    CHECK(w->answered());
}

TEST_CASE_METHOD(fixture, "tries that are made at once count like tries in a row") {
  limits.workers = 1;
  start();
  std::vector<std::shared_ptr<pending>> all;
  for (int i = 0; i < 50; ++i)
    all.push_back(begin("alice@example.org", "guess " + std::to_string(i)));
  scheduler.run();
  CHECK(hashings == 10);
  auto refused = std::count_if(
      all.begin(), all.end(), [](const auto& p) { return p->answered() && p->answer->error().code == errc::too_many; });
  CHECK(refused == 35);
  pass(60s);
  CHECK(hashings == 15);
}

TEST_CASE_METHOD(fixture, "failures of one account are counted over all addresses, and an address as IPv6 /64") {
  start();
  for (int i = 0; i < 10; ++i)
    CHECK(failure("alice@example.org", "guess", "192.0.2." + std::to_string(i)) == errc::auth_failed);
  auto from_elsewhere = begin("Alice@example.org", "guess", "198.51.100.1");
  scheduler.run();
  CHECK(!from_elsewhere->answered());
  pass(60s);
  for (int i = 0; i < 10; ++i)
    CHECK(failure("user" + std::to_string(i) + "@example.org", "guess", "2001:db8::" + std::to_string(i + 1))
          == errc::auth_failed);
  auto same_network = begin("bob@example.org", "builder", "2001:db8::ffff:1");
  scheduler.run();
  CHECK(!same_network->answered());
  CHECK(log_in("bob@example.org", "builder", "2001:db8:0:1::1"));
  pass(60s);
  CHECK(same_network->answered());
}

TEST_CASE_METHOD(fixture, "somebody who logged in lately still gets in while others guess at the account") {
  start();
  CHECK(log_in("alice@example.org", "wonderland", "203.0.113.5"));
  for (int i = 0; i < 30; ++i)
    begin("alice@example.org", "guess", "192.0.2." + std::to_string(i));
  scheduler.run();
  CHECK(log_in("alice@example.org", "wonderland", "203.0.113.5"));
}

TEST_CASE_METHOD(fixture, "a client that is being delayed can't use the cache to find out a password") {
  for (const char* from : {"203.0.113.5", "127.0.0.1"}) {
    INFO(from);
    start();
    CHECK(log_in("alice@example.org", "wonderland", from));
    for (int i = 0; i < 10; ++i)
      CHECK(failure("alice@example.org", "guess", from) == errc::auth_failed);
    auto right = begin("alice@example.org", "wonderland", from);
    auto wrong = begin("alice@example.org", "guess", from);
    scheduler.run();
    CHECK(!right->answered());
    CHECK(!wrong->answered());
    pass(60s);
    CHECK(right->answer->has_value());
    CHECK(!wrong->answer->has_value());
    caf::anon_send_exit(authenticator, caf::exit_reason::user_shutdown);
    scheduler.run();
    pass(120s);
  }
}

TEST_CASE_METHOD(fixture, "users behind a proxy on this machine do not lock each other out") {
  start();
  for (int i = 0; i < 30; ++i)
    begin("user" + std::to_string(i % 3) + "@example.org", "guess", "127.0.0.1");
  scheduler.run();
  CHECK(log_in("alice@example.org", "wonderland", "::1"));
  pass(60s);
}

TEST_CASE_METHOD(fixture, "right passwords are never delayed however often they are used") {
  limits.remembered = 0s;
  start();
  for (int i = 0; i < 200; ++i)
    CHECK(log_in("alice@example.org", "wonderland"));
  CHECK(hashings == 200);
}

TEST_CASE_METHOD(fixture, "the queue before the hashing workers is bounded") {
  limits.workers = 2;
  limits.queue = 5;
  limits.failures = 1000;
  start();
  std::vector<std::shared_ptr<pending>> all;
  for (int i = 0; i < 20; ++i)
    all.push_back(begin("alice@example.org", "wonderland", "192.0.2." + std::to_string(i)));
  // The askers run first, then the authenticator; the workers come after them.
  scheduler.run();
  auto full = std::count_if(all.begin(), all.end(), [](const auto& p) {
    return p->answered() && !p->answer->has_value() && p->answer->error().code == errc::unavailable;
  });
  auto good =
      std::count_if(all.begin(), all.end(), [](const auto& p) { return p->answered() && p->answer->has_value(); });
  CHECK(full + good == 20);
  CHECK(good >= 7);
  CHECK(hashings == good);
  CHECK(log_in("bob@example.org", "builder"));
}

TEST_CASE_METHOD(fixture, "accounts that can't be read are a temporary failure that counts against nobody") {
  start();
  store_fails = true;
  for (int i = 0; i < 30; ++i)
    CHECK(failure("alice@example.org", "guess") == errc::unavailable);
  store_fails = false;
  CHECK(log_in("alice@example.org", "wonderland"));
}

TEST_CASE_METHOD(fixture, "a worker that fails takes one login with it and is replaced") {
  std::vector<std::string> lines;
  log::set_tap([&](log::level, std::string_view line) { lines.emplace_back(line); });
  limits.workers = 1;
  start();
  hashing_throws = true;
  for (int i = 0; i < 15; ++i)
    CHECK(failure("alice@example.org", "wonderland") == errc::unavailable);
  hashing_throws = false;
  CHECK(log_in("alice@example.org", "wonderland"));
  log::set_tap({});
  CHECK(lines.size() == 15);
}

TEST_CASE_METHOD(fixture, "whoever waits when it stops is told so") {
  for (auto reason : {caf::exit_reason::user_shutdown, caf::exit_reason::kill}) {
    start();
    for (int i = 0; i < 10; ++i)
      CHECK(failure("alice@example.org", "guess") == errc::auth_failed);
    auto delayed = begin("alice@example.org", "guess");
    scheduler.run();
    CHECK(!delayed->answered());
    caf::anon_send_exit(authenticator, reason);
    scheduler.run();
    REQUIRE(delayed->answered());
    CHECK(delayed->answer->error().code == errc::shutting_down);
    pass(60s);
  }
}

TEST_CASE_METHOD(fixture, "SCRAM: keys for everybody, an identity after a proof, and tries that count") {
  limits.failures = 3;
  auto& alice = accounts["alice@example.org"];
  alice.scram_salt = "salt";
  alice.scram_stored_key = "stored";
  alice.scram_server_key = "server";
  alice.scram_iterations = 5'000;
  accounts["bob@example.org"].enabled = false;
  start();
  auto keys_of = [&](const std::string& login, const std::string& from = "192.0.2.1") {
    auto out = std::make_shared<std::optional<result<sasl::scram_credentials>>>();
    system.spawn([=, target = authenticator](caf::event_based_actor* self) {
      self->request(target, caf::infinite, auth::scram_request{login, from}).then([out](auth::scram_offer& offer) {
        *out = std::move(offer.keys);
      });
    });
    scheduler.run();
    return out;
  };
  auto prove = [&](const std::string& login) {
    auto out = std::make_shared<std::optional<result<auth::identity>>>();
    system.spawn([=, target = authenticator](caf::event_based_actor* self) {
      self->request(target, caf::infinite, auth::scram_success{login, "192.0.2.1"})
          .then([out](auth::login_verdict& verdict) { *out = std::move(verdict.who); });
    });
    scheduler.run();
    return out->value();
  };
  for (int i = 0; i != 10; ++i) { // proven tries never wait
    CHECK(keys_of("ALICE@example.org")->value().value() == sasl::scram_credentials{"salt", "stored", "server", 5'000});
    CHECK(prove("ALICE@example.org")->name == "alice@example.org");
  }
  // Who is disabled or not there has keys too, the same each time.
  const auto decoy = keys_of("bob@example.org", "192.0.2.2")->value();
  CHECK(decoy.value() == keys_of("Bob@example.org", "192.0.2.3")->value().value());
  CHECK(decoy->salt != keys_of("nobody@example.org", "192.0.2.3")->value()->salt);
  CHECK(prove("bob@example.org").error().code == errc::auth_failed);
  CHECK(prove("no address").error().code == errc::auth_failed);
  CHECK(hashings == 0);
  // Dropping the connection instead of proving is a failure, for passwords too.
  for (int i = 0; i != 3; ++i)
    CHECK(keys_of("alice@example.org", "192.0.2.9")->has_value());
  auto waits = keys_of("alice@example.org", "192.0.2.9");
  CHECK_FALSE(waits->has_value());
  pass(30s);
  CHECK(waits->has_value());
}

TEST_CASE("with real hashing on threads of its own") {
  caf::actor_system_config config;
  caf::actor_system system(config);
  storage::account_row row;
  row.id = account_id(7);
  row.name = "alice@example.org";
  row.password_hash = crypto::argon2id_hash("wonderland");
  auth::authenticator_options options;
  options.accounts = [row](const std::string& name) -> result<std::optional<storage::account_row>> {
    return name == row.name ? std::optional(row) : std::nullopt;
  };
  auto authenticator = auth::spawn_authenticator(system, options);
  caf::scoped_actor self(system);
  auto log_in = [&](const char* password) {
    result<auth::identity> out = fail(errc::internal, "no answer");
    self->request(authenticator, 30s, auth::credentials{"alice@example.org", password, "192.0.2.1"})
        .receive([&](auth::login_verdict& verdict) { out = std::move(verdict.who); }, [](const caf::error&) {});
    return out;
  };
  CHECK(log_in("wonderland"));
  CHECK(!log_in("wonderlane"));
  CHECK(log_in("wonderland"));
  self->send_exit(authenticator, caf::exit_reason::user_shutdown);
}
