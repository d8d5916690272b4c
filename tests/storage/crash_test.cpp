// Calls that fail, power cuts and SIGKILL: what was answered is there, and fsck agrees.
#include <csignal>
#include <fstream>
#include <sstream>

#include <sys/wait.h>

#include "base/log.hpp"
#include "tests/storage/disk_double.hpp"
#include "tests/storage/model.hpp"
#include "tests/storage/shard_fixture.hpp"

using namespace merpati;
using namespace merpati::storage;
using namespace merpati::storage::testing;

namespace {

/// A delivery in memory, one from a spool file, flags, a removal: every kind of call on the disk.
bool exercise(shard& s, model& expected, std::mt19937_64& random) {
  bool all = true;
  for (int i = 0; i < 4; ++i) {
    std::vector<mutation> batch;
    for (int n = 0; n < 3; ++n)
      batch.push_back(expected.random_mutation(random));
    all = expected.apply(s, batch) && all;
  }
  return all;
}

bool deliver_large(shard& s, account_id who, std::map<std::uint32_t, std::string>& stored, std::uint32_t round) {
  auto text = "large " + std::to_string(round) + std::string(5000, 'L');
  auto spool = s.start_spool();
  if (!spool || !spool->append(text))
    return false;
  auto finished = spool->finish();
  if (!finished)
    return false;
  auto m = message_to(who, "", "large");
  m.body = *finished;
  mutation as_mutation = m;
  auto answers = s.apply({&as_mutation, 1});
  if (!answers[0])
    return false;
  stored[answers[0]->places[0].id.value] = text;
  return true;
}

/// Messages of mailbox "large" against what was answered; the last one may be there unanswered.
void compare_large(const shard& s, account_id who, const std::map<std::uint32_t, std::string>& stored) {
  auto box = s.read()->mailbox(who, "large");
  if (!box) {
    REQUIRE(stored.empty());
    return;
  }
  for (const auto& [which, text] : stored)
    REQUIRE(message_text(s, box->id, uid(which)) == text);
  REQUIRE(box->messages == stored.size());
}

} // namespace

TEST_CASE("each call on the disk fails once, and answers and store agree") {
  for (int number : {ENOSPC, EIO}) {
    for (std::uint64_t n = 1;; ++n) {
      INFO("call " << n << " fails with " << number);
      std::mt19937_64 random(7);
      temporary_folder folder;
      auto options = small_options(folder.path());
      options.segment_bytes = 8 << 10;
      auto s = open_shard(options);
      auto large = add_account(*s, "large@example.org");
      model expected;
      expected.owners = {add_account(*s, "a@example.org")};
      std::map<std::uint32_t, std::string> stored;
      exercise(*s, expected, random);
      REQUIRE(deliver_large(*s, large, stored, 0));

      disk::fail_call(n, number);
      bool good = exercise(*s, expected, random);
      good = deliver_large(*s, large, stored, 1) && good;
      bool compacted = s->compact(1 << 20).has_value();
      auto calls = disk::calls();
      disk::fail_call(0, 0);
      bool reached = calls >= n;
      expected.compare(*s);
      compare_large(*s, large, stored);
      // It goes on afterwards, in this process and in the next.
      REQUIRE(exercise(*s, expected, random));
      REQUIRE(deliver_large(*s, large, stored, 2));
      s.reset();
      require_clean(options);
      s = open_shard(options);
      expected.compare(*s);
      compare_large(*s, large, stored);
      if (!reached) {
        REQUIRE(good);
        REQUIRE(compacted);
        break;
      }
    }
  }
}

TEST_CASE("a shard whose making fails is made at the next start") {
  for (std::uint64_t n = 1;; ++n) {
    INFO("call " << n);
    temporary_folder folder;
    auto options = small_options(folder.path() / "new");
    disk::fail_call(n, EIO);
    auto opened = shard::open(options);
    bool reached = disk::calls() >= n;
    disk::fail_call(0, 0);
    opened = fail(errc::internal, "");
    auto s = open_shard(options);
    auto alice = add_account(*s, "alice@example.org");
    must(*s, message_to(alice, "x"));
    s.reset();
    require_clean(options);
    if (!reached)
      break;
  }
}

