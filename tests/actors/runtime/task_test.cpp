#include "actors/runtime/task.hpp"

#include <stdexcept>
#include <string>

#include "tests/support/catch2.hpp"

using merpati::runtime::task;

namespace {

/// Counts the frames that hold one.
struct witness {
  int* alive;
  explicit witness(int& count) : alive(&count) { ++*alive; }
  witness(const witness&) = delete;
  witness& operator=(const witness&) = delete;
  ~witness() { --*alive; }
};

/// Lets a test resume by hand.
struct gate {
  std::coroutine_handle<> waiting;
  struct awaiter {
    gate& owner;
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> h) const noexcept { owner.waiting = h; }
    void await_resume() const noexcept {}
  };
  awaiter operator co_await() noexcept { return awaiter{*this}; }
};

task<int> number(int n) {
  co_return n;
}

task<void> mark(bool& ran) {
  ran = true;
  co_return;
}

task<int> count_down(int n) {
  if (n == 0)
    co_return 0;
  auto rest = co_await count_down(n - 1);
  co_return rest + 1;
}

task<int> loop(int rounds) {
  int sum = 0;
  for (int i = 0; i < rounds; ++i) {
    auto one = co_await number(1);
    sum += one;
  }
  co_return sum;
}

task<int> thrower(std::string what) {
  throw std::runtime_error(what);
  co_return 0;
}

task<std::string> catcher() {
  std::string caught;
  try {
    auto n = co_await thrower("inner");
    caught = std::to_string(n);
  } catch (const std::runtime_error& e) {
    caught = e.what();
  }
  co_return caught;
}

task<void> inner(gate& g, int& alive, bool& reached) {
  witness w(alive);
  co_await g;
  reached = true;
}

task<void> outer(gate& g, int& alive, bool& reached) {
  witness w(alive);
  co_await inner(g, alive, reached);
}

} // namespace

TEST_CASE("a task is lazy") {
  bool ran = false;
  auto t = mark(ran);
  CHECK_FALSE(ran);
  t.start();
  CHECK(ran);
  CHECK(t.done());
}

TEST_CASE("values and exceptions travel to the awaiter") {
  auto t = catcher();
  t.start();
  CHECK(t.take() == "inner");
  auto u = thrower("outer");
  u.start();
  CHECK(u.done());
  CHECK_THROWS_AS(u.take(), std::runtime_error);
}

#if defined(__OPTIMIZE__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
constexpr int many = 1'000'000; // symmetric transfer is a tail call only in optimised builds
#else
constexpr int many = 1'000;
#endif

TEST_CASE("many tasks that finish at once") {
  auto t = loop(many);
  t.start();
  CHECK(t.take() == many);
  auto deep = count_down(1'000);
  deep.start();
  CHECK(deep.take() == 1'000);
}

TEST_CASE("destroying a waiting task destroys its frames, innermost first") {
  gate g;
  int alive = 0;
  bool reached = false;
  {
    auto t = outer(g, alive, reached);
    t.start();
    CHECK(alive == 2);
  }
  CHECK(alive == 0);
  CHECK_FALSE(reached);
}

TEST_CASE("a waiting task goes on where it stood") {
  gate g;
  int alive = 0;
  bool reached = false;
  auto t = outer(g, alive, reached);
  t.start();
  g.waiting.resume();
  CHECK(reached);
  CHECK(t.done());
  CHECK(alive == 0);
}

TEST_CASE("a task moves") {
  auto t = number(3);
  auto u = std::move(t);
  CHECK_FALSE(t);
  u.start();
  CHECK(u.take() == 3);
  u = number(4);
  u.start();
  CHECK(u.take() == 4);
}
