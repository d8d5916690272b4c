#include "actors/runtime/supervisor.hpp"

#include <map>

#include "actors/runtime/stats.hpp"
#include "tests/support/actors/deterministic_system.hpp"

using namespace merpati::runtime;
using namespace std::chrono_literals;
using merpati::test::deterministic_system;

namespace {

struct die {
  bool with_error = true;
};

} // namespace

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(die)

namespace {

struct diary {
  std::vector<std::string> lines;
  std::map<std::string, int> started;
  std::map<std::string, std::uint64_t> parents;
};

/// `stubborn`: does not stop when asked.
caf::behavior child_behavior(caf::event_based_actor* self, std::string name, diary* notes, bool stubborn) {
  ++notes->started[name];
  self->attach_functor([name, notes] { notes->lines.push_back(name + " ended"); });
  return {
      [self](die d) { self->quit(d.with_error ? caf::error(caf::exit_reason::unhandled_exception) : caf::error()); },
      [self, name, notes, stubborn](stop_request) {
        notes->lines.push_back(name + " told");
        if (!stubborn)
          self->quit();
      }};
}

struct fixture {
  deterministic_system system;
  diary notes;
  std::vector<std::string> escalated;
  supervisor_actor top;

  ~fixture() {
    caf::anon_send_exit(top, caf::exit_reason::kill);
    top = nullptr;
    system.run();
  }

  child_spec spec(const std::string& name, restart_policy policy = restart_policy::permanent, bool stubborn = false) {
    child_spec made;
    made.name = name;
    made.restart = policy;
    made.slot = std::make_shared<actor_slot>();
    made.factory = [this, name, stubborn](caf::actor_system& sys, std::uint64_t parent) {
      notes.parents[name] = parent;
      return caf::actor(sys.spawn(child_behavior, name, &notes, stubborn));
    };
    return made;
  }

  void start(std::vector<child_spec> children) {
    supervisor_settings settings;
    settings.name = "top";
    settings.children = std::move(children);
    settings.on_escalation = [this](const std::string& why) { escalated.push_back(why); };
    top = spawn_supervisor(system, std::move(settings));
    system.run();
  }

  std::uint64_t count() {
    caf::scoped_actor self(system.system());
    std::uint64_t got = 0;
    auto handle = self->request(top, caf::infinite, count_children{});
    system.run();
    handle.receive([&](std::uint64_t n) { got = n; }, [](const caf::error&) { FAIL("no count"); });
    return got;
  }
};

} // namespace

TEST_CASE_METHOD(fixture, "restart policies") {
  auto p = spec("p", restart_policy::permanent);
  auto t = spec("t", restart_policy::transient);
  auto o = spec("o", restart_policy::temporary);
  const auto slots = std::vector{p.slot, t.slot, o.slot};
  start({p, t, o});
  CHECK(count() == 3);
  CHECK(notes.parents["p"] == top.id());
  const auto first = slots[0]->get();
  for (const auto& slot : slots)
    caf::anon_send(slot->get(), die{false});
  system.run();
  CHECK(notes.started["p"] == 2);
  CHECK(notes.started["t"] == 1);
  CHECK(notes.started["o"] == 1);
  CHECK(slots[0]->get() != first);
  CHECK_FALSE(slots[1]->get());
  CHECK(count() == 1);
  caf::anon_send(slots[0]->get(), die{true});
  system.advance(1s);
  CHECK(notes.started["p"] == 3);
  CHECK(escalated.empty());
}

TEST_CASE_METHOD(fixture, "a transient child is started again after a failure") {
  auto t = spec("t", restart_policy::transient);
  const auto slot = t.slot;
  start({t});
  caf::anon_send(slot->get(), die{true});
  system.run();
  CHECK(notes.started["t"] == 2);
}

TEST_CASE_METHOD(fixture, "the budget: so many restarts in so long, then the failure climbs") {
  auto a = spec("a");
  a.restarts = 3;
  a.within = 60s;
  const auto slot = a.slot;
  auto bystander = spec("bystander");
  start({a, bystander});
  for (int i = 0; i < 3; ++i) {
    caf::anon_send(slot->get(), die{true});
    system.advance(5s);
  }
  CHECK(notes.started["a"] == 4);
  CHECK(escalated.empty());
  system.advance(120s); // the restarts are forgotten
  for (int i = 0; i < 3; ++i) {
    caf::anon_send(slot->get(), die{true});
    system.advance(5s);
  }
  CHECK(notes.started["a"] == 7);
  CHECK(escalated.empty());
  caf::anon_send(slot->get(), die{true});
  system.run();
  REQUIRE(escalated.size() == 1);
  CHECK(escalated.front().find("a ended more than 3 times") != std::string::npos);
  CHECK(notes.started["bystander"] == 1);
  CHECK(std::find(notes.lines.begin(), notes.lines.end(), "bystander ended") != notes.lines.end());
  CHECK_FALSE(slot->get());
}

