#include "actors/runtime/session.hpp"

#include "base/log.hpp"
#include "tests/support/actors/scripted_peer.hpp"
#include "tests/support/tls/test_certificate.hpp"

using namespace merpati;
using namespace merpati::runtime;
using namespace std::chrono_literals;
using merpati::test::cutting;
using merpati::test::deterministic_system;
using merpati::test::scripted_peer;

namespace {

struct update {
  int n = 0;
};

/// What a session under test noted, and how many of its frames are alive.
struct journal {
  std::vector<std::string> lines;
  int frames = 0;
};

struct frame_witness {
  explicit frame_witness(journal& j) : journal_(j) { ++journal_.frames; }
  ~frame_witness() { --journal_.frames; }
  frame_witness(const frame_witness&) = delete;
  frame_witness& operator=(const frame_witness&) = delete;
  journal& journal_;
};

/// Answers each line with its length; "quit" ends, "throw" throws, "starttls" begins TLS, "big" answers a million
/// octets.
task<void> line_session(session_io& io, journal& log, std::shared_ptr<const tls::server_context> context) {
  frame_witness witness(log);
  io.write_soon("hello\r\n");
  std::string input;
  for (;;) {
    auto event = co_await io.next(30min);
    if (event.is_closed()) {
      log.lines.push_back("closed:" + event.reason());
      co_return;
    }
    if (event.is_timeout()) {
      io.write_soon("too slow\r\n");
      co_return;
    }
    if (event.is_stop()) {
      io.write_soon("stopping\r\n");
      co_return;
    }
    if (event.is_notice()) {
      if (const auto* u = event.notice().get<update>())
        io.write_soon("update " + std::to_string(u->n) + "\r\n");
      continue;
    }
    input += event.data();
    for (auto end = input.find("\r\n"); end != std::string::npos; end = input.find("\r\n")) {
      const auto line = input.substr(0, end);
      input.erase(0, end + 2);
      log.lines.push_back(line);
      if (line == "quit") {
        io.write_soon("bye\r\n");
        co_return;
      }
      if (line == "throw")
        throw std::runtime_error("broken on purpose");
      if (line == "big") {
        const std::string large(1'000'000, 'b');
        auto written = co_await io.write(large);
        log.lines.push_back(written ? "written" : "not written");
        if (!written)
          co_return;
        continue;
      }
      if (line == "starttls") {
        io.write_soon("go ahead\r\n");
        input.clear();
        auto shaken = co_await io.start_tls(context);
        log.lines.push_back(shaken ? "tls" : "no tls: " + std::string(to_string(shaken.error().code)));
        if (!shaken)
          co_return;
        continue;
      }
      io.write_soon(std::to_string(line.size()) + "\r\n");
    }
  }
}

std::shared_ptr<const tls::server_context> make_context(const char* name = "mail.example") {
  auto made = tls::server_context::create({test::make_certificate({name})});
  REQUIRE(made);
  return *made;
}

std::shared_ptr<const tls::client_context> make_client() {
  tls::client_options options;
  options.verify = false;
  return *tls::client_context::create(std::move(options));
}

struct fixture {
  deterministic_system system;
  journal log;

  session_settings settings(std::shared_ptr<const tls::server_context> starttls = nullptr) {
    session_settings made;
    made.root = [this, starttls](session_io& io) { return line_session(io, log, starttls); };
    return made;
  }
};

/// Collects lines at error level while it lives.
struct error_tap {
  std::vector<std::string> lines;
  error_tap() {
    merpati::log::set_tap([this](merpati::log::level l, std::string_view text) {
      if (l == merpati::log::level::error)
        lines.emplace_back(text);
    });
  }
  ~error_tap() { merpati::log::set_tap({}); }
};

} // namespace

