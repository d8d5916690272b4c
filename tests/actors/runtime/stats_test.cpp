#include "actors/runtime/stats.hpp"

#include <thread>

#include "tests/support/actors/deterministic_system.hpp"

using namespace merpati::runtime;
using merpati::test::deterministic_system;

namespace {

const actor_stats* find(const std::vector<actor_stats>& all, std::uint64_t id) {
  for (const auto& each : all) {
    if (each.id == id)
      return &each;
  }
  return nullptr;
}

kind_stats total(std::string_view kind) {
  for (auto& each : totals()) {
    if (each.kind == kind)
      return each;
  }
  return {};
}

struct counted_state {
  stats_handle stats;
};

caf::behavior counted_behavior(caf::stateful_actor<counted_state>* self) {
  self->state.stats = stats_handle::add(self->id(), "counted");
  return {self->state.stats.counted(self, [](int n) { return n + 1; }),
          self->state.stats.counted(self, [](const std::string& s) { return s; })};
}

} // namespace

TEST_CASE("an actor shows while it lives and its sums stay") {
  {
    auto handle = stats_handle::add(900'001, "stats-a", "192.0.2.1", 7);
    handle.add_handled(100);
    handle.add_handled(50);
    handle.set_mailbox_depth(3);
    handle.add_restart();
    handle.set_label("alice@example.org");
    handle.set_error("lost");
    const auto all = snapshot();
    const auto* seen = find(all, 900'001);
    REQUIRE(seen != nullptr);
    CHECK(seen->kind == "stats-a");
    CHECK(seen->label == "alice@example.org");
    CHECK(seen->parent == 7);
    CHECK(seen->handled == 2);
    CHECK(seen->busy_ns == 150);
    CHECK(seen->mailbox_depth == 3);
    CHECK(seen->restarts == 1);
    CHECK(seen->last_error == "lost");
    CHECK(seen->started_us > 1'600'000'000'000'000);
    CHECK(total("stats-a").alive == 1);
    auto moved = std::move(handle);
    CHECK(find(snapshot(), 900'001) != nullptr);
  }
  CHECK(find(snapshot(), 900'001) == nullptr);
  const auto sum = total("stats-a");
  CHECK(sum.alive == 0);
  CHECK(sum.started == 1);
  CHECK(sum.failed == 1);
  CHECK(sum.handled == 2);
  CHECK(sum.busy_ns == 150);
  CHECK(sum.last_error == "lost");
}

TEST_CASE("restarts are known before or after the actor registers") {
  record_restarts(900'002, 4);
  auto early = stats_handle::add(900'002, "stats-b");
  auto late = stats_handle::add(900'003, "stats-b");
  record_restarts(900'003, 2);
  const auto all = snapshot();
  CHECK(find(all, 900'002)->restarts == 4);
  CHECK(find(all, 900'003)->restarts == 2);
}

TEST_CASE("an empty handle does nothing") {
  stats_handle none;
  none.add_handled(1);
  none.set_label("x");
  none.set_error("x");
  none.add_restart();
  SUCCEED();
}

TEST_CASE("wrapped handlers keep their types and are counted") {
  deterministic_system system;
  auto actor = system.system().spawn(counted_behavior);
  caf::scoped_actor self(system.system());
  self->send(actor, 41);
  self->send(actor, "text");
  system.run();
  int got = 0;
  std::string text;
  self->receive([&](int n) { got = n; });
  self->receive([&](const std::string& s) { text = s; });
  CHECK(got == 42);
  CHECK(text == "text");
  CHECK(find(snapshot(), actor.id())->handled == 2);
  caf::anon_send_exit(actor, caf::exit_reason::kill);
  actor = nullptr;
}

TEST_CASE("readers and writers on several threads") {
  std::atomic<bool> stop{false};
  std::atomic<bool> went_back{false};
  std::thread reader([&] {
    while (!stop) {
      std::uint64_t before = total("stats-c").handled;
      if (total("stats-c").handled < before)
        went_back = true;
      (void)snapshot();
    }
  });
  std::vector<std::thread> writers;
  for (std::uint64_t t = 0; t < 3; ++t) {
    writers.emplace_back([t] {
      for (std::uint64_t i = 0; i < 200; ++i) {
        auto handle = stats_handle::add(910'000 + t * 1000 + i, "stats-c", "label");
        for (int n = 0; n < 10; ++n)
          handle.add_handled(1);
        handle.set_label("changed");
      }
    });
  }
  for (auto& w : writers)
    w.join();
  stop = true;
  reader.join();
  CHECK_FALSE(went_back);
  CHECK(total("stats-c").handled == 6000);
  CHECK(total("stats-c").alive == 0);
}
