#include "base/ip_address.hpp"

#include "tests/support/catch2.hpp"

using merpati::ip_address;

TEST_CASE("numeric addresses are read, anything else is not") {
  for (const char* good : {"192.0.2.1", "::", "::1", "2001:db8::1", "0.0.0.0"}) {
    INFO(good);
    REQUIRE(ip_address::parse(good));
    CHECK(ip_address::parse(good)->to_string() == good);
  }
  for (const char* bad : {"", "localhost", "192.0.2", "192.0.2.256", "[::1]", "::1%lo", "1.2.3.4:25", " ::1"}) {
    INFO(bad);
    CHECK(!ip_address::parse(bad));
  }
  CHECK(!ip_address::parse(std::string(1000, '1')));
  CHECK(!ip_address::parse(std::string_view("::1\0x", 5)));
}

TEST_CASE("an IPv4-mapped address is the IPv4 address") {
  auto mapped = ip_address::parse("::ffff:127.0.0.9");
  REQUIRE(mapped);
  CHECK(mapped->to_string() == "127.0.0.9");
  CHECK(mapped->is_loopback());
  CHECK(mapped == ip_address::parse("127.0.0.9"));
}

TEST_CASE("loopback and any") {
  CHECK(ip_address::parse("127.255.0.1")->is_loopback());
  CHECK(ip_address::parse("::1")->is_loopback());
  CHECK(!ip_address::parse("::2")->is_loopback());
  CHECK(!ip_address::parse("10.0.0.1")->is_loopback());
  CHECK(ip_address::parse("::")->is_any());
  CHECK(ip_address::parse("0.0.0.0")->is_any());
  CHECK(!ip_address::parse("::")->is_loopback());
}

TEST_CASE("a client network is one IPv4 address or one IPv6 /64") {
  CHECK(ip_address::parse("192.0.2.1")->client_network() == "192.0.2.1");
  CHECK(ip_address::parse("2001:db8:1:2:3:4:5:6")->client_network() == "2001:db8:1:2::/64");
  CHECK(ip_address::parse("2001:db8:1:2:ffff::9")->client_network() == "2001:db8:1:2::/64");
  CHECK(ip_address::parse("2001:db8:1:3::9")->client_network() != "2001:db8:1:2::/64");
}