TEST_CASE_METHOD(fixture, "a session answers, however its input is cut") {
  const auto how = GENERATE(cutting::whole, cutting::octets, cutting::random);
  {
    scripted_peer peer(system, settings());
    peer.cut(how);
    peer.send("a\r\nbb\r\nccc\r\nquit\r\n");
    CHECK(peer.take() == "hello\r\n1\r\n2\r\n3\r\nbye\r\n");
    CHECK(peer.closed());
    CHECK(peer.ended());
    CHECK_FALSE(peer.end_reason());
  }
  CHECK(log.frames == 0);
}

TEST_CASE_METHOD(fixture, "the connection's end is the session's end, after what had arrived") {
  scripted_peer peer(system, settings());
  caf::anon_send(peer.session(), net::received{net::bytes{'x', '\r', '\n'}});
  peer.close("reset by peer");
  CHECK(log.lines == std::vector<std::string>{"x", "closed:reset by peer"});
  CHECK(peer.ended());
  CHECK(log.frames == 0);
}

TEST_CASE_METHOD(fixture, "a killed session unwinds its frames; nothing is left") {
  scripted_peer peer(system, settings());
  peer.send("a\r\n");
  CHECK(log.frames == 1);
  caf::anon_send_exit(peer.session(), caf::exit_reason::kill);
  system.run();
  CHECK(log.frames == 0);
  CHECK(peer.ended());
  CHECK_FALSE(system.scheduler().has_pending_timeout());
}

TEST_CASE_METHOD(fixture, "a killed connection ends the session") {
  scripted_peer peer(system, settings());
  const auto session = peer.session();
  peer.kill_connection();
  CHECK(log.lines == std::vector<std::string>{"closed:the connection is gone"});
  CHECK(log.frames == 0);
}

TEST_CASE_METHOD(fixture, "an exception ends its session alone and is logged") {
  error_tap errors;
  scripted_peer peer(system, settings());
  journal other_log;
  session_settings other_settings;
  other_settings.root = [&other_log](session_io& io) { return line_session(io, other_log, nullptr); };
  scripted_peer other(system, std::move(other_settings));
  peer.send("throw\r\n");
  CHECK(peer.ended());
  CHECK(peer.closed());
  CHECK(peer.end_reason() == caf::exit_reason::unhandled_exception);
  CHECK(log.frames == 0);
  REQUIRE(errors.lines.size() == 1);
  CHECK(errors.lines.front().find("broken on purpose") != std::string::npos);
  other.send("abc\r\n");
  CHECK(other.take() == "hello\r\n3\r\n");
}

TEST_CASE_METHOD(fixture, "a session that hears nothing times out, by the virtual clock") {
  scripted_peer peer(system, settings());
  system.advance(20min);
  peer.send("a\r\n"); // begins a new wait
  system.advance(20min);
  CHECK_FALSE(peer.ended());
  system.advance(9min + 59s);
  CHECK_FALSE(peer.ended());
  system.advance(1s);
  CHECK(peer.take() == "hello\r\n1\r\ntoo slow\r\n");
  CHECK(peer.ended());
}

TEST_CASE_METHOD(fixture, "notices wake a session, and are bounded") {
  auto s = settings();
  s.limits.notices = 3;
  scripted_peer peer(system, std::move(s));
  const auto sink = caf::actor_cast<notice_sink>(peer.session());
  caf::anon_send(sink, notice::of(std::make_shared<const update>(update{1})));
  caf::anon_send(sink, notice::of(std::make_shared<const std::string>("another type")));
  system.run();
  CHECK(peer.take() == "hello\r\nupdate 1\r\n");
}

