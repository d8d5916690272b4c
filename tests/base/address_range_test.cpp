#include "base/address_range.hpp"

#include "tests/support/catch2.hpp"

using namespace merpati;

TEST_CASE("ranges contain what shares their prefix", "[address_range]") {
  const auto in = [](const char* range, const char* text) {
    auto parsed = address_range::parse(range);
    REQUIRE(parsed);
    return parsed->contains(*ip_address::parse(text));
  };
  CHECK(in("192.0.2.0/24", "192.0.2.255"));
  CHECK(!in("192.0.2.0/24", "192.0.3.0"));
  CHECK(in("192.0.2.77/25", "192.0.2.1"));
  CHECK(!in("192.0.2.77/25", "192.0.2.128"));
  CHECK(in("0.0.0.0/0", "255.255.255.255"));
  CHECK(!in("0.0.0.0/0", "2001:db8::1"));
  CHECK(in("192.0.2.1", "::ffff:192.0.2.1"));
  CHECK(!in("192.0.2.1", "192.0.2.2"));
  CHECK(in("2001:db8::/33", "2001:db8:7fff::1"));
  CHECK(!in("2001:db8::/33", "2001:db8:8000::1"));
}

TEST_CASE("what is no range is refused", "[address_range]") {
  for (const auto* text : {"", "/", "/8", "192.0.2.0/", "192.0.2.0/33", "192.0.2.0/-1", "192.0.2.0/ 8", "192.0.2.0/8x",
                           "::/129", "192.0.2/24", "192.0.2.0/99999999999", "example.org/8"})
    CHECK(!address_range::parse(text));
}

TEST_CASE("the network of an address", "[address_range]") {
  CHECK(network_of(*ip_address::parse("192.0.2.77"), 24) == "192.0.2.0/24");
  CHECK(network_of(*ip_address::parse("192.0.2.77"), 200) == "192.0.2.77/32");
  CHECK(network_of(*ip_address::parse("2001:db8::1"), 0) == "::/0");
}
