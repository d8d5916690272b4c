#include "protocols/smtp/xclient.hpp"

#include "tests/support/catch2.hpp"

using namespace merpati::smtp;

TEST_CASE("XCLIENT attributes") {
  const auto all = parse_xclient("NAME=spike.example.net ADDR=192.0.2.7 PORT=40000 PROTO=ESMTP HELO=[192.0.2.7] "
                                 "LOGIN=a+40b+2Bc DESTADDR=IPV6:2001:db8::1 DESTPORT=25");
  REQUIRE(all);
  CHECK(all->name->value == "spike.example.net");
  CHECK(all->addr->value == "192.0.2.7");
  CHECK(all->port == 40000);
  CHECK(all->extended == true);
  CHECK(all->helo->value == "[192.0.2.7]");
  CHECK(all->login->value == "a@b+c");
  CHECK(all->destaddr->value == "2001:db8::1");
  CHECK(all->destport == 25);
  CHECK(parse_xclient(write_xclient(*all)).value() == *all);

  const auto some = parse_xclient("  name=[unavailable]  login=[TEMPUNAVAIL] port=[UNAVAILABLE] proto=smtp ");
  REQUIRE(some);
  CHECK(some->name->state == xclient_text::status::unavailable);
  CHECK(some->login->state == xclient_text::status::temporary);
  CHECK(some->port == 0);
  CHECK(some->extended == false);
  CHECK_FALSE(some->addr);
  CHECK(parse_xclient(write_xclient(*some)).value() == *some);
}

TEST_CASE("XCLIENT arguments that are refused with 501 5.5.4") {
  for (std::string_view bad : {"",
                               " ",
                               "ADDR",
                               "ADDR=",
                               "=192.0.2.1",
                               "ADDR=192.0.2",
                               "ADDR=client.example",
                               "ADDR=IPV6:[::1]",
                               "PORT=65536",
                               "PORT=-1",
                               "PORT=x",
                               "PROTO=LMTP",
                               "PROTO=",
                               "COLOUR=red",
                               "NAME=a NAME=b",
                               "ADDR=192.0.2.1 ADDR=192.0.2.1",
                               "HELO=a+0D+0Ab",
                               "LOGIN=+00",
                               "LOGIN=+0D+0A",
                               "LOGIN=a+4",
                               "LOGIN=a=b",
                               "NAME=+20",
                               "PORT=[NOTHING]"}) {
    INFO(bad);
    const auto got = parse_xclient(bad);
    REQUIRE_FALSE(got);
    CHECK(got.error().code == 501);
    CHECK(got.error().enhanced == "5.5.4");
  }
  CHECK_FALSE(parse_xclient("LOGIN=" + std::string(256, 'a')));
  CHECK(parse_xclient("LOGIN=" + std::string(255, 'a')));
}
