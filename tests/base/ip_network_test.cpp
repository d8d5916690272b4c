#include "base/ip_network.hpp"

#include "tests/support/catch2.hpp"

using namespace merpati;

TEST_CASE("networks contain what their prefix says") {
  struct row {
    std::string_view network;
    std::string_view address;
    bool inside;
  };
  const std::vector<row> rows{
      {"10.0.0.0/8", "10.255.1.2", true},
      {"10.0.0.0/8", "11.0.0.0", false},
      {"192.0.2.128/25", "192.0.2.128", true},
      {"192.0.2.128/25", "192.0.2.127", false},
      {"192.0.2.1", "192.0.2.1", true},
      {"192.0.2.1", "192.0.2.2", false},
      {"192.0.2.1/32", "::ffff:192.0.2.1", true},
      {"0.0.0.0/0", "203.0.113.9", true},
      {"0.0.0.0/0", "2001:db8::1", false},
      {"::/0", "2001:db8::1", true},
      {"::/0", "203.0.113.9", false},
      {"2001:db8::/33", "2001:db8:7fff::1", true},
      {"2001:db8::/33", "2001:db8:8000::1", false},
      {"::1", "::1", true},
      {"::1/128", "::2", false},
      {"::ffff:10.0.0.0/104", "10.1.2.3", true},
      {"::ffff:10.0.0.0/104", "11.1.2.3", false},
      {"10.0.0.0/8", "nonsense", false},
  };
  for (const auto& r : rows) {
    INFO(r.network << " " << r.address);
    const auto network = ip_network::parse(r.network);
    REQUIRE(network);
    CHECK(contains({*network}, r.address) == r.inside);
    CHECK(ip_network::parse(network->to_string()).value() == *network);
  }
  CHECK_FALSE(contains({}, "10.0.0.1"));
}

TEST_CASE("what is no network is refused with a remedy") {
  for (std::string_view bad : {"", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/8/8",
                               "10/8", "::/129", "localhost", "::ffff:10.0.0.0/8", "10.0.0.0/999999999999", "*"}) {
    INFO(bad);
    REQUIRE_FALSE(ip_network::parse(bad));
    CHECK(ip_network::parse(bad).error().code == errc::invalid);
  }
  const auto loose = ip_network::parse("10.1.2.3/8");
  REQUIRE_FALSE(loose);
  CHECK(loose.error().what.find("10.0.0.0/8") != std::string::npos);
}
