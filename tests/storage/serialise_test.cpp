#include <random>

#include "tests/storage/shard_fixture.hpp"

using namespace merpati;
using namespace merpati::storage;
using namespace merpati::storage::testing;

namespace {

class maker {
public:
  explicit maker(std::uint64_t seed) : random_(seed) {}

  std::uint64_t number() { return random_() >> (random_() % 64); }
  std::uint32_t small() { return static_cast<std::uint32_t>(number()); }
  bool coin() { return random_() % 2 == 0; }
  std::string text() {
    std::string out(random_() % 40, '\0');
    for (auto& c : out)
      c = static_cast<char>(random_());
    return out;
  }
  timestamp time() { return timestamp(std::chrono::microseconds(static_cast<std::int64_t>(number()))); }
  std::vector<std::string> texts() {
    std::vector<std::string> out(random_() % 4);
    for (auto& t : out)
      t = text();
    return out;
  }
  std::vector<uid> uids() {
    std::vector<uid> out(random_() % 6);
    for (auto& u : out)
      u = uid(small());
    return out;
  }
  add_message message() {
    add_message m;
    for (auto& octet : m.delivery)
      octet = static_cast<std::uint8_t>(random_());
    if (coin())
      m.body = std::make_shared<const std::string>(text());
    else
      m.body = spooled_body{text(), number(), number()};
    for (auto n = random_() % 3; n > 0; --n)
      m.fronts.push_back({text(), text()});
    m.thread_key = number();
    m.now = time();
    m.internal_date = time();
    for (auto n = random_() % 4; n > 0; --n)
      m.targets.push_back({account_id(number()), mailbox_id(number()), text(), coin(), small(),
                           static_cast<std::uint8_t>(number()), texts(), coin()});
    for (auto n = random_() % 3; n > 0; --n)
      m.waiting.push_back({text(), time(), text(), small()});
    return m;
  }
  mutation any(std::size_t kind) {
    switch (kind) {
    case 0: return message();
    case 1: {
      store_flags m{mailbox_id(number()),
                    uids(),
                    static_cast<store_flags::mode>(random_() % 3),
                    static_cast<std::uint8_t>(number()),
                    texts(),
                    {}};
      if (coin())
        m.unchanged_since = modseq(number());
      return m;
    }
    case 2: return expunge{mailbox_id(number()), uids(), coin()};
    case 3: return copy_messages{mailbox_id(number()), mailbox_id(number()), uids(), coin(), time()};
    case 4: return create_mailbox{account_id(number()), text(), small(), small(), coin()};
    case 5: return delete_mailbox{mailbox_id(number())};
    case 6: return rename_mailbox{mailbox_id(number()), text(), small()};
    case 7: return subscribe{account_id(number()), text(), coin()};
    case 8:
      return put_account{
          {account_id(number()), text(), text(), text(), text(), text(), small(), coin(), small(), number(), number()}};
    case 9: return delete_account{account_id(number())};
    case 10: return put_domain{{text(), text()}};
    case 11: return delete_domain{text()};
    case 12: return put_address{{text(), text()}};
    case 13: return delete_address{text()};
    case 14: {
      update_waiting m;
      for (auto n = random_() % 3; n > 0; --n)
        m.put.push_back({waiting_id(number()), body_id(number()), text(), time(), text()});
      for (auto n = random_() % 3; n > 0; --n)
        m.remove.emplace_back(number());
      for (auto n = random_() % 3; n > 0; --n)
        m.replacements.push_back(message());
      for (auto n = random_() % 3; n > 0; --n)
        m.deliver.push_back({waiting_id(number()), account_id(number()), time()});
      return m;
    }
    case 15: return expire_deliveries{time()};
    default: {
      append_messages m;
      for (auto n = random_() % 3; n > 0; --n)
        m.messages.push_back(message());
      m.replaced_in = mailbox_id(number());
      m.replaced = uid(small());
      return m;
    }
    }
  }

private:
  std::mt19937_64 random_;
};

} // namespace

TEST_CASE("every mutation reads back as it was written") {
  maker make(5);
  for (int round = 0; round < 200; ++round)
    for (std::size_t kind = 0; kind < std::variant_size_v<mutation>; ++kind) {
      auto m = make.any(kind);
      REQUIRE(m.index() == kind);
      auto octets = serialise(m);
      auto read = deserialise(octets);
      INFO("kind " << kind << " round " << round);
      REQUIRE(read.has_value());
      REQUIRE(read->index() == kind);
      REQUIRE(serialise(*read) == octets);
      if (kind == 0) {
        const auto& a = std::get<add_message>(m);
        const auto& b = std::get<add_message>(*read);
        REQUIRE(a.fronts.size() == b.fronts.size());
        REQUIRE(a.internal_date == b.internal_date);
        REQUIRE(a.targets.size() == b.targets.size());
        for (std::size_t i = 0; i < a.targets.size(); ++i) {
          REQUIRE(a.targets[i].name == b.targets[i].name);
          REQUIRE(a.targets[i].front == b.targets[i].front);
          REQUIRE(a.targets[i].skip_when_full == b.targets[i].skip_when_full);
          REQUIRE(a.targets[i].keywords == b.targets[i].keywords);
        }
      }
      // Cut anywhere it is no mutation, and nothing worse.
      for (std::size_t n = 0; n < octets.size(); n += 1 + octets.size() / 40)
        REQUIRE_FALSE(deserialise(std::string_view(octets).substr(0, n)).has_value());
      REQUIRE_FALSE(deserialise(octets + '\0').has_value());
    }
}

TEST_CASE("random octets are refused, not believed") {
  std::mt19937_64 random(11);
  for (int round = 0; round < 20'000; ++round) {
    std::string octets(random() % 60, '\0');
    for (auto& c : octets)
      c = static_cast<char>(random());
    if (octets.size() > 2) {
      octets[0] = 1;
      octets[1] = static_cast<char>(random() % 17);
    }
    auto read = deserialise(octets);
    if (read)
      REQUIRE(deserialise(serialise(*read)).has_value());
  }
}
