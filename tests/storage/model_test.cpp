// Random mutations against the model, with reopening, compaction and fsck in between.
#include "tests/storage/model.hpp"
#include "tests/storage/shard_fixture.hpp"

using namespace merpati;
using namespace merpati::storage;
using namespace merpati::storage::testing;

TEST_CASE("random mutations agree with the model") {
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    INFO("seed " << seed);
    std::mt19937_64 random(seed);
    temporary_folder folder;
    auto options = small_options(folder.path());
    auto s = open_shard(options);
    model expected;
    expected.owners = {add_account(*s, "a@example.org"), add_account(*s, "b@example.org")};
    for (int round = 0; round < 60; ++round) {
      std::vector<mutation> batch;
      for (auto n = random() % 8 + 1; n > 0; --n)
        batch.push_back(expected.random_mutation(random));
      REQUIRE(expected.apply(*s, batch));
      if (random() % 10 == 0)
        REQUIRE(s->compact(20'000).has_value());
      if (random() % 12 == 0) {
        s.reset();
        require_clean(options);
        s = open_shard(options);
        expected.compare(*s);
      }
    }
    expected.compare(*s);
    s.reset();
    require_clean(options);
  }
}

TEST_CASE("the same mutations make the same shard, however they are grouped") {
  std::mt19937_64 random(42);
  temporary_folder folder;
  auto whole = open_shard(small_options(folder.path() / "whole"));
  auto single = open_shard(small_options(folder.path() / "single"));
  model expected;
  expected.owners = {add_account(*whole, "a@example.org"), add_account(*whole, "b@example.org")};
  add_account(*single, "a@example.org");
  add_account(*single, "b@example.org");
  for (int round = 0; round < 60; ++round) {
    std::vector<mutation> batch;
    for (int n = 0; n < 6; ++n)
      batch.push_back(expected.random_mutation(random));
    expected.apply(*whole, batch);
    for (const auto& m : batch) {
      auto read = deserialise(serialise(m)); // as a replica would get them
      REQUIRE(read.has_value());
      single->apply({&*read, 1});
    }
  }
  CHECK(*whole->dump() == *single->dump());
}
