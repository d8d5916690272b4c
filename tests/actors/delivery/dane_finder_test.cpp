// Where TLSA records are looked for, and what is made of the answers, by a scripted DNS.
#include "actors/delivery/dane_finder.hpp"

#include <map>
#include <optional>

#include "tests/support/actors/deterministic_system.hpp"
#include "tests/support/catch2.hpp"

using namespace merpati;
using namespace merpati::delivery;
using dns::record_type;

namespace {

struct scripted {
  std::vector<std::string> values;
  bool secure = true;
  std::string canonical = {};
  bool fails = false;
};
using zone = std::map<std::pair<std::string, record_type>, scripted>;

const std::string good_record = std::string("\3\1\1", 3) + std::string(32, 'h');
const std::string pkix_record = std::string("\1\1\1", 3) + std::string(32, 'h');

struct asker_state {
  explicit asker_state(caf::event_based_actor* self) : host(self) {}
  runtime::coroutine_host host;
};

runtime::task<void> look(runtime::coroutine_host& host, dns::resolver_actor resolver, std::string domain,
                         std::optional<mail_hosts>& out) {
  own_places own;
  own.hostname = "us.example";
  auto found = co_await find_hosts(host, resolver, std::move(domain), std::move(own), 1);
  if (!found)
    co_return;
  for (auto& each : *found)
    each.dane = co_await find_dane(host, resolver, each, 25);
  out = std::move(*found);
}

/// The first host of "example.net".
mail_host first_host(zone z) {
  test::deterministic_system system;
  auto resolver = system.system().spawn([z](dns::resolver_actor::pointer self) -> dns::resolver_actor::behavior_type {
    return {[z](const dns::query& q) {
              dns::answer out;
              dns::record_set set;
              set.name_exists = true;
              out.secure = true;
              if (const auto at = z.find({q.name, q.type}); at != z.end()) {
                for (const auto& value : at->second.values) {
                  dns::record one;
                  one.value = value;
                  set.records.push_back(one);
                }
                out.secure = at->second.secure;
                out.canonical = at->second.canonical;
                if (at->second.fails) {
                  out.records = fail(errc::unavailable, "bogus");
                  return out;
                }
              }
              out.records = set;
              return out;
            },
            [self](runtime::stop_request) { self->quit(); }};
  });
  std::optional<mail_hosts> found;
  system.system().spawn([&](caf::stateful_actor<asker_state>* self) -> caf::behavior {
    self->state.host.start(look(self->state.host, resolver, "example.net", found),
                           [self](std::exception_ptr) { self->quit(); });
    return {[](caf::unit_t) {}};
  });
  system.run();
  caf::anon_send(resolver, runtime::stop_request{});
  system.run();
  REQUIRE(found);
  return found->front();
}

zone usual() {
  return {{{"example.net", record_type::mx}, {{"mx.example.net"}}},
          {{"mx.example.net", record_type::a}, {{"192.0.2.5"}}},
          {{"_25._tcp.mx.example.net", record_type::tlsa}, {{pkix_record, good_record}}}};
}

} // namespace

TEST_CASE("secure TLSA records of a host that was found by secure answers are used", "[dane]") {
  const auto dane = first_host(usual()).dane;
  CHECK(dane.what == dane_state::usable);
  CHECK(dane.base == "mx.example.net");
  CHECK(dane.records.size() == 1);
}

TEST_CASE("an answer on the way that is not secure makes them count for nothing", "[dane]") {
  for (const auto& key : {std::pair<std::string, record_type>{"example.net", record_type::mx},
                          {"mx.example.net", record_type::a},
                          {"_25._tcp.mx.example.net", record_type::tlsa}}) {
    auto z = usual();
    z.at(key).secure = false;
    CHECK(first_host(z).dane.what == dane_state::absent);
  }
}

TEST_CASE("a TLSA lookup that fails is told, and none that can be used, too", "[dane]") {
  auto z = usual();
  z.at({"_25._tcp.mx.example.net", record_type::tlsa}).fails = true;
  CHECK(first_host(z).dane.what == dane_state::failed);
  z = usual();
  z.at({"_25._tcp.mx.example.net", record_type::tlsa}).values = {pkix_record};
  CHECK(first_host(z).dane.what == dane_state::unusable);
  z.erase({"_25._tcp.mx.example.net", record_type::tlsa});
  CHECK(first_host(z).dane.what == dane_state::absent);
}

TEST_CASE("aliases: the name at their end first, then the host's own", "[dane]") {
  auto z = usual();
  z.at({"mx.example.net", record_type::a}).canonical = "real.example.com";
  CHECK(first_host(z).dane.base == "mx.example.net");
  z[{"_25._tcp.real.example.com", record_type::tlsa}] = {{good_record}};
  CHECK(first_host(z).dane.base == "real.example.com");

  // It leads out of what is signed: the own name, if the alias itself is signed.
  z.at({"mx.example.net", record_type::a}).secure = false;
  CHECK(first_host(z).dane.what == dane_state::absent);
  z[{"mx.example.net", record_type::cname}] = {{"real.example.com"}};
  CHECK(first_host(z).dane.base == "mx.example.net");
  z.at({"mx.example.net", record_type::cname}).secure = false;
  CHECK(first_host(z).dane.what == dane_state::absent);
}
