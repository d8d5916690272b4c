// Connections that come through a proxy: whose they are is known before anything else happens.
#include "protocols/proxy/header_reader.hpp"
#include "tests/actors/session/small_site.hpp"

using namespace merpati;
using namespace std::chrono_literals;
using test::contains;
using test::small_site;

namespace {

struct proxied {
  explicit proxied(small_site& site, bool admits = true) {
    runtime::session_settings settings;
    settings.kind = "test";
    settings.root = [&site](runtime::session_io& io) {
      return session::run_smtp_session(io, site.services, small_site::plaintext_door(), smtp::server_kind::mx);
    };
    settings.admit_proxied = [this, admits](std::string_view address) -> std::shared_ptr<void> {
      admitted += std::string(address) + " ";
      return admits ? std::make_shared<int>() : std::shared_ptr<int>();
    };
    peer = std::make_unique<test::scripted_peer>(site.system, std::move(settings));
  }
  std::string admitted;
  std::unique_ptr<test::scripted_peer> peer;
};

} // namespace

TEST_CASE("the client that a proxy names takes the proxy's place, for both versions and however it is cut") {
  const auto version = GENERATE(std::uint8_t{1}, std::uint8_t{2});
  const auto how = GENERATE(test::cutting::whole, test::cutting::octets, test::cutting::random);
  small_site site;
  proxied connection(site);
  auto& peer = *connection.peer;
  peer.cut(how);
  CHECK(peer.take() == "");
  proxy::header header;
  header.version = version;
  header.has_addresses = true;
  header.source_address = "203.0.113.7";
  header.source_port = 40'000;
  header.destination_address = "192.0.2.25";
  header.destination_port = 25;
  peer.send(proxy::write_header(header) + "HELO c.example\r\n");
  CHECK_THAT(peer.take(), contains("220 ") && contains("250 "));
  CHECK(connection.admitted == "203.0.113.7 ");
  peer.send("MAIL FROM:<x@c.example>\r\nRCPT TO:<alice@example.org>\r\nDATA\r\n");
  peer.take();
  peer.send("\r\n.\r\n");
  peer.take();
  auto reader = site.imap_as("alice");
  reader->send("1 EXAMINE INBOX\r\n2 FETCH 1 BODY[HEADER]\r\n");
  CHECK_THAT(reader->take(), contains("from c.example ([203.0.113.7])"));
}

TEST_CASE("without a header, with a wrong one, or of a client with too many connections it ends without a word") {
  small_site site;
  proxied wrong(site);
  wrong.peer->send("EHLO c.example\r\n");
  CHECK(wrong.peer->take() == "");
  CHECK(wrong.peer->closed());
  proxied silent(site);
  site.system.advance(5s);
  CHECK(silent.peer->take() == "");
  CHECK(silent.peer->closed());
  proxied crowded(site, false);
  crowded.peer->send("PROXY TCP4 203.0.113.7 192.0.2.25 40000 25\r\n");
  CHECK(crowded.peer->take() == "");
  CHECK(crowded.peer->closed());
  proxied local(site);
  local.peer->send("PROXY UNKNOWN\r\n");
  CHECK(local.peer->take().starts_with("220 "));
  CHECK(local.admitted == "192.0.2.1 ");
}
