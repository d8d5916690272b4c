// Aliases, lists and forwards through the admin port, from the client down to the store.
#include "actors/admin/admin_client.hpp"
#include "actors/admin/admin_server.hpp"
#include "actors/mail/address_book.hpp"
#include "actors/mail/directory.hpp"
#include "tests/support/catch2.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace merpati;

namespace {

class site {
public:
  site() {
    storage::shard_options options;
    options.folder = folder_.path() / "0";
    options.reserve_bytes = 0;
    shards_.push_back(std::move(storage::shard::open(options).value()));
    directory = std::make_unique<mail::directory>(mail::direct_store(shards_));
    book_ = std::make_unique<mail::address_book>(mail::direct_store(shards_), std::vector<std::string>{"secret"});
    REQUIRE(directory->add_domain("example.org"));
    for (const std::string user : {"alice", "bob"}) {
      mail::new_account account;
      account.address = user + "@example.org";
      account.password = "a long password";
      REQUIRE(directory->add_account(account));
    }
    admin::services what;
    what.accounts = directory.get();
    what.addresses = book_.get();
    admin::server_options options_of_server;
    options_of_server.token = "token";
    server_ = std::move(admin::server::start(options_of_server, what).value());
    client = std::make_unique<admin::client>("127.0.0.1", server_->port(), "token");
  }

  std::unique_ptr<mail::directory> directory;
  std::unique_ptr<admin::client> client;

private:
  test::temporary_folder folder_;
  std::vector<std::unique_ptr<storage::shard>> shards_;
  std::unique_ptr<mail::address_book> book_;
  std::unique_ptr<admin::server> server_;
};

} // namespace

TEST_CASE("aliases, lists and forwards are made, shown, changed and removed through the admin port") {
  site s;
  auto& c = *s.client;
  const auto alias = c.put_address({"Info/x@EXAMPLE.org", mail::alias_settings{{"Bob@example.org", "a@b.example"}}});
  CHECK(alias.value()
        == mail::address_entry{"info/x@example.org", mail::alias_settings{{"a@b.example", "bob@example.org"}}});
  mail::list_settings list;
  list.title = "All of \"us\"";
  list.posting = mail::posting_rule::members;
  list.owners = {"alice@example.org"};
  list.members = {"bob@example.org", "BOB@example.org"};
  CHECK(c.put_address({"all@example.org", list}));
  list.members = {"bob@example.org"};
  CHECK(c.address("ALL@example.org").value() == mail::address_entry{"all@example.org", list});
  CHECK(c.change_members("all@example.org", {"Alice@example.org", "x@b.example"}, {"bob@example.org", "no@b.example"})
        == std::size_t{2});
  CHECK(c.put_address({"alice@example.org", mail::forward_settings{{"a@elsewhere.example"}, false}}));
  const auto all = c.addresses().value();
  REQUIRE(all.size() == 3);
  CHECK(all[0] == mail::address_entry{"alice@example.org", mail::forward_settings{{"a@elsewhere.example"}, false}});
  CHECK(std::get<mail::list_settings>(all[1].settings).members
        == std::vector<std::string>{"alice@example.org", "x@b.example"});
  CHECK(c.remove_address("info/x@example.org"));
  CHECK(c.address("info/x@example.org").error().code == errc::not_found);
  CHECK(c.remove_address("info/x@example.org").error().code == errc::not_found);
  // A forward goes with its account.
  CHECK(c.remove_account("alice@example.org"));
  CHECK(c.address("alice@example.org").error().code == errc::not_found);
}

