// Who takes mail for a domain, by what a scripted DNS says.
#include "actors/delivery/host_finder.hpp"

#include <future>
#include <map>
#include <optional>

#include <caf/all.hpp>

#include "tests/support/catch2.hpp"

using namespace merpati;
using namespace merpati::delivery;
using dns::record_type;

namespace {

/// "mx example.net" -> "10 a.example.net, 20 b.example.net", "!" for SERVFAIL; what is not there does not exist.
using zone = std::map<std::string, std::string>;

dns::answer answer_of(const zone& z, const dns::query& q) {
  const std::map<record_type, std::string> words{
      {record_type::mx, "mx"}, {record_type::a, "a"}, {record_type::aaaa, "aaaa"}};
  dns::answer out;
  dns::record_set found;
  for (const auto& [key, value] : z)
    found.name_exists = found.name_exists || key.substr(key.find(' ') + 1) == q.name;
  const auto at = z.find(words.at(q.type) + " " + q.name);
  if (at != z.end() && at->second == "!") {
    out.records = fail(errc::unavailable, "SERVFAIL");
    return out;
  }
  std::string rest = at == z.end() ? "" : at->second;
  while (!rest.empty()) {
    const auto comma = std::min(rest.find(", "), rest.size());
    auto one = rest.substr(0, comma);
    rest.erase(0, std::min(comma + 2, rest.size()));
    dns::record record;
    if (q.type == record_type::mx) {
      record.preference = static_cast<std::uint16_t>(std::stoi(one));
      one = one.substr(one.find(' ') + 1);
    }
    record.value = one == "." ? "" : one;
    found.records.push_back(record);
  }
  out.records = found;
  return out;
}

struct asker_state {
  explicit asker_state(caf::event_based_actor* self) : host(self) {}
  runtime::coroutine_host host;
};

using found_hosts = tl::expected<mail_hosts, no_hosts>;

found_hosts find(const zone& z, const std::string& domain, const own_places& own = {"us.example", {"192.0.2.1"}},
                 std::uint32_t seed = 1) {
  caf::actor_system_config config;
  caf::actor_system system(config);
  auto resolver = system.spawn([z](dns::resolver_actor::pointer self) -> dns::resolver_actor::behavior_type {
    return {[z](const dns::query& q) { return answer_of(z, q); }, [self](runtime::stop_request) { self->quit(); }};
  });
  std::promise<found_hosts> outcome;
  auto asking = system.spawn([&](caf::stateful_actor<asker_state>* self) -> caf::behavior {
    auto& host = self->state.host;
    auto run = [](runtime::coroutine_host& h, dns::resolver_actor r, std::string d, own_places o, std::uint32_t s,
                  std::promise<found_hosts>& out) -> runtime::task<void> {
      auto found = co_await find_hosts(h, std::move(r), std::move(d), std::move(o), s);
      out.set_value(std::move(found));
    };
    host.start(run(host, resolver, domain, own, seed, outcome), [self](std::exception_ptr) { self->quit(); });
    return {[](caf::unit_t) {}};
  });
  auto got = outcome.get_future().get();
  caf::anon_send(resolver, runtime::stop_request{});
  return got;
}

/// "a.example.net=192.0.2.5,2001:db8::5 b..." or "5.1.2" or "later".
std::string told(const found_hosts& found) {
  if (!found)
    return found.error().permanent ? found.error().why.status : "later " + found.error().why.status;
  std::string out;
  for (const auto& host : *found) {
    out += (out.empty() ? "" : " ") + host.name + "=";
    for (const auto& address : host.addresses)
      out += (out.back() == '=' ? "" : ",") + address;
  }
  return out;
}

} // namespace

TEST_CASE("mail servers come in the order of their preference, addresses of both families in turn", "[hosts]") {
  const zone z{{"mx example.net", "20 b.example.net, 10 a.example.net"},
               {"a a.example.net", "192.0.2.5, 192.0.2.6"},
               {"aaaa a.example.net", "2001:db8::5"},
               {"a b.example.net", "192.0.2.7"}};
  CHECK(told(find(z, "example.net")) == "a.example.net=2001:db8::5,192.0.2.5,192.0.2.6 b.example.net=192.0.2.7");
}

TEST_CASE("among equals chance decides", "[hosts]") {
  const zone z{{"mx example.net", "10 a.example.net, 10 b.example.net"},
               {"a a.example.net", "192.0.2.5"},
               {"a b.example.net", "192.0.2.7"}};
  std::map<std::string, int> first;
  for (std::uint32_t seed = 1; seed <= 20; ++seed)
    ++first[find(z, "example.net", {"us.example", {}}, seed)->front().name];
  CHECK(first.size() == 2);
}

TEST_CASE("a domain without MX takes its mail itself", "[hosts]") {
  CHECK(told(find({{"a example.net", "192.0.2.9"}}, "example.net")) == "example.net=192.0.2.9");
  CHECK(told(find({{"mx example.net", ""}, {"a example.net", ""}}, "example.net")) == "5.1.2");
}

TEST_CASE("what does not exist, wants no mail or can't be told", "[hosts]") {
  CHECK(told(find({}, "example.net")) == "5.1.2");
  CHECK(told(find({{"mx example.net", "0 ."}}, "example.net")) == "5.1.10");
  CHECK(told(find({{"mx example.net", "!"}}, "example.net")) == "later 4.4.3");
  CHECK(told(find({{"mx example.net", "10 a.example.net"}, {"a a.example.net", "!"}}, "example.net")) == "later 4.4.3");
  CHECK(told(find({{"mx example.net", "10 a.example.net"}}, "example.net")) == "5.4.4");
  CHECK(
      told(find({{"mx example.net", "10 a.example.net"}, {"a a.example.net", "192.0.2.5"}, {"aaaa a.example.net", "!"}},
                "example.net"))
      == "a.example.net=192.0.2.5");
}

TEST_CASE("mail does not go in circles", "[hosts]") {
  const zone z{{"mx example.net", "10 a.example.net, 20 us.example, 30 c.example.net"},
               {"a a.example.net", "192.0.2.5"},
               {"a us.example", "192.0.2.1"},
               {"a c.example.net", "192.0.2.8"},
               {"mx ours.example", "10 us.example"},
               {"mx alias.example", "10 a.alias.example"},
               {"a a.alias.example", "192.0.2.1"},
               {"mx here.example", "10 localhost.example"},
               {"a localhost.example", "127.0.0.1"}};
  CHECK(told(find(z, "example.net")) == "a.example.net=192.0.2.5"); // RFC 5321 5.1
  CHECK(told(find(z, "ours.example")) == "5.4.6");
  CHECK(told(find(z, "alias.example")) == "5.4.6");
  CHECK(told(find(z, "here.example")) == "5.4.6");
}

TEST_CASE("address literals need no DNS", "[hosts]") {
  CHECK(told(find({}, "[192.0.2.55]")) == "192.0.2.55=192.0.2.55");
  CHECK(told(find({}, "[ipv6:2001:db8::1]")) == "2001:db8::1=2001:db8::1");
  CHECK(told(find({}, "[127.0.0.1]")) == "5.4.6");
  CHECK(told(find({}, "[192.0.2.1]")) == "5.4.6");
  CHECK(told(find({}, "[x-tag:foo]")) == "5.1.2");
}