TEST_CASE_METHOD(fixture, "next_data leaves notices queued up to the limit") {
  session_settings s;
  s.limits.notices = 2;
  s.root = [](session_io& io) -> task<void> {
    return [](session_io& i) -> task<void> {
      auto first = co_await i.next_data();
      i.write_soon(first.is_data() ? "data " : "? ");
      auto second = co_await i.next();
      auto third = co_await i.next();
      i.write_soon(second.is_notice() && third.is_notice() ? "2 notices " : "? ");
      i.write_soon(i.notices_lost() ? "lost " : "kept ");
      i.write_soon(i.notices_lost() ? "lost" : "kept");
    }(io);
  };
  scripted_peer peer(system, std::move(s));
  for (int n = 0; n < 3; ++n)
    caf::anon_send(peer.session(), notice::of(std::make_shared<const update>(update{n})));
  system.run();
  CHECK_FALSE(peer.ended());
  peer.send("x");
  CHECK(peer.take() == "data 2 notices lost kept");
}

TEST_CASE_METHOD(fixture, "a stop request comes as an event") {
  scripted_peer peer(system, settings());
  caf::anon_send(peer.session(), stop_request{});
  system.run();
  CHECK(peer.take() == "hello\r\nstopping\r\n");
  CHECK(peer.ended());
}

