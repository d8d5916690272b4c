// When to try again, and by which way.
#include <set>

#include "actors/delivery/hop.hpp"
#include "actors/delivery/retry_schedule.hpp"
#include "tests/support/catch2.hpp"

using namespace merpati;
using namespace merpati::delivery;
using namespace std::chrono_literals;

namespace {

const timestamp start(std::chrono::hours(500'000));

} // namespace

TEST_CASE("intervals double up to the longest, each with a tenth of chance", "[delivery]") {
  config::delivery_settings s;
  const retry_schedule schedule(s);
  const std::pair<std::uint32_t, std::chrono::seconds> expected[] = {
      {1, 300s}, {2, 600s}, {3, 1200s}, {6, 9600s}, {7, 14'400s}, {1000, 14'400s}, {UINT32_MAX, 14'400s}};
  for (const auto& [attempts, interval] : expected) {
    std::set<timestamp> seen;
    for (std::uint32_t random = 0; random < 4'000'000'000u; random += 123'456'789u) {
      const auto next = schedule.next(start, attempts, random);
      CHECK(next >= start + interval - interval / 10);
      CHECK(next <= start + interval + interval / 10);
      seen.insert(next);
    }
    CHECK(seen.size() > 10);
  }
}

TEST_CASE("mail expires, sooner where its sender asked so; delays are told once", "[delivery]") {
  config::delivery_settings s;
  const retry_schedule schedule(s);
  mail::waiting_details d;
  d.accepted = start;
  CHECK(schedule.expiry(d) == start + 120h);
  CHECK_FALSE(schedule.is_delay_due(d, start + 4h - 1s));
  CHECK(schedule.is_delay_due(d, start + 4h));
  d.mail.deliver = smtp::deliver_by{60s, true, false};
  CHECK(schedule.expiry(d) == start + 60s);
  d.mail.deliver->return_late = false;
  CHECK(schedule.expiry(d) == start + 120h);
  CHECK(schedule.is_delay_due(d, start + 60s));
  d.progress.delay_told = true;
  CHECK_FALSE(schedule.is_delay_due(d, start + 100h));
  s.delay_warning = 0s;
  mail::waiting_details plain;
  plain.accepted = start;
  CHECK_FALSE(schedule.is_delay_due(plain, start + 100h));
}

TEST_CASE("the most special route is taken", "[delivery]") {
  config::delivery_settings s;
  s.port = 2525;
  s.source_address = "192.0.2.1";
  auto add = [&](std::string domain, std::string host, config::hop_protocol protocol = config::hop_protocol::smtp) {
    config::route r;
    r.domain = std::move(domain);
    r.host = std::move(host);
    r.protocol = protocol;
    s.routes.push_back(r);
  };
  CHECK(hop_for(s, "example.net").host.empty());
  CHECK(hop_for(s, "example.net").port == 2525);
  add("*", "all");
  add(".example.net", "below", config::hop_protocol::lmtp);
  add(".a.example.net", "further below");
  add("example.net", "itself");
  CHECK(hop_for(s, "example.org").host == "all");
  CHECK(hop_for(s, "example.net").host == "itself");
  CHECK(hop_for(s, "b.example.net").host == "below");
  CHECK(hop_for(s, "b.example.net").port == 24);
  CHECK(hop_for(s, "b.a.example.net").host == "further below");
  CHECK(hop_for(s, "notexample.net").host == "all");
  CHECK(hop_for(s, "b.example.net").source_address == "192.0.2.1");
}
