#include "actors/runtime/coroutine_host.hpp"

#include "actors/runtime/reply_promise.hpp"
#include "tests/support/actors/deterministic_system.hpp"

using namespace merpati;
using namespace merpati::runtime;
using namespace std::chrono_literals;
using merpati::test::deterministic_system;

namespace {

struct question {
  int n = 0;
};
struct answer {
  int n = 0;
};

} // namespace

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(question)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(answer)

namespace {

using service = caf::typed_actor<caf::replies_to<question>::with<answer>, caf::replies_to<int>::with<void>>;

struct silent_state {
  std::vector<reply_promise<answer>> owed;
};

/// Answers even numbers, owes odd ones, throws at 13 and refuses negative ones.
caf::behavior service_behavior(caf::stateful_actor<silent_state>* self) {
  self->set_exception_handler([](std::exception_ptr&) -> caf::error { return caf::exit_reason::unhandled_exception; });
  return {[self](const question& q) {
            if (q.n == 13)
              throw std::runtime_error("unlucky");
            reply_promise<answer> promise(self);
            if (q.n < 0)
              promise.fail(caf::sec::invalid_argument);
            else if (q.n % 2 == 0)
              promise.deliver(answer{q.n * 10});
            else
              self->state.owed.push_back(std::move(promise));
          },
          [](int) {}};
}

struct log_of {
  std::vector<std::string> lines;
  int frames = 0;
  bool ended = false;
};

struct frame_witness {
  explicit frame_witness(log_of& log) : log_(log) { ++log_.frames; }
  ~frame_witness() { --log_.frames; }
  frame_witness(const frame_witness&) = delete;
  frame_witness& operator=(const frame_witness&) = delete;
  log_of& log_;
};

struct agent_state {
  explicit agent_state(caf::event_based_actor* self) : host(self) {}
  const char* name = "agent";
  coroutine_host host;
};

using agent = caf::stateful_actor<agent_state>;
using script = std::function<task<void>(coroutine_host&, log_of&)>;

caf::behavior agent_behavior(agent* self, script run, log_of* log) {
  caf::anon_send(self, caf::unit);
  return {[self, run, log](caf::unit_t) {
    self->state.host.start(run(self->state.host, *log), [self, log](std::exception_ptr failure) {
      log->ended = true;
      self->quit(failure ? caf::error(caf::exit_reason::unhandled_exception) : caf::error());
    });
  }};
}

std::string told(const result<answer>& r) {
  return r ? std::to_string(r->n) : std::string(to_string(r.error().code));
}

struct fixture {
  deterministic_system system;
  log_of log;
  service asked = caf::actor_cast<service>(system.system().spawn(service_behavior));

  ~fixture() { caf::anon_send_exit(asked, caf::exit_reason::user_shutdown); }
  caf::actor start(script run) {
    auto made = system.system().spawn(agent_behavior, std::move(run), &log);
    system.run();
    return made;
  }
};

} // namespace

TEST_CASE_METHOD(fixture, "ask gives the reply or the reason why there is none") {
  start([this](coroutine_host& host, log_of& to) -> task<void> {
    return [](coroutine_host& h, log_of& l, service s) -> task<void> {
      const question even(question{4});
      auto a = co_await h.ask<answer>(s, even);
      l.lines.push_back(told(a));
      const question negative(question{-1});
      auto b = co_await h.ask<answer>(s, negative);
      l.lines.push_back(told(b));
      auto c = co_await h.ask<void>(s, 1);
      l.lines.push_back(c ? "done" : "failed");
      auto d = co_await h.ask<std::string>(s, even); // the wrong type of reply
      l.lines.push_back(std::string(to_string(d.error().code)));
      const question unlucky(question{13});
      auto e = co_await h.ask<answer>(s, unlucky); // dies of it
      l.lines.push_back(told(e));
      auto f = co_await h.ask<answer>(s, even); // is dead
      l.lines.push_back(told(f));
      service nobody;
      auto g = co_await h.ask<answer>(nobody, even);
      l.lines.push_back(told(g));
    }(host, to, asked);
  });
  CHECK(log.ended);
  CHECK(log.lines
        == std::vector<std::string>{"40", "internal", "done", "internal", "unavailable", "unavailable", "unavailable"});
}

