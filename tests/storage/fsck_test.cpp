#include <fstream>

#include "storage/lmdb_env.hpp"
#include "storage/schema.hpp"
#include "tests/storage/shard_fixture.hpp"

using namespace merpati;
using namespace merpati::storage;
using namespace merpati::storage::testing;

namespace {

/// A shard with two accounts, some mail, a removed message and a waiting row.
struct sample {
  account_id alice;
  mailbox_id box;

  explicit sample(const shard_options& options) {
    auto s = open_shard(options);
    alice = add_account(*s, "alice@example.org");
    add_account(*s, "bob@example.org");
    for (int i = 0; i < 10; ++i) {
      auto m = message_to(alice, "message " + std::to_string(i));
      m.delivery.fill(static_cast<std::uint8_t>(i + 1));
      if (i % 3 == 0)
        m.waiting.push_back({"example.net", at(i), "w"});
      box = must(*s, m).places[0].mailbox;
    }
    must(*s, store_flags{box, {uid(2), uid(3)}, store_flags::mode::add, flag_seen | flag_deleted, {"blue"}, {}});
    must(*s, expunge{box, {uid(2)}, true});
  }
};

/// Changes the index behind the shard's back.
void tamper(const shard_options& options, const std::function<void(transaction&)>& work) {
  auto env = lmdb_env::open({options.folder / "index", options.initial_map_bytes, options.max_map_bytes, false});
  REQUIRE(env.has_value());
  auto txn = (*env)->begin_write();
  REQUIRE(txn.has_value());
  work(*txn);
  txn->commit();
}

} // namespace

TEST_CASE("fsck finds each kind of disagreement and mends it") {
  struct damage {
    const char* name;
    std::function<void(transaction&, const sample&)> work;
  };
  using namespace schema;
  const std::vector<damage> all{
      {"mailbox row gone", [](auto& t, auto& s) { t.erase(table::mailboxes, id_key(s.box.value)); }},
      {"mailbox name gone", [](auto& t, auto& s) { t.erase(table::mailbox_names, owned_name_key(s.alice, "INBOX")); }},
      {"message row gone", [](auto& t, auto& s) { t.erase(table::messages, message_key(s.box, uid(5))); }},
      {"change gone", [](auto& t, auto& s) { t.erase(table::changes, change_key(s.box, modseq(6), uid(5))); }},
      {"change too many", [](auto& t, auto& s) { t.put(table::changes, change_key(s.box, modseq(9), uid(5)), "\2"); }},
      {"summary gone", [](auto& t, auto&) { t.erase(table::summaries, id_key(4)); }},
      {"quota wrong", [](auto& t, auto& s) { t.put(table::quotas, id_key(s.alice.value), encode(usage_row{})); }},
      {"counters gone", [](auto& t, auto&) { t.erase(table::meta, counters_key); }},
      {"due row gone", [](auto& t, auto&) { t.erase(table::waiting_due, due_key(at(3), waiting_id(2))); }},
      {"waiting row gone", [](auto& t, auto&) { t.erase(table::waiting, id_key(2)); }},
      {"account name gone", [](auto& t, auto&) { t.erase(table::account_names, name_key("bob@example.org")); }},
      {"segment row wrong",
       [](auto& t, auto&) {
         auto row = *decode_segment(*t.get(table::segments, segment_key(1)));
         row.dead_bytes += 8;
         t.put(table::segments, segment_key(1), encode(row));
       }},
      {"age gone", [](auto& t, auto&) {
         delivery_id id;
         id.fill(3);
         t.erase(table::delivery_ages, age_key(at(1'700'000'000), as_key(id)));
       }}};
  for (const auto& d : all) {
    INFO(d.name);
    temporary_folder folder;
    auto options = small_options(folder.path());
    sample made(options);
    tamper(options, [&](transaction& t) { d.work(t, made); });
    auto found = fsck(options, fsck_mode::verify, summary_of);
    REQUIRE(found.has_value());
    CHECK_FALSE(found->findings.empty());
    auto repaired = fsck(options, fsck_mode::repair, summary_of);
    REQUIRE(repaired.has_value());
    INFO(describe(*repaired));
    for (const auto& f : repaired->findings)
      CHECK(f.repaired);
    require_clean(options);
    auto s = open_shard(options);
    auto box = s->read()->mailbox(made.alice, "INBOX");
    REQUIRE(box.has_value());
    CHECK(message_text(*s, box->id, uid(1)) == "message 0");
    CHECK(*s->read()->summary(s->read()->message(box->id, uid(4))->body) == summary_of("message 3"));
  }
}

TEST_CASE("a damaged octet in any leaf is noticed, contained and set aside") {
  temporary_folder folder;
  auto options = small_options(folder.path() / "s");
  sample made(options);
  std::string index;
  {
    std::ifstream in(options.folder / "index" / "data.mdb", std::ios::binary);
    index.assign(std::istreambuf_iterator<char>(in), {});
  }
  // The newest place of one message row: its body's summary text is unique enough to be found.
  auto spot = index.rfind("summary of message 7");
  REQUIRE(spot != std::string::npos);
  for (std::size_t p = index.find("summary of message 7"); p != std::string::npos;
       p = index.find("summary of message 7", p + 1))
    index[p + 3] ^= 0x40;
  std::ofstream(options.folder / "index" / "data.mdb", std::ios::binary) << index;
  auto s = open_shard(options);
  {
    auto view = s->read();
    auto row = view->message(made.box, uid(8));
    REQUIRE(row.has_value());
    CHECK_FALSE(view->summary(row->body).has_value());
    CHECK(view->damaged() == 1);
  }
  s.reset();
  auto repaired = fsck(options, fsck_mode::repair, summary_of);
  REQUIRE(repaired.has_value());
  REQUIRE(repaired->findings.size() == 1);
  CHECK(repaired->findings[0].repaired);
  require_clean(options);
}

TEST_CASE("salvage rebuilds a shard whose trees are gone") {
  temporary_folder folder;
  auto options = small_options(folder.path() / "s");
  sample made(options);
  auto file = options.folder / "index" / "data.mdb";
  SECTION("the meta pages are overwritten") {
    auto* f = std::fopen(file.c_str(), "r+b");
    std::string junk(8192, '#');
    std::fwrite(junk.data(), 1, junk.size(), f);
    std::fclose(f);
    CHECK(shard::open(options).error().code == errc::corrupted);
  }
  SECTION("nothing is damaged at all") {}
  auto report = fsck(options, fsck_mode::salvage, summary_of);
  if (!report)
    FAIL(report.error().what);
  INFO(describe(*report));
  auto saved = options;
  saved.folder = folder.path() / "s.salvaged";
  require_clean(saved);
  auto s = open_shard(saved);
  auto box = s->read()->mailbox(made.alice, "INBOX");
  REQUIRE(box.has_value());
  CHECK(box->messages == 9);
  CHECK_FALSE(s->read()->message(box->id, uid(2)).has_value());
  for (std::uint32_t i = 3; i <= 10; ++i)
    CHECK(message_text(*s, box->id, uid(i)) == "message " + std::to_string(i - 1));
  CHECK(s->read()->message(box->id, uid(3))->flags == (flag_seen | flag_deleted));
  CHECK(s->read()->account("bob@example.org").has_value());
  CHECK(s->read()->changes_since(box->id, modseq(0)).expunged == std::vector{uid(2)});
  // New mail goes on behind the old.
  CHECK(must(*s, message_to(made.alice, "new")).places[0].id == uid(11));
}