namespace {

/// Number of images in which something that was answered is missing or wrong.
int losses_after_power_cuts(bool ignoring_syncs, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  temporary_folder folder;
  auto options = small_options(folder.path() / "live");
  options.segment_bytes = 16 << 10;
  int losses = 0;
  auto s = open_shard(options);
  auto alice = add_account(*s, "alice@example.org");
  std::map<std::uint32_t, std::string> stored;
  disk::record(options.folder);
  disk::ignore_syncs(ignoring_syncs);
  for (std::uint32_t round = 0; round < 25; ++round) {
    if (round % 3 == 2) {
      deliver_large(*s, alice, stored, round);
    } else {
      auto text = std::to_string(round) + std::string(random() % 4000, 't');
      std::vector<mutation> batch{message_to(alice, text, "large"), message_to(alice, text, "other")};
      auto answers = s->apply(batch);
      REQUIRE(answers[0].has_value());
      stored[answers[0]->places[0].id.value] = text;
    }
    auto image_options = options;
    image_options.folder = folder.path() / ("image" + std::to_string(round));
    std::filesystem::create_directories(image_options.folder);
    disk::power_cut_image(image_options.folder, random);
    disk::stop();
    auto check = [&] {
      auto image = shard::open(image_options);
      if (!image)
        return false;
      auto view = (*image)->read();
      auto box = view ? view->mailbox(alice, "large") : std::nullopt;
      for (const auto& [which, text] : stored) {
        auto row = box ? view->message(box->id, uid(which)) : std::nullopt;
        auto body = row ? view->body(row->body) : std::nullopt;
        auto reader = body ? (*image)->open_body(*body) : fail(errc::not_found, "");
        std::string octets(text.size(), '\0');
        if (!reader || !reader->read(0, octets) || octets != text)
          return false;
      }
      view = fail(errc::invalid, "");
      image->reset();
      auto report = fsck(image_options, fsck_mode::verify, summary_of);
      if (report)
        UNSCOPED_INFO(describe(*report));
      return report && report->findings.empty();
    };
    if (!check())
      ++losses;
    std::filesystem::remove_all(image_options.folder);
    if (ignoring_syncs && losses > 0)
      break;
    disk::resume();
  }
  disk::stop();
  return losses;
}

} // namespace

TEST_CASE("nothing that was answered is lost in a power cut") {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    INFO("seed " << seed);
    REQUIRE(losses_after_power_cuts(false, seed) == 0);
  }
}

TEST_CASE("the power-cut check sees loss when syncs do nothing") {
  CHECK(losses_after_power_cuts(true, 1) > 0);
}

TEST_CASE("SIGKILL at any instant loses and doubles nothing that was answered") {
  std::mt19937_64 random(99);
  temporary_folder folder;
  auto options = small_options(folder.path());
  account_id alice;
  {
    auto s = open_shard(options);
    alice = add_account(*s, "alice@example.org");
  }
  std::map<std::uint32_t, std::string> ledger; // UID and text, as answered
  std::uint32_t number = 0;
  for (int round = 0; round < 25; ++round) {
    int pipe_ends[2];
    REQUIRE(::pipe(pipe_ends) == 0);
    auto child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      auto s = shard::open(options);
      for (std::uint32_t i = number; s; ++i) {
        std::vector<mutation> batch;
        for (std::uint32_t k = 0; k < 3; ++k)
          batch.push_back(message_to(alice, std::to_string(i) + "/" + std::to_string(k) + std::string(2000, 'k')));
        auto answers = (*s)->apply(batch);
        std::string lines;
        for (std::uint32_t k = 0; k < 3; ++k)
          if (answers[k])
            lines += std::to_string(answers[k]->places[0].id.value) + " " + std::to_string(i) + "/" + std::to_string(k)
                     + "\n";
        if (::write(pipe_ends[1], lines.data(), lines.size()) < 0)
          break;
      }
      ::_exit(1);
    }
    ::close(pipe_ends[1]);
    // After a random number of answers, at whatever instant that is.
    std::string seen;
    char piece[512];
    auto enough = random() % 3000;
    while (seen.size() < enough) {
      auto got = ::read(pipe_ends[0], piece, sizeof piece);
      if (got <= 0)
        break;
      seen.append(piece, static_cast<std::size_t>(got));
    }
    ::kill(child, SIGKILL);
    ssize_t got = 0;
    while ((got = ::read(pipe_ends[0], piece, sizeof piece)) > 0)
      seen.append(piece, static_cast<std::size_t>(got));
    ::close(pipe_ends[0]);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE(WIFSIGNALED(status));
    std::istringstream lines(seen.substr(0, seen.rfind('\n') + 1));
    std::uint32_t which = 0;
    std::string text;
    while (lines >> which >> text)
      REQUIRE(ledger.emplace(which, text).second); // a UID twice would be one too many

    require_clean(options);
    auto s = open_shard(options);
    auto box = s->read()->mailbox(alice, "INBOX");
    std::set<std::string> texts;
    for (const auto& [id, expected] : ledger)
      REQUIRE(message_text(*s, box->id, uid(id)) == expected + std::string(2000, 'k'));
    if (box)
      s->read()->messages(box->id, uid(1), uid(UINT32_MAX), [&](const message_row& row) {
        auto whole = message_text(*s, box->id, row.id);
        REQUIRE(texts.insert(whole).second);
        number = std::max(number, static_cast<std::uint32_t>(std::stoul(whole)) + 1);
        return true;
      });
  }
  REQUIRE(ledger.size() > 20);
}
