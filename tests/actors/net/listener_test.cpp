// Real sockets on the loopback: the brokers, the event loop and the sessions together.
#include "actors/net/listener.hpp"

#include <atomic>
#include <future>
#include <optional>
#include <thread>

#include <malloc.h>
#include <sys/resource.h>

#include <caf/io/all.hpp>

#include "actors/net/limiter.hpp"
#include "actors/runtime/session.hpp"
#include "actors/runtime/stats.hpp"
#include "actors/runtime/supervisor.hpp"
#include "tests/support/actors/blocking_client.hpp"
#include "tests/support/catch2.hpp"
#include "tests/support/tls/test_certificate.hpp"

using namespace merpati;
using namespace merpati::net;
using namespace merpati::runtime;
using namespace std::chrono_literals;
using merpati::test::blocking_client;

namespace {

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

/// What a test shares with its sessions on other threads.
struct shared {
  std::atomic<std::uint64_t> written{0};
  std::atomic<std::uint64_t> read{0};
  std::atomic<bool> may_read{false};
  std::promise<bool> outcome;
  std::promise<caf::actor> session;
};

/// Writes without end.
task<void> flood(session_io& io, shared& s) {
  const std::string chunk(64 * 1024, 'f');
  for (;;) {
    auto written = co_await io.write(chunk);
    if (!written)
      break;
    s.written += chunk.size();
  }
  s.outcome.set_value(io.closed());
}

/// Reads nothing before it is given a notice; then all, and answers with the number of octets.
task<void> late_reader(session_io& io, shared& s) {
  s.session.set_value(caf::actor_cast<caf::actor>(io.self()));
  std::uint64_t total = 0;
  while (!s.may_read)
    (void)co_await io.sleep(5ms);
  for (;;) {
    auto event = co_await io.next(1min);
    if (!event.is_data())
      co_return;
    total += event.data().size();
    if (event.data().back() == '\n') {
      const auto text = std::to_string(total) + "\n";
      auto written = co_await io.write(text);
      if (!written)
        co_return;
    }
  }
}

task<void> greet_and_end(session_io& io) {
  io.write_soon("last words\n");
  co_return;
}

task<void> tell_handle(session_io& io, shared& s) {
  s.session.set_value(caf::actor_cast<caf::actor>(io.self()));
  auto event = co_await io.next();
  (void)event;
}

using root_function = std::function<task<void>(session_io&)>;

class test_server {
public:
  test_server() {
    config_.load<caf::io::middleman>();
    config_.set("scheduler.max-threads", 2);
    config_.set("middleman.max-consecutive-reads", std::size_t{1}); // as the daemon has it
    system_ = std::make_unique<caf::actor_system>(config_);
  }
  ~test_server() {
    for (auto& each : listeners_)
      caf::anon_send(each, stop_request{});
    listeners_.clear();
    system_.reset(); // waits until all actors are gone
  }

  std::uint16_t listen(root_function root, std::shared_ptr<const tls::server_context> tls = nullptr,
                       session_limits limits = {}, const std::string& address = "127.0.0.1",
                       supervisor_actor sessions = {}) {
    listener_settings settings;
    settings.kind = "test";
    settings.sessions = std::move(sessions);
    settings.address = address;
    settings.limiter = limiter;
    settings.refusal = "421 too many\r\n";
    settings.make_session = [root, tls, limits](caf::actor_system& sys, accepted_connection accepted) {
      session_settings session;
      session.kind = "test";
      session.connection = std::move(accepted.connection);
      session.info = std::move(accepted.info);
      session.output = std::move(accepted.output);
      session.tls = tls;
      session.limits = limits;
      session.root = root;
      return caf::actor_cast<caf::actor>(spawn_session(sys, std::move(session)));
    };
    auto bound = net::listen(*system_, std::move(settings));
    if (!bound)
      throw std::runtime_error(bound.error().what);
    listeners_.push_back(bound->actor);
    return bound->port;
  }
  caf::actor_system& system() { return *system_; }

