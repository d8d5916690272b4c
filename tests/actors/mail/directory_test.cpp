// Domains and accounts on real shards.
#include "actors/mail/directory.hpp"

#include <cstdlib>
#include <filesystem>
#include <map>

#include "base/crypto.hpp"
#include "protocols/sasl/scram.hpp"
#include "tests/support/catch2.hpp"

using namespace merpati;

namespace {

class fixture {
public:
  std::vector<std::unique_ptr<storage::shard>> shards;
  manual_clock clock{timestamp(std::chrono::seconds(1'700'000'000))};

  explicit fixture(std::uint32_t count = 1) {
    std::string pattern = (std::filesystem::temp_directory_path() / "merpati-directory-XXXXXX").string();
    REQUIRE(::mkdtemp(pattern.data()) != nullptr);
    folder_ = pattern;
    for (std::uint32_t i = 0; i < count; ++i) {
      storage::shard_options options;
      options.folder = folder_ / std::to_string(i);
      options.segment_bytes = 1 << 20;
      options.reserve_bytes = 0;
      auto opened = storage::shard::open(options);
      if (!opened)
        UNSCOPED_INFO(opened.error().what);
      REQUIRE(opened);
      shards.push_back(std::move(*opened));
    }
  }
  ~fixture() {
    shards.clear();
    std::error_code ec;
    std::filesystem::remove_all(folder_, ec);
  }
  fixture(const fixture&) = delete;
  fixture& operator=(const fixture&) = delete;

  mail::directory directory() { return mail::directory(mail::direct_store(shards), clock); }
  storage::account_row row(const std::string& name, std::size_t shard = 0) {
    auto view = shards[shard]->read();
    REQUIRE(view);
    auto found = view->account(name);
    REQUIRE(found);
    return *found;
  }

private:
  std::filesystem::path folder_;
};

struct two_shards : fixture {
  two_shards() : fixture(2) {}
};

template <class T>
errc code_of(const result<T>& r) {
  REQUIRE(!r);
  return r.error().code;
}

} // namespace

TEST_CASE_METHOD(fixture, "domains are kept in canonical form") {
  auto d = directory();
  CHECK(d.domains().value().empty());
  CHECK(d.add_domain("Example.ORG").value() == "example.org");
  CHECK(d.add_domain("B\xc3\xbc"
                     "cher.example")
            .value()
        == "xn--bcher-kva.example");
  CHECK(code_of(d.add_domain("EXAMPLE.org")) == errc::already_exists);
  for (const char* bad : {"", ".", "a..b", "a b", "-a.b", "[127.0.0.1]", "a@b.c", "a/b"}) {
    INFO(bad);
    CHECK(code_of(d.add_domain(bad)) == errc::invalid);
  }
  CHECK(d.domains().value() == std::vector<std::string>{"example.org", "xn--bcher-kva.example"});
  CHECK(code_of(d.remove_domain("example.net")) == errc::not_found);
  CHECK(d.remove_domain("EXAMPLE.ORG"));
  CHECK(d.domains().value() == std::vector<std::string>{"xn--bcher-kva.example"});
}

TEST_CASE_METHOD(fixture, "an account is made whole: row, keys, mailboxes") {
  auto d = directory();
  REQUIRE(d.add_domain("example.org"));
  CHECK(code_of(d.add_account({"alice@example.net", "wonderland", 0})) == errc::not_found);
  CHECK(d.add_account({"Alice@EXAMPLE.org", "wonderland", 1000}).value() == "alice@example.org");
  CHECK(code_of(d.add_account({"alice@example.org", "wonderland", 0})) == errc::already_exists);
  auto account = row("alice@example.org");
  CHECK(account.enabled);
  CHECK(account.quota_bytes == 1000);
  CHECK(crypto::argon2id_verify(account.password_hash, "wonderland"));
  auto scram = sasl::derive("wonderland", account.scram_salt, account.scram_iterations);
  REQUIRE(scram);
  CHECK(scram->stored_key == account.scram_stored_key);
  CHECK(scram->server_key == account.scram_server_key);
  CHECK(account.scram_salt.size() == 16);
  CHECK(account.scram_iterations >= 4096);

  auto view = shards[0]->read();
  REQUIRE(view);
  std::map<std::string, std::uint32_t> uses;
  for (const auto& mailbox : view->mailboxes(account.id)) {
    uses[mailbox.name] = mailbox.special_use;
    CHECK(mailbox.subscribed);
    CHECK(mailbox.uid_validity >= 1'700'000'000);
  }
  CHECK(uses
        == std::map<std::string, std::uint32_t>{{"INBOX", 0},
                                                {"Drafts", storage::use_drafts},
                                                {"Sent", storage::use_sent},
                                                {"Junk", storage::use_junk},
                                                {"Trash", storage::use_trash},
                                                {"Archive", storage::use_archive}});
  CHECK(view->subscriptions(account.id).size() == 6);
}

TEST_CASE_METHOD(fixture, "addresses and passwords that are unfit are refused with a sentence") {
  auto d = directory();
  REQUIRE(d.add_domain("example.org"));
  for (const char* bad : {"", "alice", "@example.org", "alice@", "a b@example.org", "alice@[127.0.0.1]",
                          "<alice@example.org>", "postmaster", "\"\"@example.org"}) {
    INFO(bad);
    CHECK(code_of(d.add_account({bad, "wonderland", 0})) == errc::invalid);
  }
  for (const std::string& bad : {std::string(), std::string("seven77"), std::string(257, 'x'),
                                 std::string("tab\tinside"), std::string("nul\0inside", 10),
                                 std::string("no utf-8 \xff"), std::string("\xc3\xa4\xc3\xb6\xc3\xbc\xc3\x9f")}) {
    INFO(bad);
    CHECK(code_of(d.add_account({"alice@example.org", bad, 0})) == errc::invalid);
  }
  CHECK(d.accounts().value().empty());
  CHECK(d.add_account({"alice@example.org", std::string(256, 'x'), 0}));
  CHECK(d.add_account({"\"odd one\"@example.org", "eight888", 0}).value() == "\"odd one\"@example.org");
}

TEST_CASE_METHOD(fixture, "changes of an account") {
  auto d = directory();
  REQUIRE(d.add_domain("example.org"));
  REQUIRE(d.add_account({"alice@example.org", "wonderland", 0}));
  auto before = row("alice@example.org");
  CHECK(d.set_enabled("ALICE@example.org", false));
  CHECK(!row("alice@example.org").enabled);
  CHECK(d.set_enabled("alice@example.org", true));
  CHECK(d.set_quota("alice@example.org", 5000));
  CHECK(d.set_password("alice@example.org", "looking glass"));
  auto after = row("alice@example.org");
  CHECK(after.id == before.id);
  CHECK(after.quota_bytes == 5000);
  CHECK(after.enabled);
  CHECK(after.scram_stored_key != before.scram_stored_key);
  CHECK(crypto::argon2id_verify(after.password_hash, "looking glass"));
  CHECK(code_of(d.set_password("alice@example.org", "short")) == errc::invalid);
  CHECK(code_of(d.set_password("bob@example.org", "long enough")) == errc::not_found);
  CHECK(d.accounts().value() == std::vector<mail::account_summary>{{"alice@example.org", true, 5000, 0, 0}});

  auto in_use = d.remove_domain("example.org");
  REQUIRE(!in_use);
  CHECK(in_use.error().code == errc::in_use);
  CHECK(in_use.error().what == "domain example.org has 1 account; remove it first");
  CHECK(d.remove_account("alice@example.org"));
  CHECK(code_of(d.remove_account("alice@example.org")) == errc::not_found);
  CHECK(d.accounts().value().empty());
  CHECK(shards[0]->read()->mailboxes(before.id).empty());
  CHECK(d.remove_domain("example.org"));
}

TEST_CASE_METHOD(fixture, "whatever step fails, the account is whole or disabled, and enabling completes it") {
  auto normal = directory();
  REQUIRE(normal.add_domain("example.org"));
  for (int allowed = 0;; ++allowed) {
    auto name = "user" + std::to_string(allowed) + "@example.org";
    auto store = mail::direct_store(shards);
    store.apply = [apply = store.apply, left = allowed](std::uint32_t shard, storage::mutation change) mutable {
      if (left-- == 0)
        return result<storage::outcome>(fail(errc::disk_full, "the disk is full"));
      return apply(shard, std::move(change));
    };
    auto made = mail::directory(std::move(store), clock).add_account({name, "wonderland", 0});
    auto found = shards[0]->read()->account(name);
    if (made) {
      CHECK(allowed == 8); // row, six mailboxes, row
      CHECK(found->enabled);
      break;
    }
    CHECK(made.error().code == errc::disk_full);
    REQUIRE(allowed < 20);
    if (allowed == 0) {
      CHECK(!found);
      continue;
    }
    REQUIRE(found);
    CHECK(!found->enabled);
    CHECK(normal.set_enabled(name, true));
    CHECK(row(name).enabled);
    CHECK(shards[0]->read()->mailboxes(found->id).size() == 6);
  }
}

TEST_CASE_METHOD(two_shards, "new accounts go where the fewest are, with a copy of their row beside their mail") {
  auto d = directory();
  REQUIRE(d.add_domain("example.org"));
  for (const char* name : {"a", "b", "c", "d"})
    REQUIRE(d.add_account({std::string(name) + "@example.org", "wonderland", 100}));
  CHECK(row("a@example.org").shard == 0);
  CHECK(row("b@example.org").shard == 1);
  CHECK(row("c@example.org").shard == 0);
  CHECK(row("d@example.org").shard == 1);
  auto b = row("b@example.org");
  CHECK(row("b@example.org", 1) == b);
  CHECK(shards[1]->read()->mailboxes(b.id).size() == 6);
  CHECK(shards[0]->read()->mailboxes(b.id).empty());
  CHECK(d.set_quota("b@example.org", 7));
  CHECK(row("b@example.org", 1).quota_bytes == 7);
  CHECK(d.accounts().value().size() == 4);
  CHECK(d.remove_account("b@example.org"));
  CHECK(shards[1]->read()->mailboxes(b.id).empty());
  CHECK(!shards[1]->read()->account("b@example.org"));
  CHECK(d.accounts().value().size() == 3);
}

TEST_CASE("generated passwords are readable, long and different") {
  auto one = mail::generated_password();
  CHECK(one.size() == 23);
  CHECK(one.find_first_not_of("abcdefghijklmnopqrstuvwxyz234567-") == std::string::npos);
  CHECK(one[5] == '-');
  CHECK(one[11] == '-');
  CHECK(one[17] == '-');
  CHECK(one != mail::generated_password());
}
