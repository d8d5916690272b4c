// The door with its look-ups on the deterministic scheduler; DNS is a stand-in, time is virtual.
#include "actors/policy/door_actor.hpp"

#include <fstream>
#include <map>
#include <set>

#include "actors/dns/resolver_actor.hpp"
#include "tests/support/actors/deterministic_system.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace merpati;
using namespace std::chrono_literals;
using policy::check_verdict;

namespace {

/// DNS as a table. Names in `silent` are never answered, as by a resolver that hangs.
struct dns_table {
  std::map<std::string, std::vector<std::string>> records; // by name alone
  std::set<std::string> failing;
  std::set<std::string> silent;
  std::vector<caf::response_promise> kept;
};

class fixture {
public:
  test::deterministic_system system;
  test::temporary_folder folder;
  manual_clock clock{timestamp(std::chrono::hours(24 * 365 * 50))};
  std::shared_ptr<dns_table> dns = std::make_shared<dns_table>();
  std::shared_ptr<policy::counters> counters = std::make_shared<policy::counters>();
  std::shared_ptr<runtime::actor_slot> resolver_slot = std::make_shared<runtime::actor_slot>();
  std::shared_ptr<runtime::actor_slot> lookup_slot = std::make_shared<runtime::actor_slot>();
  config::policy_settings settings;
  dns::resolver_actor resolver;
  policy::client_lookup_actor lookups;
  policy::door_actor door;
  store::io_actor files;

  ~fixture() {
    stop();
    dns->kept.clear();
    resolver_slot->set({});
    lookup_slot->set({});
    caf::anon_send_exit(resolver, caf::exit_reason::user_shutdown);
    caf::anon_send_exit(files, caf::exit_reason::user_shutdown);
    resolver = nullptr;
    lookups = nullptr;
    files = nullptr;
    system.run();
  }

  std::filesystem::path file() const { return folder.path() / "greylist"; }

  void start() {
    if (!files) {
      files = store::spawn_io(system, false);
      resolver = spawn_table();
      resolver_slot->set(caf::actor_cast<caf::actor>(resolver));
    }
    policy::client_lookup_options l;
    l.lists = settings.lists;
    l.threshold = settings.threshold;
    l.reverse_dns = settings.reverse_dns;
    l.resolver = resolver_slot;
    l.counters = counters;
    lookups = policy::spawn_client_lookup(system, l);
    lookup_slot->set(caf::actor_cast<caf::actor>(lookups));
    policy::door_options d;
    d.policy = settings;
    d.greylist_file = file();
    d.lookups = lookup_slot;
    d.files = store::io_pool({files});
    d.clock = &clock;
    d.counters = counters;
    door = policy::spawn_door(system, d);
    system.run();
  }
  void stop() {
    if (!door)
      return;
    caf::anon_send(door, runtime::stop_request{});
    caf::anon_send(lookups, runtime::stop_request{});
    door = nullptr;
    lookups = nullptr;
    system.run();
  }