  std::shared_ptr<connection_limiter> limiter = make_limiter({});

private:
  caf::actor_system_config config_;
  std::unique_ptr<caf::actor_system> system_;
  std::vector<caf::actor> listeners_;
};

/// Gives other threads the processor until `condition` holds; false after 5 s.
template <class F>
bool eventually(F condition) {
  const auto end = std::chrono::steady_clock::now() + 5s;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end)
      return false;
    std::this_thread::yield();
  }
  return true;
}

std::string pattern(std::size_t size) {
  std::string out(size, '\0');
  std::uint32_t x = 1;
  for (auto& c : out) {
    x = x * 1664525 + 1013904223;
    c = static_cast<char>(x >> 24);
  }
  return out;
}

std::shared_ptr<const tls::server_context> make_context() {
  return *tls::server_context::create({test::make_certificate({"localhost"})});
}
std::shared_ptr<const tls::client_context> make_client() {
  tls::client_options options;
  options.verify = false;
  return *tls::client_context::create(std::move(options));
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool sanitized = true;
#else
constexpr bool sanitized = false;
#endif

} // namespace

TEST_CASE("10 MiB there and back") {
  test_server d;
  const bool tls = GENERATE(false, true);
  const auto port = d.listen(echo, tls ? make_context() : nullptr);
  REQUIRE(port != 0);
  blocking_client client(port);
  if (tls)
    REQUIRE(client.start_tls(make_client(), "localhost"));
  const auto data = pattern(10 * 1024 * 1024);
  if (tls) { // one TLS stream is not for two threads: send and fetch in turn
    std::string back;
    for (std::size_t i = 0; i < data.size(); i += 64 * 1024) {
      const auto part = std::string_view(data).substr(i, 64 * 1024);
      REQUIRE(client.send(part) == part.size());
      back += client.receive(part.size());
    }
    CHECK(back == data);
  } else {
    std::thread sender([&] { client.send(data); });
    const auto back = client.receive(data.size());
    sender.join();
    CHECK(back == data);
  }
}

TEST_CASE("many connections at once") {
  test_server d;
  const auto port = d.listen(echo);
  std::vector<blocking_client> clients;
  for (int i = 0; i < 300; ++i)
    clients.emplace_back(port);
  for (std::size_t i = 0; i < clients.size(); ++i)
    clients[i].send("hello " + std::to_string(i) + "\n");
  for (std::size_t i = 0; i < clients.size(); ++i)
    REQUIRE(clients[i].receive_line() == "hello " + std::to_string(i) + "\n");
  CHECK(live_connections(*d.limiter) == 300);
  clients.clear();
  CHECK(eventually([&] { return live_connections(*d.limiter) == 0; }));
}

TEST_CASE("reading that was paused goes on whenever the session has caught up") {
  test_server d;
  shared s;
  s.may_read = true;
  const auto port = d.listen([&s](session_io& io) { return late_reader(io, s); });
  blocking_client client(port);
  const std::string part(1024 * 1024, 'x');
  constexpr std::size_t parts = 100; // pauses by the hundred
  for (std::size_t i = 0; i < parts; ++i)
    REQUIRE(client.send(part) == part.size());
  client.send("\n");
  CHECK(client.receive_line() == std::to_string(parts * part.size() + 1) + "\n");
}

TEST_CASE("a stop ends connections although their peers do not close") {
  test_server d;
  supervisor_settings supervising;
  supervising.name = "sessions";
  auto sessions = spawn_supervisor(d.system(), std::move(supervising));
  const auto port = d.listen(echo, nullptr, {}, "127.0.0.1", sessions);
  const auto ended_port = d.listen(greet_and_end, nullptr, {}, "127.0.0.1", sessions);
  blocking_client client(port);
  client.send("hello\n");
  REQUIRE(client.receive_line() == "hello\n");
  blocking_client told(ended_port);
  REQUIRE(told.receive_line() == "last words\n");
  REQUIRE(live_connections(*d.limiter) == 2);

  caf::scoped_actor self(d.system());
  std::optional<std::uint64_t> killed;
  const stop_in_order order{20s};
  self->request(sessions, caf::infinite, order).receive([&](std::uint64_t n) { killed = n; }, [](const caf::error&) {});
  CHECK(killed == 0u);
  CHECK(eventually([&] { return live_connections(*d.limiter) == 0; }));
  CHECK(client.at_end());
  CHECK(told.at_end());
}

