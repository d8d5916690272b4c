// Outgoing connections over real sockets on the loopback.
#include "actors/net/connector.hpp"

#include <future>
#include <optional>

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <caf/io/all.hpp>

#include "actors/net/socket_address.hpp"
#include "actors/runtime/session.hpp"
#include "tests/support/catch2.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/support/tls/test_certificate.hpp"

using namespace merpati;
using namespace merpati::net;
using namespace merpati::runtime;
using namespace std::chrono_literals;

namespace {

class test_system {
public:
  test_system() {
    config_.load<caf::io::middleman>();
    config_.set("scheduler.max-threads", 2);
    config_.set("middleman.max-consecutive-reads", std::size_t{1});
    system_ = std::make_unique<caf::actor_system>(config_);
    connector_ = spawn_connector(*system_);
  }
  ~test_system() {
    for (auto& each : ended_)
      caf::anon_send(each, stop_request{});
    caf::anon_send(connector_, stop_request{});
    ended_.clear();
    connector_ = nullptr;
    system_.reset();
  }

  result<connected> connect(connect_to what) {
    caf::scoped_actor self(*system_);
    std::optional<result<connected>> answer;
    self->request(connector_, 10s, std::move(what))
        .receive([&](result<connected>& got) { answer = std::move(got); },
                 [&](caf::error& e) { answer = fail(errc::internal, caf::to_string(e)); });
    return std::move(*answer);
  }

  std::uint16_t listen(std::function<task<void>(session_io&)> root, std::shared_ptr<const tls::server_context> tls) {
    listener_settings settings;
    settings.kind = "test";
    settings.address = "127.0.0.1";
    settings.make_session = [root, tls](caf::actor_system& sys, accepted_connection accepted) {
      return spawn(sys, std::move(accepted), root, tls);
    };
    auto bound = net::listen(*system_, std::move(settings));
    ended_.push_back(bound.value().actor);
    return bound->port;
  }

  /// Talks over an opened connection.
  void run(connected opened, std::function<task<void>(session_io&)> root) {
    auto running =
        run_connection(*system_, std::move(opened), [root](caf::actor_system& sys, accepted_connection accepted) {
          return spawn(sys, std::move(accepted), root, nullptr);
        });
    REQUIRE(running);
  }

  void stop_connector() { caf::anon_send(connector_, stop_request{}); }

private:
  static caf::actor spawn(caf::actor_system& sys, accepted_connection accepted,
                          std::function<task<void>(session_io&)> root, std::shared_ptr<const tls::server_context> tls) {
    session_settings session;
    session.kind = "test";
    session.connection = std::move(accepted.connection);
    session.info = std::move(accepted.info);
    session.output = std::move(accepted.output);
    session.tls = std::move(tls);
    session.root = std::move(root);
    return caf::actor_cast<caf::actor>(spawn_session(sys, std::move(session)));
  }

  caf::actor_system_config config_;
  std::unique_ptr<caf::actor_system> system_;
  connector_actor connector_;
  std::vector<caf::actor> ended_;
};

task<void> echo(session_io& io) {
  for (;;) {
    auto event = co_await io.next(1min);
    if (!event.is_data())
      co_return;
    auto written = co_await io.write(event.data());
    if (!written)
      co_return;
  }
}

task<void> talk(session_io& io, std::shared_ptr<const tls::client_context> tls, std::promise<std::string>& heard) {
  if (tls) {
    auto shaken = co_await io.start_client_tls(std::move(tls), "localhost");
    if (!shaken) {
      heard.set_value("handshake: " + shaken.error().what);
      co_return;
    }
  }
  auto written = co_await io.write("over and out\n");
  auto event = co_await io.next(10s);
  heard.set_value(written && event.is_data() ? std::string(event.data()) : "nothing");
}

connect_to local_port(std::uint16_t port) {
  connect_to what;
  what.where.address = "127.0.0.1";
  what.where.port = port;
  return what;
}

/// A listening socket that nobody accepts from.
struct silent_listener {
  explicit silent_listener(int backlog) : socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    auto any = *socket_address::parse("127.0.0.1", 0);
    REQUIRE(::bind(socket.get(), any.get(), any.size) == 0);
    if (backlog >= 0)
      REQUIRE(::listen(socket.get(), backlog) == 0);
    REQUIRE(::getsockname(socket.get(), any.get(), &any.size) == 0);
    port = any.port();
  }
  descriptor socket;
  std::uint16_t port = 0;
};

} // namespace