TEST_CASE_METHOD(fixture, "restarts slow down") {
  auto a = spec("a");
  a.restart_delay = 1s;
  const auto slot = a.slot;
  start({a});
  caf::anon_send(slot->get(), die{true});
  system.run();
  CHECK(notes.started["a"] == 2); // at once
  caf::anon_send(slot->get(), die{true});
  system.run();
  CHECK(notes.started["a"] == 2);
  system.advance(1s);
  CHECK(notes.started["a"] == 3);
  caf::anon_send(slot->get(), die{true});
  system.advance(1s);
  CHECK(notes.started["a"] == 3);
  system.advance(1s);
  CHECK(notes.started["a"] == 4);
}

TEST_CASE_METHOD(fixture, "a factory that fails uses up the budget") {
  auto a = spec("a");
  int calls = 0;
  a.factory = [&calls](caf::actor_system&, std::uint64_t) -> caf::actor {
    ++calls;
    throw std::runtime_error("port in use");
  };
  a.restarts = 4;
  start({a});
  for (int i = 0; i < 10; ++i)
    system.advance(1s);
  CHECK(calls == 5);
  REQUIRE(escalated.size() == 1);
  CHECK(escalated.front().find("port in use") != std::string::npos);
}

TEST_CASE_METHOD(fixture, "a supervisor that gives up is a failure of its own supervisor") {
  auto inner_child = spec("child");
  inner_child.restarts = 0;
  const auto slot = inner_child.slot;
  child_spec inner;
  inner.name = "inner";
  inner.factory = [inner_child](caf::actor_system& sys, std::uint64_t parent) {
    supervisor_settings settings;
    settings.name = "inner";
    settings.parent = parent;
    settings.children = {inner_child};
    return caf::actor_cast<caf::actor>(spawn_supervisor(sys, std::move(settings)));
  };
  start({inner});
  caf::anon_send(slot->get(), die{true});
  system.run();
  CHECK(notes.started["child"] == 2); // by a new inner supervisor
  CHECK(escalated.empty());
  CHECK(count() == 1);
}

TEST_CASE_METHOD(fixture, "ordered stop goes phase by phase") {
  auto listener = spec("listener");
  auto queue = spec("queue");
  auto writer = spec("writer");
  listener.phase = 0;
  queue.phase = 2;
  writer.phase = 3;
  writer.takes_stop_request = false;
  start({writer, queue, listener});
  auto session = system.system().spawn(child_behavior, "session", &notes, false);
  caf::anon_send(top, adopt_child{session, 1});
  session = nullptr;
  system.run();
  CHECK(count() == 4);
  caf::anon_send(top, stop_request{});
  system.run();
  CHECK(notes.lines
        == std::vector<std::string>{"listener told", "listener ended", "session told", "session ended", "queue told",
                                    "queue ended", "writer ended"});
  CHECK(notes.started["listener"] == 1);
}

TEST_CASE_METHOD(fixture, "whoever does not stop in time is killed, the later phases get their time") {
  auto first = spec("first", restart_policy::permanent, true);
  auto last = spec("last");
  last.phase = 1;
  start({first, last});
  caf::scoped_actor self(system.system());
  auto handle = self->request(top, caf::infinite, stop_in_order{10s});
  system.run();
  CHECK(notes.lines == std::vector<std::string>{"first told"});
  system.advance(4s);
  CHECK(notes.lines == std::vector<std::string>{"first told"});
  system.advance(1s);
  CHECK(notes.lines == std::vector<std::string>{"first told", "first ended", "last told", "last ended"});
  handle.receive([](std::uint64_t killed) { CHECK(killed == 1); }, [](const caf::error&) { FAIL("no answer"); });
}

TEST_CASE_METHOD(fixture, "an adopted child is not started again, and one that comes too late is told to stop") {
  start({spec("service", restart_policy::permanent, true)});
  auto guest = system.system().spawn(child_behavior, "guest", &notes, false);
  caf::anon_send(top, adopt_child{guest, 1});
  system.run();
  CHECK(count() == 2);
  caf::anon_send(guest, die{true});
  guest = nullptr;
  system.run();
  CHECK(count() == 1);
  caf::anon_send(top, stop_in_order{10s});
  system.run();
  auto late = system.system().spawn(child_behavior, "late", &notes, false);
  caf::anon_send(top, adopt_child{late, 1});
  late = nullptr;
  system.run();
  CHECK(notes.lines == std::vector<std::string>{"guest ended", "service told", "late told", "late ended"});
  system.advance(10s);
}

TEST_CASE_METHOD(fixture, "children die with a supervisor that is killed") {
  start({spec("a"), spec("b")});
  caf::anon_send_exit(top, caf::exit_reason::kill);
  system.run();
  CHECK(notes.lines.size() == 2);
}