TEST_CASE("a reader that takes nothing costs bounded memory and is given up") {
  test_server d;
  shared s;
  session_limits limits;
  limits.write_timeout = 500ms;
  const auto port = d.listen([&s](session_io& io) { return flood(io, s); }, nullptr, limits);
  const auto before = mallinfo2().uordblks + mallinfo2().hblkhd;
  blocking_client client(port, false, 16 * 1024);
  auto outcome = s.outcome.get_future();
  REQUIRE(outcome.wait_for(30s) == std::future_status::ready);
  CHECK(outcome.get());
  CHECK(s.written < 32 * 1024 * 1024); // what the kernel takes
  if (!sanitized)
    CHECK(mallinfo2().uordblks + mallinfo2().hblkhd < before + 2 * 1024 * 1024);
}

TEST_CASE("a session that does not read stops its peer; nothing is lost") {
  test_server d;
  shared s;
  const auto port = d.listen([&s](session_io& io) { return late_reader(io, s); });
  blocking_client client(port);
  const auto before = mallinfo2().uordblks + mallinfo2().hblkhd;
  client.limit_time(300);
  const std::string chunk(1024 * 1024, 'x');
  std::size_t sent = 0;
  for (int i = 0; i < 64; ++i) {
    const auto took = client.send(chunk);
    sent += took;
    if (took < chunk.size())
      break;
  }
  CHECK(sent < 64u * 1024 * 1024); // the kernel's buffers were full at some time
  if (!sanitized)
    CHECK(mallinfo2().uordblks + mallinfo2().hblkhd < before + 2 * 1024 * 1024);
  s.may_read = true;
  client.limit_time(5000);
  REQUIRE(client.send("\n") == 1);
  CHECK(client.receive_line() == std::to_string(sent + 1) + "\n");
}

TEST_CASE("what a session wrote before its end arrives, then the end") {
  test_server d;
  const auto port = d.listen(greet_and_end);
  blocking_client client(port);
  client.send("unread input that must not cause a reset");
  CHECK(client.receive_line() == "last words\n");
  CHECK(client.at_end());
  client.close();
  CHECK(eventually([&] { return live_connections(*d.limiter) == 0; }));
}

TEST_CASE("a killed session closes its connection") {
  test_server d;
  shared s;
  const auto port = d.listen([&s](session_io& io) { return tell_handle(io, s); });
  blocking_client client(port);
  auto session = s.session.get_future().get();
  caf::anon_send_exit(session, caf::exit_reason::kill);
  session = nullptr;
  CHECK(client.at_end());
  client.close();
  CHECK(eventually([&] { return live_connections(*d.limiter) == 0; }));
}

TEST_CASE("limits in total and per address") {
  test_server d;
  connection_limits limits;
  limits.total = 3;
  limits.per_address = 2;
  limits.count_loopback = true;
  d.limiter = make_limiter(limits);
  const auto port = d.listen(echo);
  blocking_client first(port);
  blocking_client second(port);
  first.send("1\n");
  second.send("2\n");
  CHECK(first.receive_line() == "1\n");
  CHECK(second.receive_line() == "2\n");
  {
    blocking_client third(port);
    CHECK(third.receive_line() == "421 too many\r\n");
    CHECK(third.at_end());
  }
  second.close();
  REQUIRE(eventually([&] { return live_connections(*d.limiter) == 1; }));
  blocking_client fourth(port);
  fourth.send("4\n");
  CHECK(fourth.receive_line() == "4\n");
}