TEST_CASE("a connection is opened, and a session talks over it", "[connector]") {
  test_system system;
  auto port = system.listen(echo, nullptr);
  auto opened = system.connect(local_port(port));
  REQUIRE(opened);
  CHECK(opened->info.remote_address == "127.0.0.1");
  CHECK(opened->info.remote_port == port);
  CHECK(opened->info.local_port != 0);
  std::promise<std::string> heard;
  system.run(std::move(*opened), [&](session_io& io) { return talk(io, nullptr, heard); });
  CHECK(heard.get_future().get() == "over and out\n");
}

TEST_CASE("an outgoing session does the client's side of TLS", "[connector][tls]") {
  test_system system;
  auto port = system.listen(echo, *tls::server_context::create({test::make_certificate({"localhost"})}));
  tls::client_options options;
  options.verify = GENERATE(false, true);
  auto opened = system.connect(local_port(port));
  REQUIRE(opened);
  std::promise<std::string> heard;
  system.run(std::move(*opened),
             [&](session_io& io) { return talk(io, *tls::client_context::create(options), heard); });
  const auto got = heard.get_future().get();
  if (options.verify)
    CHECK(got.substr(0, 10) == "handshake:");
  else
    CHECK(got == "over and out\n");
}

TEST_CASE("an attempt tells why it failed", "[connector]") {
  test_system system;
  const silent_listener bound_only(-1);
  auto refused = system.connect(local_port(bound_only.port));
  REQUIRE(!refused);
  CHECK(refused.error().code == errc::unavailable);
  CHECK(refused.error().what == "Connection refused");

  auto no_address = local_port(25);
  no_address.where.address = "mail.example.org";
  auto invalid = system.connect(no_address);
  REQUIRE(!invalid);
  CHECK(invalid.error().code == errc::invalid);

  auto other_family = local_port(25);
  other_family.source = "::1";
  invalid = system.connect(other_family);
  REQUIRE(!invalid);
  CHECK(invalid.error().code == errc::invalid);
}

TEST_CASE("an attempt ends with its time", "[connector]") {
  test_system system;
  const silent_listener full(0);
  // The kernel completes a few connections that nobody accepts, then no more.
  std::vector<std::shared_ptr<descriptor>> waiting;
  for (int i = 0; i < 16; ++i) {
    auto what = local_port(full.port);
    what.timeout = 200ms;
    auto opened = system.connect(what);
    if (!opened) {
      CHECK(opened.error().code == errc::unavailable);
      CHECK(opened.error().what == "Connection timed out");
      return;
    }
    waiting.push_back(opened->socket);
  }
  FAIL("all attempts were completed");
}

TEST_CASE("a connection has the source that was asked for", "[connector]") {
  test_system system;
  auto what = local_port(system.listen(echo, nullptr));
  what.source = "127.0.0.9";
  auto opened = system.connect(what);
  REQUIRE(opened);
  CHECK(opened->info.local_address == "127.0.0.9");
}

TEST_CASE("a Unix-domain socket is connected to", "[connector]") {
  test_system system;
  test::temporary_folder folder;
  const auto path = (folder.path() / "s").string();
  descriptor server(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  auto where = *socket_address::of_path(path);
  REQUIRE(::bind(server.get(), where.get(), where.size) == 0);
  connect_to what;
  what.where.path = path;
  auto refused = system.connect(what);
  REQUIRE(!refused);
  CHECK(refused.error().what == "Connection refused");
  REQUIRE(::listen(server.get(), 4) == 0);
  auto opened = system.connect(what);
  REQUIRE(opened);
  CHECK(opened->info.remote_address == path);
  what.where.path = std::string(200, 'x');
  auto too_long = system.connect(what);
  REQUIRE(!too_long);
  CHECK(too_long.error().code == errc::invalid);
}