TEST_CASE_METHOD(fixture, "ask_for gives up in time and a late answer disturbs nothing") {
  start([this](coroutine_host& host, log_of& to) -> task<void> {
    return [](coroutine_host& h, log_of& l, service s) -> task<void> {
      const question odd(question{3});
      auto a = co_await h.ask_for<answer>(10s, s, odd);
      l.lines.push_back(told(a));
      caf::anon_send_exit(s, caf::exit_reason::user_shutdown); // answers what it owes, with an error
      co_await h.sleep(1s);
      l.lines.push_back("slept");
    }(host, to, asked);
  });
  CHECK(log.lines.empty());
  system.advance(9s);
  CHECK(log.lines.empty());
  system.advance(1s);
  CHECK(log.lines == std::vector<std::string>{"unavailable"});
  CHECK_FALSE(log.ended);
  system.advance(1s);
  CHECK(log.lines.back() == "slept");
  CHECK(log.ended);
}

TEST_CASE_METHOD(fixture, "an answer that is owed by an actor that dies is an error, not silence") {
  start([this](coroutine_host& host, log_of& to) -> task<void> {
    return [](coroutine_host& h, log_of& l, service s) -> task<void> {
      const question odd(question{5});
      auto a = co_await h.ask<answer>(s, odd);
      l.lines.push_back(told(a));
    }(host, to, asked);
  });
  CHECK(log.lines.empty());
  caf::anon_send_exit(asked, caf::exit_reason::kill);
  system.run();
  CHECK(log.lines == std::vector<std::string>{"unavailable"});
}

TEST_CASE_METHOD(fixture, "sleeps of any length follow each other in time") {
  start([](coroutine_host& host, log_of& to) -> task<void> {
    return [](coroutine_host& h, log_of& l) -> task<void> {
      for (auto d : {1000s, 1s, 500s, 0s, 2s}) {
        co_await h.sleep(d);
        l.lines.push_back(std::to_string(d.count()));
      }
    }(host, to);
  });
  system.advance(999s);
  CHECK(log.lines.empty());
  system.advance(1s);
  CHECK(log.lines.size() == 1);
  system.advance(1s);
  CHECK(log.lines.size() == 2);
  system.advance(499s);
  CHECK(log.lines.size() == 2);
  system.advance(1s);
  CHECK(log.lines.size() == 4);
  system.advance(2s);
  CHECK(log.ended);
}

TEST_CASE_METHOD(fixture, "killing the actor unwinds all frames and leaves no timer that holds it") {
  auto made = start([](coroutine_host& host, log_of& to) -> task<void> {
    struct nested {
      static task<void> inner(coroutine_host& h, log_of& l) {
        frame_witness w(l);
        co_await h.sleep(24h);
        l.lines.push_back("never");
      }
      static task<void> outer(coroutine_host& h, log_of& l) {
        frame_witness w(l);
        co_await inner(h, l);
      }
    };
    return nested::outer(host, to);
  });
  CHECK(log.frames == 2);
  CHECK(system.scheduler().has_pending_timeout());
  caf::anon_send_exit(made, caf::exit_reason::kill);
  made = nullptr;
  system.run();
  CHECK(log.frames == 0);
  CHECK_FALSE(log.ended);
  CHECK(log.lines.empty());
  CHECK_FALSE(system.scheduler().has_pending_timeout());
}

TEST_CASE_METHOD(fixture, "an exception out of the root reaches the actor") {
  start([](coroutine_host& host, log_of& to) -> task<void> {
    return [](coroutine_host& h, log_of& l) -> task<void> {
      frame_witness w(l);
      co_await h.sleep(1s);
      throw std::runtime_error("broken");
    }(host, to);
  });
  system.advance(1s);
  CHECK(log.ended);
  CHECK(log.frames == 0);
}
