#include "tests/storage/shard_fixture.hpp"

using namespace merpati;
using namespace merpati::storage;
using namespace merpati::storage::testing;

TEST_CASE("a message goes in and comes out, before and after reopening") {
  temporary_folder folder;
  auto options = small_options(folder.path() / "a" / "b");
  auto s = open_shard(options);
  auto alice = add_account(*s, "alice@example.org");
  auto done = must(*s, message_to(alice, "Subject: hi\r\n\r\nhello\r\n"));
  REQUIRE(done.places.size() == 1);
  REQUIRE(done.places[0].id == uid(1));
  for (int round = 0; round < 2; ++round) {
    auto view = s->read();
    REQUIRE(view.has_value());
    auto box = view->mailbox(alice, "inbox");
    REQUIRE(box.has_value());
    CHECK(box->messages == 1);
    CHECK(box->unseen == 1);
    CHECK(box->size_bytes == 22);
    CHECK(box->uid_next == uid(2));
    auto row = view->message(box->id, uid(1));
    REQUIRE(row.has_value());
    CHECK(row->size_bytes == 22);
    CHECK(row->internal_date == at(1'600'000'000));
    CHECK(view->summary(row->body) == summary_of("Subject: hi\r\n\r\nhello\r\n"));
    CHECK(view->usage(alice) == quota_usage{22, 1});
    CHECK(octets_of(*s, *view->body(row->body)) == "Subject: hi\r\n\r\nhello\r\n");
    view = fail(errc::invalid, "");
    s.reset();
    s = open_shard(options);
  }
  s.reset();
  require_clean(options);
}

TEST_CASE("one body serves all recipients of a shard and goes with the last of them") {
  temporary_folder folder;
  auto options = small_options(folder.path());
  auto s = open_shard(options);
  std::vector<account_id> people;
  for (int i = 0; i < 20; ++i)
    people.push_back(add_account(*s, "u" + std::to_string(i) + "@example.org"));
  auto m = message_to(people[0], "body");
  m.targets.resize(20, m.targets[0]);
  for (std::size_t i = 0; i < 20; ++i)
    m.targets[i].account = people[i];
  m.fronts.push_back({"X-Own: yes\r\n", summary_of("X-Own: yes\r\nbody")});
  m.fronts.push_back({"X-Unused: yes\r\n", "nobody has it"});
  m.targets[19].front = 1;
  m.waiting.push_back({"example.net", at(5), "details"});
  m.waiting.push_back({"example.net", at(5), "of the other body", 1});
  auto done = must(*s, m);
  REQUIRE(done.places.size() == 20);
  REQUIRE(done.waiting.size() == 2);
  {
    auto view = s->read();
    auto shared = view->message(done.places[0].mailbox, uid(1))->body;
    CHECK(view->body(shared)->references == 20);
    CHECK(view->message(done.places[7].mailbox, uid(1))->body == shared);
    auto own = view->message(done.places[19].mailbox, uid(1));
    CHECK(own->body != shared);
    CHECK(own->size_bytes == 16);
    CHECK(octets_of(*s, *view->body(own->body)) == "X-Own: yes\r\nbody");
    CHECK(view->summary(own->body) == summary_of("X-Own: yes\r\nbody"));
    CHECK(view->body(own->body)->references == 2);
    CHECK(view->waiting(done.waiting[1])->body == own->body);
    CHECK(s->statistics().segment_bytes < 400); // nothing of the front that nobody has
  }
  for (const auto& p : done.places)
    must(*s, expunge{p.mailbox, {p.id}, false});
  {
    auto view = s->read();
    auto row = view->waiting(done.waiting[0]);
    REQUIRE(row.has_value());
    CHECK(view->body(row->body)->references == 1);
  }
  must(*s, update_waiting{{}, done.waiting, {}, {}});
  auto statistics = s->statistics();
  CHECK(statistics.segment_dead_bytes == statistics.segment_bytes - 64);
  s.reset();
  require_clean(options);
}

TEST_CASE("a delivery id is carried out once, across reopening, and forgotten when told") {
  temporary_folder folder;
  auto options = small_options(folder.path());
  auto s = open_shard(options);
  auto alice = add_account(*s, "alice@example.org");
  auto m = message_to(alice, "once");
  m.delivery.fill(7);
  std::vector<mutation> twice{m, m};
  auto answers = s->apply(twice);
  REQUIRE(answers[0].has_value());
  REQUIRE(answers[1].has_value());
  CHECK_FALSE(answers[0]->repeated);
  CHECK(answers[1]->repeated);
  CHECK(answers[1]->places == answers[0]->places);
  s.reset();
  s = open_shard(options);
  auto third = must(*s, m);
  CHECK(third.repeated);
  CHECK(third.places == answers[0]->places);
  must(*s, expire_deliveries{m.now});
  CHECK(must(*s, m).repeated);
  must(*s, expire_deliveries{m.now + std::chrono::microseconds(1)});
  CHECK_FALSE(must(*s, m).repeated);
  CHECK(s->read()->mailbox(alice, "INBOX")->messages == 2);
  s.reset();
  require_clean(options);
}

TEST_CASE("a list of 10,000 mailboxes is one body and rows, in one commit") {
  temporary_folder folder;
  auto options = small_options(folder.path());
  auto s = open_shard(options);
  std::vector<mutation> people;
  for (int i = 0; i < 10'000; ++i) {
    put_account one;
    one.account.name = "m" + std::to_string(i) + "@example.org";
    people.emplace_back(one);
  }
  add_message m = message_to({}, "to all of you");
  m.fronts[0].header = "List-Id: <all.example.org>\r\n";
  m.targets.clear();
  for (const auto& made : s->apply(people)) {
    target t;
    t.account = made.value().account;
    t.create = true;
    m.targets.push_back(t);
  }
  const auto commits = s->statistics().commits;
  const auto done = must(*s, m);
  CHECK(s->statistics().commits == commits + 1);
  REQUIRE(done.places.size() == 10'000);
  CHECK(done.touched.size() == 10'000);
  {
    auto view = s->read();
    const auto body = view->message(done.places[0].mailbox, uid(1))->body;
    CHECK(view->message(done.places[9'999].mailbox, uid(1))->body == body);
    CHECK(view->body(body)->references == 10'000);
    CHECK(s->statistics().segment_bytes < 500);
  }
  s.reset();
  require_clean(options);
}

TEST_CASE("quota refuses the whole message, or skips the target that asked for it") {
  temporary_folder folder;
  auto options = small_options(folder.path());
  auto s = open_shard(options);
  auto small = add_account(*s, "small@example.org", 10);
  auto large = add_account(*s, "large@example.org");
  auto m = message_to(large, "12345678");
  m.targets.push_back(message_to(small, "x").targets[0]);
  CHECK(must(*s, m).places[1].id == uid(1));
  auto before = *s->dump();
  CHECK(refused(*s, m) == errc::over_quota);
  CHECK(s->read()->mailbox(large, "INBOX")->messages == 1);
  m.targets[1].skip_when_full = true;
  auto done = must(*s, m);
  CHECK(done.places[0].id == uid(2));
  CHECK(done.places[1].id == uid());
  auto inbox = s->read()->mailbox(small, "INBOX")->id;
  CHECK(refused(*s, copy_messages{inbox, inbox, {uid(1)}, false, at(0)}) == errc::over_quota);
  must(*s, copy_messages{inbox, inbox, {uid(1)}, true, at(0)}); // a move within the account
  must(*s, expunge{inbox, {uid(2)}, false});
  CHECK(s->read()->usage(small) == quota_usage{0, 0});
  s.reset();
  require_clean(options);
}

TEST_CASE("flags, keywords and UNCHANGEDSINCE") {
  temporary_folder folder;
  auto options = small_options(folder.path());
  auto s = open_shard(options);
  auto alice = add_account(*s, "alice@example.org");
  for (int i = 0; i < 5; ++i)
    must(*s, message_to(alice, "m" + std::to_string(i)));
  auto box = s->read()->mailbox(alice, "INBOX")->id;
  using mode = store_flags::mode;
  auto done = must(*s, store_flags{box, {uid(1), uid(3), uid(9)}, mode::add, flag_seen, {"Work"}, {}});
  CHECK(done.uids == std::vector{uid(1), uid(3)});
  auto mark = done.changed;
  CHECK(s->read()->mailbox(box)->unseen == 3);
  CHECK(s->read()->mailbox(box)->keywords == std::vector<std::string>{"Work"});
  CHECK(s->read()->message(box, uid(3))->keywords == 1);
  // The same again changes nothing and takes no MODSEQ.
  done = must(*s, store_flags{box, {uid(1), uid(3)}, mode::add, flag_seen, {"WORK"}, {}});
  CHECK(done.uids.empty());
  CHECK(done.changed == mark);
  must(*s, store_flags{box, {uid(1)}, mode::replace, flag_flagged, {}, {}});
  done = must(*s, store_flags{box, {uid(1), uid(3)}, mode::remove, flag_seen, {"work"}, mark});
  CHECK(done.failed == std::vector{uid(1)});
  CHECK(done.uids == std::vector{uid(3)});
  CHECK(s->read()->mailbox(box)->unseen == 5);

  std::vector<std::string> many;
  for (int i = 0; i < 63; ++i)
    many.push_back("k" + std::to_string(i));
  must(*s, store_flags{box, {uid(2)}, mode::add, 0, many, {}});
  auto before = *s->dump();
  CHECK(refused(*s, store_flags{box, {uid(2)}, mode::add, 0, {"one-more"}, {}}) == errc::too_many);
  CHECK(refused(*s, store_flags{box, {uid(2)}, mode::add, 0, {""}, {}}) == errc::invalid);
  CHECK(*s->dump() == before);
  CHECK(refused(*s, store_flags{mailbox_id(99), {uid(2)}, mode::add, 0, {}, {}}) == errc::not_found);
  s.reset();
  require_clean(options);
}

TEST_CASE("a mutation that fails has no effect and leaves its neighbours alone") {
  temporary_folder folder;
  auto options = small_options(folder.path());
  auto s = open_shard(options);
  auto alice = add_account(*s, "alice@example.org");
  must(*s, message_to(alice, "first"));
  auto box = s->read()->mailbox(alice, "INBOX")->id;
  std::vector<std::string> all;
  for (int i = 0; i < 60; ++i)
    all.push_back("k" + std::to_string(i));
  // Two targets fit each for itself, and not together: this fails after it has begun to write.
  auto late = message_to(alice, "late");
  late.targets.push_back(late.targets[0]);
  late.targets[0].keywords = all;
  late.targets[1].keywords = {"a", "b", "c", "d", "e"};
  std::vector<mutation> batch{message_to(alice, "second"), late, delete_mailbox{box}, message_to(alice, "third")};
  auto answers = s->apply(batch);
  CHECK(answers[0].has_value());
  REQUIRE_FALSE(answers[1].has_value());
  CHECK(answers[1].error().code == errc::too_many);
  REQUIRE_FALSE(answers[2].has_value());
  CHECK(answers[2].error().code == errc::not_permitted);
  REQUIRE(answers[3].has_value());
  CHECK(answers[3]->places[0].id == uid(3));
  CHECK(s->read()->mailbox(box)->keywords.empty());
  CHECK(message_text(*s, box, uid(3)) == "third");
  s.reset();
  require_clean(options);
}

TEST_CASE("changes since a MODSEQ: new, changed and expunged") {
  temporary_folder folder;
  auto options = small_options(folder.path());
  auto s = open_shard(options);
  auto alice = add_account(*s, "alice@example.org");
  for (int i = 0; i < 6; ++i)
    must(*s, message_to(alice, "m"));
  auto box = s->read()->mailbox(alice, "INBOX")->id;
  auto start = s->read()->mailbox(box)->highest_modseq;
  must(*s, store_flags{box, {uid(2), uid(4)}, store_flags::mode::add, flag_deleted, {}, {}});
  auto middle = s->read()->mailbox(box)->highest_modseq;
  CHECK(middle == modseq(start.value + 1));
  CHECK(must(*s, expunge{box, {uid(1), uid(2), uid(3)}, true}).uids == std::vector{uid(2)});
  must(*s, message_to(alice, "new"));
  auto view = s->read();
  auto all = view->changes_since(box, modseq(0));
  CHECK(all.changed == std::vector{uid(1), uid(3), uid(4), uid(5), uid(6), uid(7)});
  CHECK(all.expunged == std::vector{uid(2)});
  auto recent = view->changes_since(box, start);
  CHECK(recent.changed == std::vector{uid(4), uid(7)});
  CHECK(recent.expunged == std::vector{uid(2)});
  CHECK(view->changes_since(box, middle).changed == std::vector{uid(7)});
  auto none = view->changes_since(box, all.highest);
  CHECK(none.changed.empty());
  CHECK(none.expunged.empty());
  CHECK(view->changes_since(box, modseq(UINT64_MAX)).changed.empty());
  view = fail(errc::invalid, "");
  s.reset();
  require_clean(options);
}

TEST_CASE("copy and move keep identity, flags, keywords and dates") {
  temporary_folder folder;
  auto options = small_options(folder.path());
  auto s = open_shard(options);
  auto alice = add_account(*s, "alice@example.org");
  auto bob = add_account(*s, "bob@example.org");
  auto m = message_to(alice, "body");
  m.targets[0].flags = flag_seen;
  m.targets[0].keywords = {"x", "y"};
  auto from = must(*s, m).places[0].mailbox;
  auto to = must(*s, create_mailbox{bob, "shared", 0, 1, true}).mailbox;
  must(*s, store_flags{to, {}, store_flags::mode::add, 0, {}, {}});
  auto copied = must(*s, copy_messages{from, to, {uid(1), uid(2)}, false, at(9)});
  CHECK(copied.uids == std::vector{uid(1)});
  CHECK(copied.new_uids == std::vector{uid(1)});
  auto moved = must(*s, copy_messages{from, to, {uid(1)}, true, at(10)});
  CHECK(moved.new_uids == std::vector{uid(2)});
  {
    auto view = s->read();
    auto a = *view->message(to, uid(1));
    auto b = *view->message(to, uid(2));
    CHECK(a.email == b.email);
    CHECK(a.thread == b.thread);
    CHECK(a.flags == flag_seen);
    CHECK(a.keywords == 3);
    CHECK(a.save_date == at(9));
    CHECK(a.internal_date == at(1'600'000'000));
    CHECK_FALSE(view->message(from, uid(1)).has_value());
    CHECK(view->body(a.body)->references == 2);
    CHECK(view->usage(alice) == quota_usage{0, 0});
    CHECK(view->usage(bob) == quota_usage{8, 2});
    CHECK(view->changes_since(from, modseq(0)).expunged == std::vector{uid(1)});
  }
  s.reset();
  require_clean(options);
}

TEST_CASE("mailboxes: parents, children, INBOX, subscriptions, UIDVALIDITY") {
  temporary_folder folder;
  auto options = small_options(folder.path());
  auto s = open_shard(options);
  auto alice = add_account(*s, "alice@example.org");
  auto made = must(*s, create_mailbox{alice, "a/b/c", use_sent, 100, true});
  auto names = [&] {
    std::vector<std::string> out;
    for (const auto& row : s->read()->mailboxes(alice))
      out.push_back(row.name);
    return out;
  };
  CHECK(names() == std::vector<std::string>{"a", "a/b", "a/b/c"});
  CHECK(s->read()->mailbox(made.mailbox)->special_use == use_sent);
  CHECK(s->read()->mailbox(alice, "a")->special_use == 0);
  CHECK(s->read()->mailbox(made.mailbox)->subscribed);
  CHECK(refused(*s, create_mailbox{alice, "a/b", 0, 100, false}) == errc::already_exists);
  for (auto bad : {"", "/a", "a/", "a//b"})
    CHECK(refused(*s, create_mailbox{alice, bad, 0, 1, false}) == errc::invalid);
  CHECK(refused(*s, create_mailbox{alice, std::string(1001, 'x'), 0, 1, false}) == errc::invalid);
  CHECK(refused(*s, create_mailbox{account_id(77), "a", 0, 1, false}) == errc::not_found);
  auto name = std::string(900, 'n');
  must(*s, create_mailbox{alice, name + "1", 0, 1, false});
  must(*s, create_mailbox{alice, name + "2", 0, 1, false});
  CHECK(s->read()->mailbox(alice, name + "2")->name == name + "2");
  must(*s, delete_mailbox{s->read()->mailbox(alice, name + "1")->id});
  must(*s, delete_mailbox{s->read()->mailbox(alice, name + "2")->id});

  // The same name later: never the same UIDVALIDITY, even when the caller's clock says so.
  auto first = s->read()->mailbox(made.mailbox)->uid_validity;
  must(*s, delete_mailbox{made.mailbox});
  auto again = must(*s, create_mailbox{alice, "a/b/c", 0, 100, false});
  CHECK(again.uid_validity > first);
  CHECK(s->read()->mailbox(again.mailbox)->subscribed); // RFC 9051 6.3.7: it stays subscribed
  CHECK(s->read()->subscriptions(alice) == std::vector<std::string>{"a/b/c"});

  auto box = s->read()->mailbox(alice, "a/b")->id;
  CHECK(refused(*s, rename_mailbox{box, "a/b/x", 0}) == errc::invalid);
  CHECK(refused(*s, rename_mailbox{box, "a", 0}) == errc::already_exists);
  must(*s, rename_mailbox{box, "z/y", 0});
  CHECK(names() == std::vector<std::string>{"a", "z", "z/y", "z/y/c"});
  CHECK(s->read()->mailbox(alice, "z/y")->id == box);

  must(*s, message_to(alice, "in the inbox"));
  auto inbox = s->read()->mailbox(alice, "INBOX")->id;
  auto old = must(*s, rename_mailbox{inbox, "old", 0}).mailbox;
  CHECK(s->read()->mailbox(inbox)->messages == 0);
  CHECK(s->read()->mailbox(inbox)->name == "INBOX");
  CHECK(message_text(*s, old, uid(1)) == "in the inbox");
  CHECK(refused(*s, delete_mailbox{inbox}) == errc::not_permitted);

  must(*s, subscribe{alice, "not/there", true});
  must(*s, subscribe{alice, "a/b/c", false});
  CHECK(s->read()->subscriptions(alice) == std::vector<std::string>{"not/there"});
  s.reset();
  require_clean(options);
  s = open_shard(options);
  must(*s, delete_account{alice});
  CHECK(s->read()->mailboxes(alice).empty());
  CHECK_FALSE(s->read()->account("alice@example.org").has_value());
  CHECK(s->statistics().segment_dead_bytes == s->statistics().segment_bytes - 64);
  s.reset();
  require_clean(options);
}

TEST_CASE("accounts, domains, addresses") {
  temporary_folder folder;
  auto options = small_options(folder.path());
  auto s = open_shard(options);
  auto alice = add_account(*s, "alice@example.org");
  auto bob = add_account(*s, "bob@example.org");
  put_account again;
  again.account.name = "alice@example.org";
  CHECK(refused(*s, again) == errc::already_exists);
  again.account.id = bob;
  CHECK(refused(*s, again) == errc::already_exists);
  again.account.name = "robert@example.org";
  again.account.scram_iterations = 4096;
  must(*s, again);
  CHECK_FALSE(s->read()->account("bob@example.org").has_value());
  CHECK(s->read()->account("robert@example.org")->id == bob);
  CHECK(s->read()->account(bob)->scram_iterations == 4096);
  // The copy of a row from another shard keeps its number.
  again.account.id = account_id(40);
  again.account.name = "copy@example.org";
  must(*s, again);
  CHECK(add_account(*s, "next@example.org") == account_id(41));
  CHECK(s->read()->accounts().size() == 4);
  CHECK(alice == account_id(1));
  must(*s, put_domain{{"example.org", "settings"}});
  must(*s, put_address{{"list@example.org", "members"}});
  CHECK(s->read()->domain("example.org")->settings == "settings");
  CHECK(s->read()->domains().size() == 1);
  CHECK(s->read()->address("list@example.org")->settings == "members");
  must(*s, delete_domain{"example.org"});
  must(*s, delete_address{"list@example.org"});
  CHECK(refused(*s, delete_domain{"example.org"}) == errc::not_found);
  CHECK(s->read()->addresses().empty());
  s.reset();
  require_clean(options);
}

TEST_CASE("the waiting list keeps its order and replaces rows by a DSN once") {
  temporary_folder folder;
  auto options = small_options(folder.path());
  auto s = open_shard(options);
  auto alice = add_account(*s, "alice@example.org");
  add_message m;
  m.body = std::make_shared<const std::string>("outgoing");
  m.fronts.emplace_back();
  m.waiting = {{"b.example", at(20), "2"}, {"a.example", at(-5), "0"}, {"c.example", at(10), "1"}};
  auto rows = must(*s, m).waiting;
  auto order = [&](std::int64_t from) {
    std::string out;
    s->read()->waiting_by_due(at(from), [&](const waiting_row& row) {
      out += row.details;
      return true;
    });
    return out;
  };
  CHECK(order(-100) == "012");
  CHECK(order(10) == "12");
  update_waiting u;
  u.put.push_back(*s->read()->waiting(rows[0]));
  u.put[0].next_due = at(1);
  u.remove = {rows[1]};
  u.replacements.push_back(message_to(alice, "your message could not be delivered"));
  auto done = must(*s, u);
  CHECK(done.places.size() == 1);
  CHECK(order(-100) == "21");
  auto before = *s->dump();
  CHECK(refused(*s, u) == errc::not_found);
  CHECK(s->read()->mailbox(alice, "INBOX")->messages == 1);
  CHECK(order(-100) == "21");
  s.reset();
  require_clean(options);
}

TEST_CASE("a message that waited for room in a mailbox goes there, body and all") {
  temporary_folder folder;
  auto options = small_options(folder.path());
  auto s = open_shard(options);
  auto alice = add_account(*s, "alice@example.org");
  auto bob = add_account(*s, "bob@example.org");
  auto full = *s->read()->account(bob);
  full.quota_messages = 1;
  must(*s, put_account{full});
  add_message m;
  m.body = std::make_shared<const std::string>("for later");
  m.fronts.emplace_back();
  m.waiting = {{"local", at(1), "alice"}, {"local", at(2), "bob"}};
  auto rows = must(*s, m).waiting;
  must(*s, message_to(bob, "is here already"));

  update_waiting u;
  u.deliver = {{rows[0], alice, at(5)}, {rows[1], bob, at(5)}};
  auto done = must(*s, u);
  REQUIRE(done.places.size() == 2);
  CHECK(done.places[0].id == uid(1));
  CHECK(done.places[1].id == uid());
  {
    auto view = s->read();
    CHECK_FALSE(view->waiting(rows[0]));
    CHECK(view->waiting(rows[1]));
    CHECK(view->mailbox(bob, "INBOX")->messages == 1);
    auto inbox = view->mailbox(alice, "INBOX");
    REQUIRE(inbox);
    auto message = view->message(inbox->id, uid(1));
    REQUIRE(message);
    CHECK(message->size_bytes == 9);
    CHECK(view->body(message->body)->references == 2);
  }

  // Repeated, it finds its row gone, and nothing happens.
  u.deliver.pop_back();
  CHECK(refused(*s, u) == errc::not_found);
  CHECK(s->read()->mailbox(alice, "INBOX")->messages == 1);
  s.reset();
  require_clean(options);
}