TEST_CASE_METHOD(fixture, "a slow reader holds the session back, and its memory") {
  scripted_peer peer(system, settings());
  peer.acknowledge_at_once(false);
  peer.send("big\r\n");
  const session_limits limits;
  std::size_t most = 0;
  std::size_t total = 0;
  while (log.lines.back() != "written") {
    REQUIRE(peer.unacknowledged() > 0);
    most = std::max<std::size_t>(most, peer.unacknowledged());
    total += peer.take().size();
    peer.acknowledge(10'000);
  }
  CHECK(most <= limits.write_high_water + 32 * 1024);
  CHECK(total <= 1'000'007);
  peer.acknowledge(UINT32_MAX);
  peer.send("after\r\n");
  CHECK(log.lines.back() == "after");
}

TEST_CASE_METHOD(fixture, "input is held back while output is stuck, so that replies cannot pile up") {
  auto s = settings();
  s.limits.write_high_water = 100;
  scripted_peer peer(system, std::move(s));
  peer.acknowledge_at_once(false);
  for (int i = 0; i < 1000; ++i)
    peer.send("x\r\n");
  CHECK(peer.unacknowledged() < 200);
  CHECK(log.lines.size() < 60);
  CHECK(peer.unconsumed() > 2500); // the connection sees it and stops reading at its window
  for (int i = 0; i < 1000 && peer.unacknowledged() > 0; ++i)
    peer.acknowledge(1'000'000);
  CHECK(log.lines.size() == 1000);
}

TEST_CASE_METHOD(fixture, "a peer that takes nothing is given up in time") {
  scripted_peer peer(system, settings());
  peer.acknowledge_at_once(false);
  peer.send("big\r\n");
  system.advance(4min);
  peer.acknowledge(1); // a sign of life
  system.advance(4min);
  CHECK(log.lines.back() == "big");
  system.advance(1min);
  CHECK(log.lines.back() == "not written");
  CHECK(peer.ended());
}

TEST_CASE_METHOD(fixture, "what was consumed is told in large steps") {
  scripted_peer peer(system, settings());
  peer.send(std::string(net::consumed_step - 1, 'x'));
  CHECK(peer.unconsumed() == net::consumed_step - 1);
  peer.send("\r\n");
  CHECK(peer.unconsumed() == 0);
}

// -- TLS --------------------------------------------------------------------------------------------------------------

TEST_CASE_METHOD(fixture, "a whole session under implicit TLS, however its input is cut") {
  const auto how = GENERATE(cutting::whole, cutting::octets, cutting::random);
  auto s = settings();
  s.tls = make_context();
  s.alpn = "imap";
  scripted_peer peer(system, std::move(s));
  peer.cut(how);
  CHECK(peer.take().empty());
  REQUIRE(peer.start_tls(make_client(), "mail.example"));
  CHECK(peer.take() == "hello\r\n");
  peer.send("abc\r\nbig\r\n");
  const auto got = peer.take();
  CHECK(got.size() == 3 + 1'000'000);
  peer.send("quit\r\n");
  CHECK(peer.take() == "bye\r\n");
  CHECK(peer.tls().state() == tls::stream_state::closed); // close_notify came
  CHECK(peer.closed());
  CHECK(peer.ended());
}

TEST_CASE_METHOD(fixture, "a client's hello that is there before the session has started is not lost") {
  auto s = settings();
  s.tls = make_context();
  auto hello_first = *tls::stream::client(make_client(), "mail.example");
  std::vector<char> hello;
  REQUIRE(hello_first.start(hello));
  scripted_peer peer(system, std::move(s), std::string_view(hello.data(), hello.size()));
  CHECK_FALSE(peer.take_raw().empty());
  CHECK_FALSE(peer.ended());
}

TEST_CASE_METHOD(fixture, "STARTTLS drops what was said in clear before it") {
  scripted_peer peer(system, settings(make_context()));
  CHECK(peer.take() == "hello\r\n");
  peer.send("starttls\r\ninjected\r\n");
  CHECK(peer.take() == "go ahead\r\n");
  REQUIRE(peer.start_tls(make_client(), "mail.example"));
  peer.send("xyz\r\n");
  CHECK(peer.take() == "3\r\n");
  CHECK(log.lines == std::vector<std::string>{"starttls", "tls", "xyz"});
}

TEST_CASE_METHOD(fixture, "clear text that comes after STARTTLS breaks the handshake and is never taken") {
  scripted_peer peer(system, settings(make_context()));
  caf::anon_send(peer.session(), net::received{net::bytes{'s', 't', 'a', 'r', 't', 't', 'l', 's', '\r', '\n'}});
  caf::anon_send(peer.session(), net::received{net::bytes{'i', 'n', 'j', 'e', 'c', 't', '\r', '\n'}});
  system.run();
  CHECK(log.lines == std::vector<std::string>{"starttls", "no tls: invalid"});
  CHECK(peer.closed());
  CHECK(peer.ended());
}

TEST_CASE_METHOD(fixture, "garbage instead of TLS closes the connection quietly") {
  error_tap errors;
  auto s = settings();
  s.tls = make_context();
  scripted_peer peer(system, std::move(s));
  peer.send_raw("GET / HTTP/1.1\r\n\r\n");
  CHECK(peer.closed());
  CHECK(peer.ended());
  CHECK(log.lines.empty());
  CHECK(errors.lines.empty());
}

TEST_CASE_METHOD(fixture, "a handshake that takes too long ends") {
  auto s = settings();
  s.tls = make_context();
  scripted_peer peer(system, std::move(s));
  system.advance(59s);
  CHECK_FALSE(peer.ended());
  system.advance(1s);
  CHECK(peer.closed());
  CHECK(peer.ended());
  CHECK(log.lines.empty());
}

TEST_CASE_METHOD(fixture, "a peer that closes its TLS direction still gets the replies") {
  auto s = settings();
  s.tls = make_context();
  scripted_peer peer(system, std::move(s));
  REQUIRE(peer.start_tls(make_client(), "mail.example"));
  peer.send("abcd\r\n");
  CHECK(peer.take() == "hello\r\n4\r\n");
  peer.send_close_notify();
  CHECK(log.lines == std::vector<std::string>{"abcd", "closed:"});
  CHECK(peer.ended());
}

TEST_CASE_METHOD(fixture, "sessions keep the certificate they began with when it is reloaded") {
  auto current = make_context("old.example");
  auto s = settings();
  s.tls = current;
  scripted_peer before(system, std::move(s));
  REQUIRE(before.start_tls(make_client(), "old.example"));
  const auto old_hash = before.tls().tls_server_end_point();
  current = make_context("new.example");
  auto t = settings();
  t.tls = current;
  scripted_peer after(system, std::move(t));
  REQUIRE(after.start_tls(make_client(), "new.example"));
  CHECK(after.tls().tls_server_end_point() != old_hash);
  before.send("ab\r\n");
  CHECK(before.take() == "hello\r\n2\r\n");
}
