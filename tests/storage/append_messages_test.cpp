#include "tests/storage/shard_fixture.hpp"

using namespace merpati;
using namespace merpati::storage;
using namespace merpati::storage::testing;

TEST_CASE("messages that are appended together come together or not at all, with the one they replace") {
  temporary_folder folder;
  auto options = small_options(folder.path());
  auto s = open_shard(options);
  auto alice = add_account(*s, "alice@example.org");
  auto first = must(*s, message_to(alice, "old"));
  const auto inbox = first.places[0].mailbox;
  append_messages m;
  for (const std::string body : {"one", "two"})
    m.messages.push_back(message_to(alice, body));
  m.replaced_in = inbox;
  m.replaced = uid(7);
  mutation batch[] = {m};
  CHECK(s->apply(batch)[0].error().code == errc::not_found);
  m.messages[1].targets[0].mailbox = mailbox_id(999); // fails after the first has been added
  m.replaced = first.places[0].id;
  batch[0] = m;
  CHECK(s->apply(batch)[0].error().code == errc::not_found);
  CHECK(s->read()->mailbox(alice, "INBOX")->messages == 1);
  m.messages[1].targets[0].mailbox = inbox;
  auto done = must(*s, m);
  REQUIRE(done.places.size() == 2);
  CHECK(done.places[1].id == uid(3));
  CHECK(!s->read()->message(inbox, uid(1)).has_value());
  CHECK(s->read()->mailbox(alice, "INBOX")->messages == 2);
  CHECK(s->read()->usage(alice) == quota_usage{6, 2});
  s.reset();
  require_clean(options);
}
