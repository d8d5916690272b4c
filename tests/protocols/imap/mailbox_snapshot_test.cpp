// Snapshots against a plain vector, and what write_changes() says against a client that believes it.
#include <charconv>
#include <random>

#include "protocols/imap/command.hpp"
#include "protocols/imap/mailbox_snapshot.hpp"
#include "tests/support/catch2.hpp"

using namespace merpati;
using namespace merpati::imap;

namespace {

message_item message(std::uint32_t id, std::uint8_t flags = 0) {
  message_item item;
  item.id = uid(id);
  item.flags = flags;
  item.changed = modseq(1);
  return item;
}

std::vector<message_item> items_of(const mailbox_snapshot& box) {
  std::vector<message_item> all;
  box.for_range(1, box.size(), [&](std::uint32_t, const message_item& item) { all.push_back(item); });
  return all;
}

void check_equal(const mailbox_snapshot& box, const std::vector<message_item>& model) {
  REQUIRE(items_of(box) == model);
  REQUIRE(box.size() == model.size());
  for (std::uint32_t n = 1; n <= model.size(); n += 1 + n / 8) {
    REQUIRE(box.at(n) == model[n - 1]);
    REQUIRE(box.find(model[n - 1].id) == n);
  }
  std::size_t total = 0;
  for (std::size_t index = 0; index < box.chunks().size(); ++index) {
    REQUIRE(!box.chunks()[index]->empty());
    REQUIRE(box.chunks()[index]->size() <= mailbox_snapshot::chunk_messages);
    REQUIRE(box.first_sequence(index) == total + 1);
    total += box.chunks()[index]->size();
  }
}

/// What a client knows: for each sequence number the flags, or that it has to ask.
class client {
public:
  explicit client(const std::vector<message_item>& messages) : messages_(messages) {}

  void hear(std::string_view said, const mailbox_snapshot& now) {
    while (!said.empty()) {
      auto end = said.find("\r\n");
      REQUIRE(end != std::string_view::npos);
      line(said.substr(0, end), now);
      said.remove_prefix(end + 2);
    }
  }
  const std::vector<message_item>& messages() const { return messages_; }
  bool expunged = false;

private:
  void line(std::string_view text, const mailbox_snapshot& now) {
    INFO(text);
    if (text.starts_with("* FLAGS") || text.starts_with("* OK"))
      return;
    REQUIRE(text.starts_with("* "));
    text.remove_prefix(2);
    std::size_t n = 0;
    auto rest = std::from_chars(text.data(), text.data() + text.size(), n).ptr;
    text.remove_prefix(static_cast<std::size_t>(rest - text.data()));
    if (text == " EXPUNGE") {
      REQUIRE(n >= 1);
      REQUIRE(n <= messages_.size());
      messages_.erase(messages_.begin() + static_cast<std::ptrdiff_t>(n) - 1);
      expunged = true;
    } else if (text == " EXISTS") {
      REQUIRE(n > messages_.size());
      // the client fetches what is new, and gets it from its view
      for (auto next = messages_.size() + 1; next <= n; ++next)
        messages_.push_back(now.at(static_cast<std::uint32_t>(next)));
    } else {
      REQUIRE(text.starts_with(" FETCH (UID "));
      REQUIRE(n >= 1);
      REQUIRE(n <= messages_.size());
      auto& known = messages_[n - 1];
      REQUIRE(text.find("UID " + std::to_string(known.id.value) + " ") != std::string_view::npos);
      known.flags = text.find("\\Seen") != std::string_view::npos ? 1 : 0;
      known.keywords = text.find("word") != std::string_view::npos ? 1 : 0;
    }
  }
  std::vector<message_item> messages_;
};

} // namespace

TEST_CASE("an empty mailbox") {
  auto box = mailbox_snapshot::make({}, {});
  CHECK(box->size() == 0);
  CHECK(box->last_uid() == uid{});
  CHECK(box->lower_bound(uid(1)) == 1);
  CHECK(!box->find(uid(1)));
  CHECK(box->first_unseen() == 0);
  CHECK_THROWS(box->at(1));
  CHECK(box->with_removed({}, {})->size() == 0);
}

TEST_CASE("UIDs that don't ascend are a bug") {
  CHECK_THROWS(mailbox_snapshot::make({}, {message(2), message(2)}));
  auto box = mailbox_snapshot::make({}, {message(5)});
  std::vector<message_item> older = {message(4)};
  CHECK_THROWS(box->with_appended(older, {}));
}

TEST_CASE("a change copies only its chunk") {
  std::vector<message_item> items;
  for (std::uint32_t id = 1; id <= 10 * 1024; ++id)
    items.push_back(message(id));
  auto box = mailbox_snapshot::make({}, items);
  REQUIRE(box->chunks().size() == 10);
  std::vector<message_item> one = {message(3000, flag::seen)};
  auto changed = box->with_changed(one, {});
  for (std::size_t index = 0; index < 10; ++index)
    CHECK((box->chunks()[index] == changed->chunks()[index]) == (index != 2));
  CHECK(box->at(3000).flags == 0);
  CHECK(changed->at(3000).flags == flag::seen);
  std::vector<message_item> fresh = {message(20000)};
  auto grown = changed->with_appended(fresh, {});
  for (std::size_t index = 0; index < 10; ++index)
    CHECK(grown->chunks()[index] == changed->chunks()[index]);
  CHECK(grown->size() == 10241);
  CHECK(grown->first_unseen() == 1);
  std::vector<uid> gone = {uid(1), uid(5000), uid(99999)};
  auto shrunk = grown->with_removed(gone, {});
  CHECK(shrunk->size() == 10239);
  CHECK(shrunk->at(1).id == uid(2));
  CHECK(shrunk->lower_bound(uid(5000)) == 4999);
  CHECK(shrunk->at(4999).id == uid(5001));
}

