// The resolver with the real library, against a name server on loopback.
#include "actors/dns/resolver_actor.hpp"

#include "tests/support/actors/dns_server.hpp"
#include "tests/support/catch2.hpp"

using namespace merpati;
using namespace std::chrono_literals;
using dns::record_type;

namespace {

constexpr std::uint16_t a = 1, ptr = 12, mx = 15, txt = 16, aaaa = 28;

test::dns_server::content zones() {
  using server = test::dns_server;
  server::content out;
  out.records[{"mail.example", a}] = {server::wire_address("192.0.2.1"), server::wire_address("192.0.2.2")};
  out.records[{"mail.example", aaaa}] = {server::wire_address("2001:db8::1")};
  out.records[{"1.2.0.192.in-addr.arpa", ptr}] = {server::wire_name("Mail.Example")};
  out.records[{"mail.example", mx}] = {std::string("\0\x0a", 2) + server::wire_name("mx.example")};
  out.records[{"mail.example", txt}] = {std::string("\x03") + "v=s" + std::string("\x04") + "pf1 "};
  out.failing = {"broken.example"};
  out.silent = {"silent.example"};
  return out;
}

class fixture {
public:
  test::dns_server server;
  std::shared_ptr<policy::counters> counters = std::make_shared<policy::counters>();
  config::resolver_settings settings;
  caf::actor_system_config config;
  caf::actor_system system{config};
  dns::resolver_actor resolver;

  explicit fixture(test::dns_server::content known = zones()) : server(std::move(known)) {
    settings.forwarders = {server.address()};
    settings.timeout = 20s;
  }
  ~fixture() { caf::anon_send(resolver, runtime::stop_request{}); }

  void start() { resolver = dns::spawn_resolver(system, settings, counters); }
  dns::answer ask(std::string name, record_type type) {
    caf::scoped_actor self{system};
    dns::query what;
    what.name = std::move(name);
    what.type = type;
    dns::answer out;
    self->request(resolver, 30s, std::move(what))
        .receive([&](const dns::answer& got) { out = got; },
                 [&](const caf::error& why) { out.records = fail(errc::internal, caf::to_string(why)); });
    return out;
  }
  std::vector<std::string> values(std::string name, record_type type) {
    auto got = ask(std::move(name), type);
    REQUIRE(got.records);
    std::vector<std::string> out;
    for (const auto& one : got.records->records)
      out.push_back(one.value);
    std::sort(out.begin(), out.end());
    return out;
  }
};

} // namespace

TEST_CASE("the resolver reads the records of each type", "[dns]") {
  fixture f;
  f.start();
  CHECK(f.values("mail.example", record_type::a) == std::vector<std::string>{"192.0.2.1", "192.0.2.2"});
  CHECK(f.values("mail.example", record_type::aaaa) == std::vector<std::string>{"2001:db8::1"});
  CHECK(f.values("1.2.0.192.in-addr.arpa", record_type::ptr) == std::vector<std::string>{"mail.example"});
  CHECK(f.values("mail.example", record_type::txt) == std::vector<std::string>{"v=spf1 "});
  auto got = f.ask("mail.example", record_type::mx);
  REQUIRE(got.records);
  REQUIRE(got.records->records.size() == 1);
  CHECK(got.records->records[0].value == "mx.example");
  CHECK(got.records->records[0].preference == 10);
  CHECK(!got.secure);
  CHECK(f.counters->dns_queries.get() == 5);
  CHECK(f.counters->dns_failures.get() == 0);
}

TEST_CASE("nothing there is an answer, a failing server is none", "[dns]") {
  fixture f;
  f.start();
  auto got = f.ask("absent.example", record_type::a);
  REQUIRE(got.records);
  CHECK(!got.records->name_exists);
  got = f.ask("1.2.0.192.in-addr.arpa", record_type::a);
  REQUIRE(got.records);
  CHECK(got.records->name_exists);
  CHECK(got.records->records.empty());
  got = f.ask("broken.example", record_type::a);
  REQUIRE(!got.records);
  CHECK(got.records.error().code == errc::unavailable);
  got = f.ask("no..name", record_type::a);
  REQUIRE(!got.records);
  CHECK(got.records.error().code == errc::invalid);
}

TEST_CASE("a query has its time, and there are not too many of them", "[dns]") {
  fixture f;
  f.settings.timeout = 300ms;
  f.settings.queries = 1;
  f.start();
  caf::scoped_actor self{f.system};
  dns::query what;
  what.name = "silent.example";
  auto first = self->request(f.resolver, 30s, what);
  auto second = self->request(f.resolver, 30s, what);
  const auto code = [](auto& pending) {
    auto out = errc::internal;
    pending.receive([&](const dns::answer& got) { out = got.records ? errc::internal : got.records.error().code; },
                    [](const caf::error&) {});
    return out;
  };
  CHECK(code(second) == errc::too_many);
  CHECK(code(first) == errc::unavailable);
  CHECK(f.counters->dns_failures.get() == 2);
}

// Nobody on the internet knows the names of a private network, and the root servers are not to be asked for them.
TEST_CASE("without a forwarder, names in private networks are answered here: there are none", "[dns]") {
  fixture f;
  f.settings.forwarders.clear();
  f.settings.recursive = true;
  f.start();
  for (const char* name : {"1.1.168.192.in-addr.arpa", "1.0.0.10.in-addr.arpa"}) {
    const auto got = f.ask(name, record_type::ptr);
    REQUIRE(got.records);
    CHECK(!got.records->name_exists);
  }
}

TEST_CASE("a forwarder may know names in private networks", "[dns]") {
  auto known = zones();
  known.records[{"1.1.168.192.in-addr.arpa", ptr}] = {test::dns_server::wire_name("desk.example")};
  fixture f(std::move(known));
  f.start();
  CHECK(f.values("1.1.168.192.in-addr.arpa", record_type::ptr) == std::vector<std::string>{"desk.example"});
}

TEST_CASE("what was asked before comes from the cache", "[dns]") {
  fixture f;
  f.start();
  f.values("mail.example", record_type::a);
  const auto before = f.server.queries();
  f.values("mail.example", record_type::a);
  CHECK(f.server.queries() == before);
}

TEST_CASE("record data that don't fit their type are left out", "[dns]") {
  const auto read = [](record_type type, std::string_view octets) {
    return dns::read_record(type, octets).has_value();
  };
  CHECK(!read(record_type::a, "123"));
  CHECK(!read(record_type::aaaa, "1234"));
  for (std::string_view bad : {std::string_view("", 0),
                               std::string_view("\x03"
                                                "ab"),
                               std::string_view("\x01"
                                                "a"),
                               std::string_view("\x01"
                                                "a\0x",
                                                4),
                               std::string_view("\x40"), std::string_view("\xc0\x0c"),
                               std::string_view("\x03"
                                                "a.b\0",
                                                5),
                               std::string_view("\x03"
                                                "a\nb\0",
                                                5)})
    CHECK(!read(record_type::ptr, bad));
  CHECK(read(record_type::ptr, std::string_view("\0", 1)));
  CHECK(!read(record_type::mx, std::string_view("\0\1", 2)));
  CHECK(!read(record_type::txt, "\x05"
                                "abc"));
  CHECK(read(record_type::txt, ""));
  CHECK(!read(record_type::tlsa, std::string(20'000, 'x')));
  std::string deep;
  for (int i = 0; i < 200; ++i)
    deep += std::string("\x01") + "a";
  CHECK(!read(record_type::ptr, deep + '\0'));
}
