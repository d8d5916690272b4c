#include "config/milter_parser.hpp"

#include "tests/support/catch2.hpp"

using namespace merpati;

namespace {

/// A file that is good but for what is put at its end, which starts at line 7.
auto parse(const std::string& end) {
  return config::parse("hostname = \"mail.example.org\"\ndata_dir = \"data\"\n[[listener]]\nkind = \"smtp\"\n"
                       "address = \"127.0.0.1\"\nport = 2525\n"
                           + end,
                       "/m.toml");
}

std::string only_error(const std::string& end) {
  auto parsed = parse(end);
  REQUIRE_FALSE(parsed);
  REQUIRE(parsed.error().size() == 1);
  return config::to_string(parsed.error()[0]);
}

} // namespace

TEST_CASE("milters are read in their order, with defaults for what is not set") {
  auto s = parse(R"([[milter]]
socket = "inet:127.0.0.1:11332"
[[milter]]
name = "dkim"
socket = "unix:/run/opendkim.sock"
when_down = "accept"
connect_seconds = 1
command_seconds = 2
content_seconds = 3
listeners = ["submission"]
)");
  REQUIRE(s);
  REQUIRE(s->milters.size() == 2);
  const auto& first = s->milters[0];
  CHECK(first.name == "inet:127.0.0.1:11332");
  CHECK(first.socket == config::milter_socket{"", "127.0.0.1", 11332});
  CHECK_FALSE(first.accept_when_down);
  CHECK(first.connect_timeout == std::chrono::seconds(30));
  CHECK(first.command_timeout == std::chrono::seconds(30));
  CHECK(first.content_timeout == std::chrono::seconds(300));
  CHECK(first.listeners.size() == 3);
  const auto& second = s->milters[1];
  CHECK(second.name == "dkim");
  CHECK(second.socket == config::milter_socket{"/run/opendkim.sock", "", 0});
  CHECK(second.accept_when_down);
  CHECK(second.connect_timeout == std::chrono::seconds(1));
  CHECK(second.command_timeout == std::chrono::seconds(2));
  CHECK(second.content_timeout == std::chrono::seconds(3));
  CHECK(second.listeners == std::vector{config::listener_kind::submission});
}

TEST_CASE("sockets of milters") {
  CHECK(config::parse_milter_socket("inet:[::1]:99") == config::milter_socket{"", "::1", 99});
  for (const char* bad :
       {"", "inet:", "inet:1", "inet::1", "inet:localhost:1", "inet:127.0.0.1:0", "inet:127.0.0.1:65536", "inet:::1:99",
        "inet:[127.0.0.1]:1", "unix:", "unix:run/x", "127.0.0.1:1"}) {
    INFO(bad);
    CHECK_FALSE(config::parse_milter_socket(bad));
  }
  CHECK(config::parse_milter_socket("unix:/" + std::string(106, 'a')));
  CHECK_FALSE(config::parse_milter_socket("unix:/" + std::string(107, 'a')));
}

TEST_CASE("mistakes in [[milter]] are told with a remedy") {
  CHECK(only_error("[[milter]]\nname = \"x\"\n")
        == "/m.toml:7: [[milter]] has no socket; add socket = \"inet:127.0.0.1:11332\" or \"unix:/run/filter.sock\"");
  const std::string good = "[[milter]]\nsocket = \"unix:/s\"\n";
  CHECK(only_error(good + "when_down = \"reject\"\n")
        == "/m.toml:9: when_down \"reject\" in [[milter]] is unknown; write \"tempfail\" or \"accept\"");
  CHECK(only_error(good + "listeners = [\"smpt\"]\n")
        == "/m.toml:9: listeners in [[milter]] names \"smpt\", where no mail comes in; did you mean \"smtp\"?");
  CHECK(only_error(good + "connect_seconds = 0\n")
        == "/m.toml:9: connect_seconds in [[milter]] is 0; write a number from 1 to 3600");
}