TEST_CASE("a mailbox thinned out one by one keeps few chunks") {
  std::vector<message_item> items;
  std::vector<uid> ids;
  for (std::uint32_t id = 1; id <= 20000; ++id) {
    items.push_back(message(id));
    if (id % 100 != 0)
      ids.push_back(uid(id));
  }
  auto box = mailbox_snapshot::make({}, items);
  std::shuffle(ids.begin(), ids.end(), std::linear_congruential_engine<std::uint32_t, 48271, 0, 2147483647>(1));
  for (auto id : ids)
    box = box->with_removed({&id, 1}, {});
  CHECK(box->size() == 200);
  CHECK(box->chunks().size() <= 3);
}

TEST_CASE("snapshots and their differences agree with a model") {
  std::linear_congruential_engine<std::uint32_t, 48271, 0, 2147483647> random(GENERATE(1U, 2U, 3U, 4U));
  mailbox_state state;
  std::uint32_t next = 1;
  std::vector<message_item> model;
  for (; next <= 3000; ++next)
    model.push_back(message(next));
  auto box = mailbox_snapshot::make(state, model);
  auto view = box;
  client believer(model);
  for (int round = 0; round < 400; ++round) {
    auto some = [&](unsigned most) {
      std::vector<std::size_t> places;
      for (std::size_t at = random() % 50; at < model.size() && places.size() < most; at += 1 + random() % 200)
        places.push_back(at);
      return places;
    };
    state.highest_modseq.value++;
    switch (random() % 4) {
    case 0: {
      std::vector<message_item> fresh;
      for (auto n = random() % 40; n > 0; --n)
        fresh.push_back(message(next += 1 + random() % 3, static_cast<std::uint8_t>(random() % 2)));
      box = box->with_appended(fresh, state);
      model.insert(model.end(), fresh.begin(), fresh.end());
      break;
    }
    case 1: {
      std::vector<message_item> changed = {};
      for (auto at : some(30)) {
        model[at].flags ^= flag::seen;
        model[at].changed = state.highest_modseq;
        changed.push_back(model[at]);
      }
      if (random() % 5 == 0) { // one that isn't there any more
        changed.push_back(message(next + 1000));
      }
      box = box->with_changed(changed, state);
      break;
    }
    case 2: {
      std::vector<uid> gone;
      for (auto at : some(random() % 20 == 0 ? 1000 : 10))
        gone.push_back(model[at].id);
      box = box->with_removed(gone, state);
      std::erase_if(model, [&](const message_item& m) { return std::binary_search(gone.begin(), gone.end(), m.id); });
      break;
    }
    default: {
      bool allowed = random() % 2 == 0;
      std::string said;
      believer.expunged = false;
      auto known = write_changes(view, box, {.expunge_allowed = allowed, .with_uid = true}, said);
      view = known;
      believer.hear(said, *view);
      REQUIRE((allowed || !believer.expunged));
      // what the client believes is what its view holds
      auto shown = items_of(*view);
      REQUIRE(shown.size() == believer.messages().size());
      for (std::size_t at = 0; at < shown.size(); ++at) {
        REQUIRE(shown[at].id == believer.messages()[at].id);
        REQUIRE(shown[at].flags == believer.messages()[at].flags);
      }
      if (allowed)
        REQUIRE(view == box);
    }
    }
    check_equal(*box, model);
  }
}

TEST_CASE("the order of what is told: EXPUNGE from above, EXISTS, FLAGS, FETCH") {
  mailbox_state state;
  state.keywords = std::make_shared<const std::vector<std::string>>();
  std::vector<message_item> items = {message(1), message(2), message(3), message(4)};
  auto view = mailbox_snapshot::make(state, items);
  std::vector<uid> gone = {uid(1), uid(3)};
  auto box = view->with_removed(gone, state);
  state.keywords = std::make_shared<const std::vector<std::string>>(std::vector<std::string>{"word"});
  auto second = message(2, flag::seen);
  second.keywords = 1;
  second.changed = modseq(7);
  std::vector<message_item> changed = {second}, fresh = {message(9)};
  box = box->with_changed(changed, state)->with_appended(fresh, state);
  std::string said;
  CHECK(write_changes(view, box, {.with_modseq = true}, said) == box);
  CHECK(said
        == "* 3 EXPUNGE\r\n* 1 EXPUNGE\r\n* 3 EXISTS\r\n"
           "* FLAGS (\\Seen \\Answered \\Flagged \\Deleted \\Draft word)\r\n"
           "* OK [PERMANENTFLAGS (\\Seen \\Answered \\Flagged \\Deleted \\Draft word \\*)] Flags that are kept\r\n"
           "* 1 FETCH (FLAGS (\\Seen word) MODSEQ (7))\r\n");
  said.clear();
  auto held = write_changes(view, box, {.expunge_allowed = false}, said);
  CHECK(held->size() == 5);
  CHECK(said.starts_with("* 5 EXISTS\r\n"));
  CHECK(said.ends_with("* 2 FETCH (FLAGS (\\Seen word))\r\n"));
  said.clear();
  CHECK(write_changes(held, box, {}, said) == box);
  CHECK(said == "* 3 EXPUNGE\r\n* 1 EXPUNGE\r\n");
}
