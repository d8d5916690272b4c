// Files, space and size: bodies on disk, compaction, a full map or disk, folders that are refused.
#include "tests/storage/shard_fixture.hpp"

using namespace merpati;
using namespace merpati::storage;
using namespace merpati::storage::testing;

TEST_CASE("a large body is taken over from its spool file") {
  temporary_folder folder;
  auto options = small_options(folder.path());
  auto s = open_shard(options);
  auto alice = add_account(*s, "alice@example.org");
  std::string piece(100'000, 'x');
  std::string whole;
  std::optional<spool_file> spool(std::move(*s->start_spool()));
  for (int i = 0; i < 10; ++i) {
    REQUIRE(spool->append(piece).has_value());
    whole += piece;
  }
  auto finished = spool->finish();
  REQUIRE(finished.has_value());
  auto m = message_to(alice, "");
  m.body = *finished;
  m.targets.push_back(m.targets[0]);
  m.fronts.push_back({"Delivered-To: alice\r\n", summary_of("Delivered-To: alice\r\n")});
  m.targets[1].front = 1;
  auto done = must(*s, m);
  spool.reset();
  CHECK(std::filesystem::is_empty(folder.path() / "spool"));
  for (int round = 0; round < 2; ++round) {
    CHECK(message_text(*s, done.places[0].mailbox, uid(1)) == whole);
    CHECK(message_text(*s, done.places[0].mailbox, uid(2)) == "Delivered-To: alice\r\n" + whole);
    s.reset();
    require_clean(options);
    s = open_shard(options);
  }
  CHECK(refused(*s, m) == errc::not_found); // the file is gone
  auto bad = m;
  bad.body = spooled_body{"../index/data.mdb", 1, 1};
  CHECK(refused(*s, bad) == errc::invalid);
  must(*s, expunge{done.places[0].mailbox, {uid(1), uid(2)}, false});
  CHECK(std::filesystem::is_empty(folder.path() / "bodies"));
  {
    auto dropped = s->start_spool();
    REQUIRE(dropped->append("x").has_value());
  }
  CHECK(std::filesystem::is_empty(folder.path() / "spool"));
  s.reset();
  require_clean(options);
}

TEST_CASE("a reader gets pieces, says when octets are not cached, and sees damage") {
  temporary_folder folder;
  auto options = small_options(folder.path());
  auto s = open_shard(options);
  auto alice = add_account(*s, "alice@example.org");
  std::string text;
  for (int i = 0; i < 5000; ++i)
    text += static_cast<char>('a' + i % 26);
  auto place = must(*s, message_to(alice, text)).places[0];
  auto row = *s->read()->body(s->read()->message(place.mailbox, place.id)->body);
  auto reader = s->open_body(row);
  REQUIRE(reader.has_value());
  std::string piece(7, '\0');
  CHECK(*reader->read(4998, piece) == 2);
  CHECK(*reader->read(5000, piece) == 0);
  CHECK(*reader->read(100, piece) == 7);
  CHECK(piece == text.substr(100, 7));
  auto cached = reader->read(0, piece, true);
  CHECK((cached.has_value() || cached.error().code == errc::unavailable));
  std::string all;
  for (std::uint64_t offset = 0; offset < 5000; offset += 7) {
    auto got = reader->read(offset, piece);
    REQUIRE(got.has_value());
    all.append(piece, 0, *got);
  }
  CHECK(all == text);
  // One octet is changed on disk.
  auto file = folder.path() / "segments" / "00000001.seg";
  auto* f = std::fopen(file.c_str(), "r+b");
  REQUIRE(f);
  std::fseek(f, static_cast<long>(row.offset + 4000), SEEK_SET);
  std::fputc('!', f);
  std::fclose(f);
  auto fresh = s->open_body(row);
  std::string buffer(5000, '\0');
  CHECK(fresh->read(0, std::span(buffer).first(1000)).has_value());
  auto last = fresh->read(1000, std::span(buffer).first(4000));
  REQUIRE_FALSE(last.has_value());
  CHECK(last.error().code == errc::corrupted);
  s.reset();
  auto report = fsck(options, fsck_mode::verify, summary_of);
  REQUIRE(report.has_value());
  CHECK(report->findings.size() == 1);
}

TEST_CASE("a folder that is open, foreign or damaged is refused with a sentence") {
  temporary_folder folder;
  auto options = small_options(folder.path());
  auto s = open_shard(options);
  auto second = shard::open(options);
  REQUIRE_FALSE(second.has_value());
  CHECK(second.error().code == errc::in_use);
  CHECK(fsck(options, fsck_mode::verify, summary_of).error().code == errc::in_use);
  auto alice = add_account(*s, "alice@example.org");
  must(*s, message_to(alice, "x"));
  s.reset();
  auto index = folder.path() / "index" / "data.mdb";
  auto saved = folder.path() / "saved.mdb";
  std::filesystem::copy_file(index, saved);

  SECTION("an empty index beside messages is no new store") {
    std::filesystem::resize_file(index, 0);
    auto opened = shard::open(options);
    REQUIRE_FALSE(opened.has_value());
    CHECK(opened.error().code == errc::corrupted);
  }
  SECTION("a missing index beside messages is no new store") {
    std::filesystem::remove(index);
    CHECK(shard::open(options).error().code == errc::corrupted);
  }
  SECTION("a damaged head") {
    auto* f = std::fopen(index.c_str(), "r+b");
    std::fseek(f, 16, SEEK_SET);
    std::fputs("junk", f);
    std::fclose(f);
    CHECK(shard::open(options).error().code == errc::corrupted);
  }
  SECTION("an index cut short does not end the process") {
    std::filesystem::resize_file(index, 3 * 4096);
    auto opened = shard::open(options);
    CHECK_FALSE(opened.has_value());
  }
}

TEST_CASE("dead bodies are compacted while a reader keeps its file") {
  temporary_folder folder;
  auto options = small_options(folder.path());
  auto s = open_shard(options);
  auto alice = add_account(*s, "alice@example.org");
  std::vector<uid> odd;
  mailbox_id box;
  for (int i = 0; i < 60; ++i) {
    auto p = must(*s, message_to(alice, std::to_string(i) + std::string(8000, 'z'))).places[0];
    box = p.mailbox;
    if (i % 2)
      odd.push_back(p.id);
  }
  CHECK(*s->compact(1 << 20) == 0);
  auto reader = s->open_body(*s->read()->body(s->read()->message(box, uid(1))->body));
  auto stale = *s->read()->body(s->read()->message(box, uid(3))->body);
  must(*s, expunge{box, odd, false});
  auto before = s->statistics();
  CHECK(before.segment_dead_bytes > 200'000);
  for (int i = 0; i < 1000 && *s->compact(20'000) > 0; ++i) {
  }
  auto after = s->statistics();
  CHECK(after.segment_bytes < before.segment_bytes - 100'000);
  std::string octets(8001, '\0');
  REQUIRE(reader->read(0, octets).has_value());
  CHECK(octets == "0" + std::string(8000, 'z'));
  CHECK(octets_of(*s, stale) == "2" + std::string(8000, 'z'));
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 60; i += 2)
      CHECK(message_text(*s, box, uid(static_cast<std::uint32_t>(i + 1)))
            == std::to_string(i) + std::string(8000, 'z'));
    s.reset();
    require_clean(options);
    s = open_shard(options);
  }
}

TEST_CASE("the map grows by itself; a full one refuses mail and still lets go of it") {
  temporary_folder folder;
  auto options = small_options(folder.path());
  options.initial_map_bytes = 512 << 10;
  SECTION("growth") {
    auto s = open_shard(options);
    auto alice = add_account(*s, "alice@example.org");
    auto m = message_to(alice, "x");
    m.fronts[0].summary = std::string(3000, 's');
    std::vector<mutation> batch(50, m);
    for (int i = 0; i < 40; ++i)
      for (auto& answer : s->apply(batch))
        REQUIRE(answer.has_value());
    CHECK(s->statistics().map_bytes >= 8 << 20);
    s.reset();
    require_clean(options);
  }
  SECTION("full") {
    options.max_map_bytes = 4 << 20;
    auto s = open_shard(options);
    auto alice = add_account(*s, "alice@example.org");
    auto m = message_to(alice, "x");
    m.fronts[0].summary = std::string(3000, 's');
    std::vector<mutation> batch(50, m);
    std::vector<uid> stored;
    bool full = false;
    for (int i = 0; i < 100 && !full; ++i)
      for (auto& answer : s->apply(batch)) {
        if (answer) {
          stored.push_back(answer->places[0].id);
        } else {
          REQUIRE(answer.error().code == errc::disk_full);
          full = true;
        }
      }
    REQUIRE(full);
    CHECK(s->admits(1).error().code == errc::disk_full);
    auto box = s->read()->mailbox(alice, "INBOX")->id;
    CHECK(must(*s, expunge{box, stored, false}).uids == stored);
    must(*s, subscribe{alice, "INBOX", true}); // frees the pages of the commit before
    CHECK(s->admits(1).has_value());
    must(*s, m);
    s.reset();
    require_clean(options);
  }
}

TEST_CASE("a disk that is nearly full refuses mail and nothing else") {
  temporary_folder folder;
  auto options = small_options(folder.path());
  std::unique_ptr<shard> s = open_shard(options);
  auto alice = add_account(*s, "alice@example.org");
  auto p = must(*s, message_to(alice, "x")).places[0];
  s.reset();
  options.reserve_bytes = std::uint64_t{1} << 60;
  s = open_shard(options);
  CHECK(refused(*s, message_to(alice, "x")) == errc::disk_full);
  CHECK(s->admits(1).error().code == errc::disk_full);
  CHECK(s->start_spool().error().code == errc::disk_full);
  CHECK(must(*s, expunge{p.mailbox, {p.id}, false}).uids.size() == 1);
}

TEST_CASE("a mailbox of 100,000 messages is read in order") {
  temporary_folder folder;
  auto options = small_options(folder.path());
  options.initial_map_bytes = 64 << 20;
  options.segment_bytes = 64 << 20;
  auto s = open_shard(options);
  auto alice = add_account(*s, "alice@example.org");
  std::vector<mutation> batch(2000, message_to(alice, "tiny"));
  for (int i = 0; i < 50; ++i)
    for (auto& answer : s->apply(batch))
      REQUIRE(answer.has_value());
  auto view = s->read();
  auto box = view->mailbox(alice, "INBOX");
  CHECK(box->messages == 100'000);
  std::uint32_t next = 1;
  bool ordered = true;
  view->messages(box->id, uid(1), uid(UINT32_MAX), [&](const message_row& row) {
    ordered = ordered && row.id.value == next++;
    return true;
  });
  CHECK(ordered);
  CHECK(next == 100'001);
  std::vector<std::uint32_t> some;
  view->messages(box->id, uid(500), uid(503), [&](const message_row& row) {
    some.push_back(row.id.value);
    return true;
  });
  CHECK(some == std::vector<std::uint32_t>{500, 501, 502, 503});
}
