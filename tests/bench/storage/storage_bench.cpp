// How many messages a node's shards take in a second, by number of shards, writer threads and batch size.
//
//   storage_bench <folder> [shards=1] [writers=1] [batch=64] [size_bytes=4096] [seconds=5]
//
// Each writer thread owns shards / writers shards and serves them in turn, one batch at a time, as a writer actor
// that always finds a full mailbox would. The folder is made and removed.
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "storage/shard.hpp"

using namespace merpati;
using namespace merpati::storage;

namespace {

struct settings {
  std::filesystem::path folder;
  unsigned shards = 1;
  unsigned writers = 1;
  unsigned batch = 64;
  unsigned size_bytes = 4096;
  unsigned seconds = 5;
};

constexpr unsigned accounts_per_shard = 50;
constexpr std::size_t summary_bytes = 700; ///< a usual ENVELOPE, BODYSTRUCTURE and header values

std::vector<account_id> make_accounts(shard& s) {
  std::vector<account_id> made;
  for (unsigned i = 0; i < accounts_per_shard; ++i) {
    put_account m;
    m.account.name = "user" + std::to_string(i) + "@example.org";
    mutation change = m;
    auto answers = s.apply({&change, 1});
    if (!answers[0])
      std::exit((std::fprintf(stderr, "%s\n", answers[0].error().what.c_str()), 1));
    made.push_back(answers[0]->account);
  }
  return made;
}

/// Fills batches and applies them to its shards until the time is up; returns the messages stored.
std::uint64_t write_for(const settings& set, std::vector<shard*> shards) {
  std::vector<std::vector<account_id>> accounts;
  for (auto* s : shards)
    accounts.push_back(make_accounts(*s));
  std::uint64_t stored = 0;
  std::uint64_t number = 0;
  auto end = std::chrono::steady_clock::now() + std::chrono::seconds(set.seconds);
  while (std::chrono::steady_clock::now() < end)
    for (std::size_t i = 0; i < shards.size(); ++i) {
      std::vector<mutation> batch;
      for (unsigned n = 0; n < set.batch; ++n) {
        add_message m;
        for (std::size_t k = 0; k < 8; ++k)
          m.delivery[k] = static_cast<std::uint8_t>(++number * 0x9e3779b97f4a7c15ull >> (8 * k));
        m.delivery[15] = 1;
        m.body = std::make_shared<const std::string>(set.size_bytes, static_cast<char>('a' + number % 26));
        m.fronts.push_back({"", std::string(summary_bytes, 's')});
        m.now = timestamp(std::chrono::microseconds(1'700'000'000'000'000 + static_cast<std::int64_t>(number)));
        m.internal_date = m.now;
        target t;
        t.account = accounts[i][number % accounts_per_shard];
        t.create = true;
        m.targets.push_back(std::move(t));
        batch.push_back(std::move(m));
      }
      for (const auto& answer : shards[i]->apply(batch))
        stored += answer.has_value();
    }
  return stored;
}

unsigned argument(int argc, char** argv, int at, unsigned otherwise) {
  return argc > at ? static_cast<unsigned>(std::strtoul(argv[at], nullptr, 10)) : otherwise;
}

} // namespace

int main(int argc, char** argv) {
  if (argc < 2)
    return std::fprintf(stderr, "usage: %s <folder> [shards] [writers] [batch] [size_bytes] [seconds]\n", argv[0]), 2;
  settings set{std::filesystem::path(argv[1]) / "merpati-storage-bench"};
  set.shards = argument(argc, argv, 2, set.shards);
  set.writers = argument(argc, argv, 3, set.writers);
  set.batch = argument(argc, argv, 4, set.batch);
  set.size_bytes = argument(argc, argv, 5, set.size_bytes);
  set.seconds = argument(argc, argv, 6, set.seconds);
  std::vector<std::unique_ptr<shard>> shards;
  for (unsigned i = 0; i < set.shards; ++i) {
    shard_options o;
    o.folder = set.folder / std::to_string(i);
    auto opened = shard::open(o);
    if (!opened)
      return std::fprintf(stderr, "%s\n", opened.error().what.c_str()), 1;
    shards.push_back(std::move(*opened));
  }
  std::atomic<std::uint64_t> stored{0};
  std::vector<std::thread> threads;
  auto writers = std::min(set.writers, set.shards);
  auto cpu_before = std::clock();
  auto begin = std::chrono::steady_clock::now();
  for (unsigned w = 0; w < writers; ++w) {
    std::vector<shard*> mine;
    for (unsigned i = w; i < set.shards; i += writers)
      mine.push_back(shards[i].get());
    threads.emplace_back([&stored, &set, mine] { stored += write_for(set, mine); });
  }
  for (auto& t : threads)
    t.join();
  auto seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  auto cpu = static_cast<double>(std::clock() - cpu_before) / CLOCKS_PER_SEC;
  auto count = static_cast<double>(stored.load());
  std::printf("shards=%u writers=%u batch=%u size=%u: %.0f messages/s, %.1f us CPU each, %.1f MB/s\n", set.shards,
              writers, set.batch, set.size_bytes, count / seconds, cpu * 1e6 / count,
              count * set.size_bytes / seconds / 1e6);
  shards.clear();
  std::filesystem::remove_all(set.folder);
  return 0;
}