  template <class Verdict, class Check>
  std::optional<Verdict> ask(Check what, std::chrono::seconds wait = 0s) {
    std::optional<Verdict> out;
    caf::scoped_actor self{system.system()};
    auto pending = self->request(door, caf::infinite, std::move(what));
    system.run();
    if (wait > 0s)
      system.advance(wait);
    pending.receive([&](const Verdict& got) { out = got; }, [](const caf::error&) {});
    return out;
  }
  policy::connection_verdict connect(std::string address, std::chrono::seconds wait = 0s) {
    policy::connection_check what;
    what.address = std::move(address);
    auto out = ask<policy::connection_verdict>(what, wait);
    REQUIRE(out);
    return *out;
  }
  check_verdict offer(std::string address, std::string sender, std::string recipient, bool trusted = false) {
    policy::recipient_check what;
    what.address = std::move(address);
    what.sender = std::move(sender);
    what.recipient = std::move(recipient);
    what.trusted = trusted;
    auto out = ask<check_verdict>(what);
    REQUIRE(out);
    return *out;
  }
  check_verdict send(std::string account, std::uint32_t recipients) {
    policy::send_check what;
    what.account = std::move(account);
    what.recipients = recipients;
    auto out = ask<check_verdict>(what);
    REQUIRE(out);
    return *out;
  }
  config::address_list& list(std::string zone, std::uint64_t weight, bool welcome = false) {
    config::address_list one;
    one.zone = std::move(zone);
    one.weight = weight;
    one.welcome = welcome;
    settings.lists.push_back(one);
    return settings.lists.back();
  }

private:
  dns::resolver_actor spawn_table() {
    return system.system().spawn(
        [](dns::resolver_actor::pointer self, std::shared_ptr<dns_table> table) -> dns::resolver_actor::behavior_type {
          return {
              [self, table](const dns::query& what) -> caf::result<dns::answer> {
                auto promise = self->make_response_promise<dns::answer>();
                if (table->silent.count(what.name) != 0) {
                  table->kept.push_back(promise);
                  return promise;
                }
                dns::answer out;
                if (table->failing.count(what.name) != 0) {
                  out.records = fail(errc::unavailable, "SERVFAIL");
                } else {
                  dns::record_set set;
                  for (const auto& value : table->records[what.name]) {
                    dns::record one;
                    one.value = value;
                    set.records.push_back(one);
                  }
                  out.records = std::move(set);
                }
                promise.deliver(std::move(out));
                return promise;
              },
              [](const runtime::stop_request&) {},
          };
        },
        dns);
  }
};

using kind = check_verdict::kind;

} // namespace

TEST_CASE("a client has the name that DNS confirms", "[policy]") {
  fixture f;
  f.dns->records["1.2.0.192.in-addr.arpa"] = {"liar.example", "bad name", "mail.example", "also.example"};
  f.dns->records["liar.example"] = {"192.0.2.99"};
  f.dns->records["mail.example"] = {"192.0.2.7", "192.0.2.1"};
  f.dns->records["also.example"] = {"192.0.2.1"};
  f.start();
  CHECK(f.connect("192.0.2.1").name == "mail.example");
  CHECK(f.connect("192.0.2.2").name.empty());
  CHECK(f.connect("192.0.2.1").greet_pause == f.settings.greet_pause);
  f.dns->failing = {"mail.example"};
  CHECK(f.connect("192.0.2.1").name == "also.example");
  CHECK(f.counters->admitted.get() == 4);
}

TEST_CASE("lists refuse and welcome; one that fails or hangs stops nobody", "[policy]") {
  fixture f;
  f.list("bad.example", 1);
  f.list("worse.example", 2);
  f.list("good.example", 1, true);
  f.settings.threshold = 2;
  f.dns->records["1.2.0.192.bad.example"] = {"127.0.0.2"};
  f.dns->records["2.2.0.192.worse.example"] = {"127.0.0.2"};
  f.dns->records["3.2.0.192.worse.example"] = {"127.0.0.2"};
  f.dns->records["3.2.0.192.good.example"] = {"127.0.10.1"};
  f.dns->records["4.2.0.192.worse.example"] = {"127.0.0.2"};
  f.dns->failing = {"1.2.0.192.worse.example"};
  f.dns->silent = {"4.2.0.192.bad.example", "5.2.0.192.in-addr.arpa"};
  f.start();
  CHECK(!f.connect("192.0.2.1").listed);
  CHECK(f.counters->list_failures.get() == 1);
  auto verdict = f.connect("192.0.2.2");
  CHECK(verdict.listed);
  CHECK(verdict.zone == "worse.example");
  verdict = f.connect("192.0.2.3");
  CHECK(!verdict.listed);
  CHECK(verdict.welcome);
  CHECK(verdict.greet_pause == 0ms);
  CHECK(f.connect("192.0.2.4", 8s).listed);
  CHECK(!f.connect("192.0.2.5", 8s).listed);
  CHECK(f.counters->refused_listed.get() == 2);
  CHECK(f.counters->welcomed.get() == 1);
}

TEST_CASE("without a resolver everybody is admitted", "[policy]") {
  fixture f;
  f.list("bad.example", 1);
  f.start();
  f.resolver_slot->set({});
  CHECK(f.connect("192.0.2.1").admitted);
  f.lookup_slot->set({});
  CHECK(f.connect("192.0.2.1").admitted);
}