TEST_CASE("addresses are counted by network") {
  connection_limits limits;
  limits.total = 6;
  limits.per_address = 2;
  auto limiter = make_limiter(limits);
  auto a = limiter->admit("192.0.2.1");
  auto b = limiter->admit("::ffff:192.0.2.1");
  CHECK((a && b));
  CHECK_FALSE(limiter->admit("192.0.2.1"));
  auto c = limiter->admit("2001:db8:1:2::1");
  auto e = limiter->admit("2001:db8:1:2:ffff::2");
  CHECK((c && e));
  CHECK_FALSE(limiter->admit("2001:db8:1:2::3"));
  auto f = limiter->admit("2001:db8:1:3::1");
  auto g = limiter->admit("127.0.0.1");
  CHECK((f && g));
  CHECK_FALSE(limiter->admit("127.0.0.1")); // the total binds all
  a = {};
  CHECK(limiter->admit("192.0.2.1"));
}

TEST_CASE("near the descriptor limit a listener pauses and goes on later") {
  test_server d;
  connection_limits limits;
  limits.reserved_descriptors = 40;
  d.limiter = make_limiter(limits);
  const auto port = d.listen(echo);
  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_NOFILE, &before) == 0);
  const int probe = ::dup(0);
  ::close(probe);
  auto lowered = before;
  lowered.rlim_cur = static_cast<rlim_t>(probe) + 60;
  REQUIRE(setrlimit(RLIMIT_NOFILE, &lowered) == 0);
  std::vector<blocking_client> clients;
  for (int i = 0; i < 30; ++i)
    clients.emplace_back(port); // completed by the kernel, accepted or not
  for (auto& c : clients)
    c.send("x\n");
  CHECK(clients.front().receive_line() == "x\n");
  clients.back().limit_time(100);
  CHECK(clients.back().receive_line().empty()); // not accepted yet
  clients.back().limit_time(5000);
  clients.erase(clients.begin(), clients.begin() + 20);
  for (auto& c : clients)
    CHECK(c.receive_line() == "x\n");
  clients.clear();
  setrlimit(RLIMIT_NOFILE, &before);
}

TEST_CASE("errors of listening name the address") {
  test_server d;
  const auto port = d.listen(echo);
  const auto attempt = [&](const std::string& address, std::uint16_t p) {
    listener_settings settings;
    settings.address = address;
    settings.port = p;
    auto bound = net::listen(d.system(), std::move(settings));
    REQUIRE_FALSE(bound);
    CHECK(bound.error().what.find(address) != std::string::npos);
    return bound.error().code;
  };
  CHECK(attempt("127.0.0.1", port) == errc::in_use);
  CHECK(attempt("localhost", 0) == errc::invalid);
  CHECK(attempt("192.0.2.99", 0) == errc::invalid);
  blocking_client client(port); // CAF forgets a socket for good when it stops before its loop has seen the socket
  client.send("x\n");
  CHECK(client.receive_line() == "x\n");
}

TEST_CASE("IPv6") {
  test_server d;
  std::uint16_t port = 0;
  try {
    port = d.listen(echo, nullptr, {}, "::1");
  } catch (const std::exception& e) {
    WARN("SKIPPED: no IPv6 loopback here: " << e.what());
    return;
  }
  blocking_client client(port, true);
  client.send("six\n");
  CHECK(client.receive_line() == "six\n");
}

TEST_CASE("what an idle TLS session costs in all") {
  test_server d;
  const auto context = make_context();
  const auto client_context = make_client();
  const auto port = d.listen(echo, context);
  std::vector<blocking_client> clients;
  const auto open = [&](int count) {
    for (int i = 0; i < count; ++i) {
      auto& client = clients.emplace_back(port);
      if (!client.start_tls(client_context, "localhost"))
        throw std::runtime_error("no TLS " + std::to_string(clients.size()));
      client.send("hello\n");
      if (client.receive_line() != "hello\n")
        throw std::runtime_error("no echo");
      client.forget_tls();
    }
  };
  clients.reserve(400);
  open(100); // what is made once is made
  const auto before = mallinfo2().uordblks;
  open(300);
  const auto each = (mallinfo2().uordblks - before) / 300;
  WARN("an idle TLS session costs " << each << " octets of heap");
  if (!sanitized)
    CHECK(each < 40 * 1024);
}
