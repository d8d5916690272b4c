// What TLS a host has to have, by configuration and TLSA records.
#include "actors/delivery/tls_demand.hpp"

#include "tests/support/catch2.hpp"

using namespace merpati;
using namespace merpati::delivery;
using config::hop_tls;

namespace {

mail_host host_with(dane_state what) {
  mail_host out;
  out.name = "mx.example.net";
  out.addresses = {"192.0.2.5"};
  out.dane.what = what;
  out.dane.base = "real.example.net";
  if (what == dane_state::usable)
    out.dane.records = {{3, 1, 1, std::string(32, 'h')}};
  return out;
}

auto demand(hop_tls tls, dane_state what, std::string host = {}) {
  hop next;
  next.tls = tls;
  next.host = std::move(host);
  return tls_demand_for(next, host_with(what), "example.net");
}

} // namespace

TEST_CASE("the configuration's word counts more than DNS", "[tls]") {
  for (const auto what : {dane_state::absent, dane_state::usable, dane_state::unusable, dane_state::failed}) {
    CHECK(demand(hop_tls::none, what)->need == tls_need::none);
    CHECK(demand(hop_tls::may, what)->need == tls_need::may);
    CHECK(demand(hop_tls::need, what)->need == tls_need::any_certificate);
    CHECK(demand(hop_tls::verify, what)->need == tls_need::authority);
  }
}

TEST_CASE("TLSA records demand TLS, and never less than that", "[tls]") {
  CHECK(demand(hop_tls::automatic, dane_state::absent)->need == tls_need::may);
  CHECK(demand(hop_tls::automatic, dane_state::unusable)->need == tls_need::any_certificate);
  for (const auto tls : {hop_tls::automatic, hop_tls::dane}) {
    const auto made = demand(tls, dane_state::usable);
    REQUIRE(made);
    CHECK(made->need == tls_need::dane);
    CHECK(made->server_name == "real.example.net");
    CHECK(made->dane->records.size() == 1);
    CHECK(made->dane->names == std::vector<std::string>{"mx.example.net", "example.net"});
    CHECK(demand(tls, dane_state::failed).error().status == "4.7.5");
  }
  CHECK(demand(hop_tls::automatic, dane_state::usable, "mx.example.net")->dane->names
        == std::vector<std::string>{"mx.example.net"});
}

TEST_CASE("where DANE is asked for nothing else will do", "[tls]") {
  CHECK(demand(hop_tls::dane, dane_state::absent).error().status == "4.7.5");
  CHECK(demand(hop_tls::dane, dane_state::unusable).error().status == "4.7.5");
}

TEST_CASE("verdicts for people", "[tls]") {
  tls_demand d;
  CHECK(verdict_of(d, "", false, false) == "none: not offered");
  CHECK(verdict_of(d, "TLSv1.3", false, false) == "TLSv1.3, certificate not verified");
  CHECK(verdict_of(d, "TLSv1.3", true, false) == "TLSv1.3, certificate trusted");
  d.need = tls_need::none;
  CHECK(verdict_of(d, "", false, false) == "none: as configured");
  CHECK(verdict_of(d, "", false, true) == "none: TLS failed before");
  d.need = tls_need::dane;
  CHECK(verdict_of(d, "TLSv1.3", false, false) == "TLSv1.3, DANE verified");
  d.need = tls_need::any_certificate;
  d.by_dns = true;
  CHECK(verdict_of(d, "TLSv1.2", false, false) == "TLSv1.2, demanded by DANE, certificate not verified");
  d.need = tls_need::authority;
  CHECK(verdict_of(d, "TLSv1.2", false, false) == "TLSv1.2, certificate verified");
}