TEST_CASE("a list's name leaves room for the address of its bounces") {
  site s;
  // RFC 5321 4.5.3.1.1: 64 octets, of which -bounces takes eight.
  CHECK(s.client->put_address({std::string(56, 'l') + "@example.org", mail::list_settings{}}));
  const auto refused = s.client->put_address({std::string(57, 'l') + "@example.org", mail::list_settings{}});
  REQUIRE(!refused);
  CHECK(refused.error().code == errc::invalid);
  CHECK(refused.error().what
        == std::string(57, 'l')
               + "@example.org is too long for a list: with -bounces, where its bounces go, the part before @ would "
                 "have more than 64 octets");
  // Quotes count.
  CHECK(s.client->put_address({'"' + std::string(53, 'l') + " \"@example.org", mail::list_settings{}}));
  CHECK(!s.client->put_address({'"' + std::string(54, 'l') + " \"@example.org", mail::list_settings{}}));
  CHECK(s.client->put_address({std::string(64, 'l') + "@example.org", mail::alias_settings{{"bob@example.org"}}}));
}

TEST_CASE("what can't be is refused with a reason") {
  site s;
  auto& c = *s.client;
  auto put = [&](const std::string& address, mail::address_settings settings) {
    auto done = c.put_address({address, std::move(settings)});
    return done ? errc::internal : done.error().code;
  };
  const mail::alias_settings alias{{"bob@example.org"}};
  CHECK(put("info@elsewhere.example", alias) == errc::not_found);
  CHECK(put("alice@example.org", alias) == errc::already_exists);
  CHECK(put("alice@example.org", mail::list_settings()) == errc::already_exists);
  CHECK(put("info@example.org", mail::alias_settings()) == errc::invalid);
  CHECK(put("info@example.org", mail::alias_settings{{"nonsense"}}) == errc::invalid);
  CHECK(put("nonsense", alias) == errc::invalid);
  CHECK(put("nobody@example.org", mail::forward_settings{{"a@b.example"}, true}) == errc::not_found);
  CHECK(put("@example.org", mail::list_settings()) == errc::invalid);
  CHECK(put("all@example.org", mail::list_settings{std::string(46, 'x'), {}, {}, {}}) == errc::invalid);
  CHECK(put("all@example.org", mail::list_settings{"two\nlines", {}, {}, {}}) == errc::invalid);
  CHECK(c.put_address({"info@example.org", alias}));
  CHECK(put("info@example.org", mail::list_settings()) == errc::already_exists);
  CHECK(c.change_members("info@example.org", {"a@b.example"}, {}).error().code == errc::invalid);
  mail::new_account account;
  account.address = "info@example.org";
  account.password = "a long password";
  CHECK(c.add_account(account).error().code == errc::already_exists);
  CHECK(c.remove_account("alice@example.org"));
  CHECK(c.remove_account("bob@example.org"));
  CHECK(c.remove_domain("example.org").error().code == errc::in_use);
}

TEST_CASE("a domain can be an alias of another, and explain follows it") {
  site s;
  auto& c = *s.client;
  CHECK(c.set_domain_alias("BÜCHER.example", "example.org"));
  CHECK(c.set_domain_alias("other.example", "xn--bcher-kva.example").error().code == errc::invalid);
  CHECK(c.set_domain_alias("example.org", "example.org").error().code == errc::not_found);
  CHECK(c.set_domain_alias("example.org", "xn--bcher-kva.example").error().code == errc::invalid);
  CHECK(c.put_address({"x@xn--bcher-kva.example", mail::alias_settings{{"bob@example.org"}}}).error().code
        == errc::invalid);
  mail::explain_request ask;
  ask.recipient = "Alice+x@bücher.example";
  ask.sender = "a@b.example";
  ask.hostname = "mail.example.org";
  const std::vector<std::string> steps{
      "sender <a@b.example>, nobody logged in",
      "domain xn--bcher-kva.example is an alias of example.org",
      "there is no account, alias or list alice+x@example.org",
      "without its detail \"x\":",
      "alice@example.org is an account",
      "  into the mailbox of alice@example.org",
      "250 2.1.5: taken",
      "1 mailboxes, 0 addresses elsewhere, 0 full mailboxes later",
  };
  CHECK(c.explain(ask).value() == steps);
  ask.recipient = "two@signs@x";
  CHECK(c.explain(ask).error().code == errc::invalid);
  CHECK(c.set_domain_alias("bücher.example", ""));
  ask.recipient = "alice@bücher.example";
  CHECK(c.explain(ask).value().back() == "550 5.1.1: there is no such recipient");
}
