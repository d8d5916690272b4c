// A message for 1,000 mailboxes with three fronts: whatever fails and whenever the process dies, all have it or none.
#include <csignal>

#include <sys/wait.h>

#include "tests/storage/disk_double.hpp"
#include "tests/storage/shard_fixture.hpp"

using namespace merpati;
using namespace merpati::storage;
using namespace merpati::storage::testing;

namespace {

constexpr std::size_t members = 1'000;
const std::string text = "to all of you" + std::string(5'000, '.');
const std::array<std::string, 3> headers{"", "List-Id: <a.example.org>\r\n", "List-Id: <b.example.org>\r\n"};

add_message to_all(const std::vector<account_id>& people, std::uint8_t number) {
  auto m = message_to({}, text);
  m.delivery.fill(number);
  m.fronts.clear();
  m.targets.clear();
  for (const auto& header : headers)
    m.fronts.push_back({header, summary_of(header + text)});
  for (std::size_t i = 0; i < people.size(); ++i) {
    target t;
    t.account = people[i];
    t.create = true;
    t.front = static_cast<std::uint32_t>(i % headers.size());
    m.targets.push_back(t);
  }
  m.waiting.push_back({"example.net", at(5), "details", 2});
  return m;
}

std::vector<account_id> make_members(const shard_options& options) {
  std::vector<mutation> made;
  for (std::size_t i = 0; i < members; ++i) {
    put_account one;
    one.account.name = "m" + std::to_string(i) + "@example.org";
    made.emplace_back(one);
  }
  std::vector<account_id> people;
  auto s = open_shard(options);
  for (const auto& answer : s->apply(made))
    people.push_back(answer.value().account);
  return people;
}

/// The message in a file of its own, as a large one arrives; false where that failed.
bool spool_into(shard& s, add_message& m, std::optional<spool_file>& spool) {
  auto started = s.start_spool();
  if (!started || !started->append(text))
    return false;
  auto finished = started->finish();
  if (!finished)
    return false;
  m.body = *finished;
  spool.emplace(std::move(*started));
  return true;
}

/// How many messages each member has; all of them have as many, with their front, and one row waits for each.
std::uint32_t copies(const shard& s, const std::vector<account_id>& people) {
  auto view = s.read();
  REQUIRE(view.has_value());
  std::uint32_t each = 0;
  for (std::size_t i = 0; i < people.size(); ++i) {
    auto box = view->mailbox(people[i], "INBOX");
    auto here = box ? box->messages : 0;
    if (i == 0)
      each = here;
    REQUIRE(here == each);
    if (here > 0 && i < 2 * headers.size())
      REQUIRE(message_text(s, box->id, uid(here)) == headers[i % headers.size()] + text);
  }
  std::uint32_t waiting = 0;
  view->waiting_by_due(at(0), [&](const waiting_row&) { return ++waiting, true; });
  REQUIRE(waiting == each);
  return each;
}

/// What became of `folder` after a message whose answer was `stored` (nothing: it was not heard). Then it is sent
/// again, as its sender would.
void judge(const shard_options& options, const std::vector<account_id>& people, std::optional<bool> stored) {
  require_clean(options);
  auto s = open_shard(options);
  auto each = copies(*s, people);
  if (stored)
    REQUIRE(each == (*stored ? 1u : 0u));
  REQUIRE(each <= 1);
  auto again = must(*s, to_all(people, 1));
  REQUIRE(again.repeated == (each == 1));
  REQUIRE(again.places.size() == members);
  REQUIRE(copies(*s, people) == 1);
  s.reset();
  require_clean(options);
}

} // namespace

TEST_CASE("each call on the disk fails once while a list's message is stored: all or nothing") {
  for (bool large : {false, true}) {
    for (std::uint64_t n = 1;; ++n) {
      INFO((large ? "spooled" : "in memory") << ", call " << n);
      temporary_folder folder;
      auto options = small_options(folder.path());
      auto people = make_members(options);
      auto s = open_shard(options);
      mutation m = to_all(people, 1);
      std::optional<spool_file> spool;
      disk::fail_call(n, EIO);
      bool stored = !large || spool_into(*s, std::get<add_message>(m), spool);
      stored = stored && s->apply({&m, 1})[0].has_value();
      bool reached = disk::calls() >= n;
      disk::fail_call(0, 0);
      REQUIRE(copies(*s, people) == (stored ? 1u : 0u));
      spool.reset();
      s.reset();
      judge(options, people, stored);
      if (!reached) {
        REQUIRE(stored);
        break;
      }
    }
  }
}

TEST_CASE("SIGKILL before each call on the disk while a list's message is stored: all or nothing") {
  for (bool large : {false, true}) {
    for (std::uint64_t n = 1;; ++n) {
      INFO((large ? "spooled" : "in memory") << ", call " << n);
      temporary_folder folder;
      auto options = small_options(folder.path());
      auto people = make_members(options);
      auto child = ::fork();
      REQUIRE(child >= 0);
      if (child == 0) {
        auto s = shard::open(options);
        mutation m = to_all(people, 1);
        std::optional<spool_file> spool;
        disk::kill_at_call(n);
        bool stored = s && (!large || spool_into(**s, std::get<add_message>(m), spool));
        ::_exit(stored && (*s)->apply({&m, 1})[0].has_value() ? 0 : 1);
      }
      int status = 0;
      REQUIRE(::waitpid(child, &status, 0) == child);
      if (WIFEXITED(status)) {
        REQUIRE(WEXITSTATUS(status) == 0);
        judge(options, people, true);
        break;
      }
      REQUIRE(WTERMSIG(status) == SIGKILL);
      judge(options, people, std::nullopt);
    }
  }
}