TEST_CASE("a network that connects too often waits; loopback and exempt ones don't", "[policy]") {
  fixture f;
  f.settings.rates.connections_per_minute = 3;
  f.settings.exempt = {"198.51.100.0/24"};
  f.start();
  for (int i = 0; i < 3; ++i)
    CHECK(f.connect("2001:db8::" + std::to_string(i + 1)).admitted);
  CHECK(!f.connect("2001:db8::77").admitted);
  CHECK(f.connect("2001:db8:0:1::1").admitted);
  f.system.advance(20s);
  CHECK(f.connect("2001:db8::77").admitted);
  for (int i = 0; i < 10; ++i) {
    CHECK(f.connect("127.0.0.1").exempt);
    CHECK(f.connect("198.51.100.9").exempt);
  }
  CHECK(f.counters->refused_rate.get() == 1);
}

TEST_CASE("messages, recipients and accounts have their rates", "[policy]") {
  fixture f;
  f.settings.rates.messages_per_minute = 2;
  f.settings.rates.recipients_per_minute = 2;
  f.settings.rates.account_messages_per_hour = 3;
  f.settings.rates.account_recipients_per_hour = 10;
  f.start();
  policy::sender_check sender;
  sender.address = "192.0.2.1";
  for (int i = 0; i < 2; ++i) {
    CHECK(f.ask<check_verdict>(sender)->what == kind::ok);
    CHECK(f.offer("192.0.2.1", "a@example.com", "b@example.org").what == kind::ok);
  }
  CHECK(f.ask<check_verdict>(sender)->retry_in == 30s);
  CHECK(f.offer("192.0.2.1", "a@example.com", "b@example.org").what == kind::too_fast);
  CHECK(f.offer("not an address", "a@example.com", "b@example.org").what == kind::ok);
  CHECK(f.send("alice@example.org", 8).what == kind::ok);
  const auto refused = f.send("alice@example.org", 8);
  CHECK(refused.what == kind::too_fast);
  CHECK(policy::reply_text(refused) == "Too much mail in a short time, try again in 2160 seconds");
  CHECK(f.send("alice@example.org", 1).what == kind::ok);
  CHECK(f.send("alice@example.org", 1).what == kind::ok);
  CHECK(f.send("alice@example.org", 1).what == kind::too_fast);
  CHECK(f.send("bob@example.org", 1).what == kind::ok);
  CHECK(f.counters->refused_account.get() == 2);
}

TEST_CASE("greylisting asks strangers again and survives a restart", "[policy]") {
  fixture f;
  f.settings.greylist.enabled = true;
  f.start();
  const auto first = f.offer("192.0.2.1", "a@example.com", "b@example.org");
  CHECK(first.what == kind::greylisted);
  CHECK(policy::reply_text(first) == "Greylisted, try again in 60 seconds");
  CHECK(f.offer("192.0.2.1", "c@example.com", "b@example.org", true).what == kind::ok);
  CHECK(f.offer("127.0.0.1", "c@example.com", "b@example.org").what == kind::ok);
  f.stop();
  CHECK(std::filesystem::file_size(f.file()) > 0);
  f.clock.advance(61s);
  f.start();
  CHECK(f.offer("192.0.2.200", "a@example.com", "b@example.org").what == kind::ok);
  CHECK(f.counters->greylisted.get() == 1);
  CHECK(f.counters->passed.get() == 1);
}

TEST_CASE("greylisting is saved now and then, and a spoilt file stops nothing", "[policy]") {
  fixture f;
  f.settings.greylist.enabled = true;
  f.start();
  CHECK(f.offer("192.0.2.1", "a@example.com", "b@example.org").what == kind::greylisted);
  CHECK(!std::filesystem::exists(f.file()));
  f.system.advance(60s);
  CHECK(std::filesystem::exists(f.file()));
  f.stop();
  std::ofstream(f.file()) << "rubbish\n";
  f.start();
  CHECK(f.offer("192.0.2.1", "a@example.com", "b@example.org").what == kind::greylisted);
}

TEST_CASE("greylisting is off by default", "[policy]") {
  fixture f;
  f.start();
  CHECK(f.offer("192.0.2.1", "a@example.com", "b@example.org").what == kind::ok);
  f.stop();
  CHECK(!std::filesystem::exists(f.file()));
}
