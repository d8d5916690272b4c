// A shard with domains, accounts, aliases and lists for tests of routing.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "actors/mail/delivery_plan.hpp"
#include "tests/support/catch2.hpp"
#include "tests/support/temporary_folder.hpp"

namespace merpati::test {

class routing_site {
public:
  routing_site() {
    storage::shard_options options;
    options.folder = folder_.path() / "0";
    options.reserve_bytes = 0;
    shard_ = std::move(storage::shard::open(options).value());
    rules.hostname = "mail.example.org";
    rules.srs_secrets = {"a secret"};
    domain("example.org");
  }

  void domain(const std::string& name, const std::string& alias_of = {}) {
    apply(storage::put_domain{{name, mail::write_settings(mail::domain_settings{alias_of})}});
  }
  account_id account(const std::string& name, std::uint64_t quota_messages = 0) {
    storage::put_account change;
    change.account.name = name;
    change.account.quota_messages = quota_messages;
    return apply(change).account;
  }
  /// An account with a message, for which it has just the room.
  void full_account(const std::string& name) {
    storage::add_message message;
    message.body = std::make_shared<const std::string>("x");
    message.fronts.emplace_back();
    message.targets.emplace_back();
    message.targets[0].account = account(name, 1);
    message.targets[0].create = true;
    apply(message);
  }
  void alias(const std::string& address, std::vector<std::string> targets) {
    put(address, mail::alias_settings{std::move(targets)});
  }
  void list(const std::string& address, mail::list_settings settings) { put(address, std::move(settings)); }
  void list_of(const std::string& address, std::vector<std::string> members) {
    mail::list_settings settings;
    settings.members = std::move(members);
    put(address, std::move(settings));
  }
  void forward(const std::string& address, std::vector<std::string> targets, bool keep_copy) {
    put(address, mail::forward_settings{std::move(targets), keep_copy});
  }
  storage::outcome apply(const storage::mutation& change) {
    auto done = std::move(shard_->apply({&change, 1}).front());
    REQUIRE(done);
    return std::move(*done);
  }

  storage::read_view view() const { return std::move(shard_->read().value()); }

  mail::delivery_plan plan(const std::string& sender = "outside@example.net", const std::string& account = {}) const {
    mail::sender_facts facts;
    if (!sender.empty())
      facts.sender = mail::parse_canonical(sender);
    facts.account = account;
    return mail::delivery_plan(rules, facts, now);
  }
  mail::admission add(mail::delivery_plan& plan, const std::string& recipient) const {
    auto parsed = smtp::parse_mailbox(recipient, {.utf8 = true});
    REQUIRE(parsed);
    auto admitted = plan.add(view(), {*parsed, {}});
    REQUIRE(admitted);
    return admitted->what;
  }

  mail::routing_rules rules;
  const timestamp now{std::chrono::days(20'784)};

private:
  void put(const std::string& address, const mail::address_settings& settings) {
    apply(storage::put_address{{address, mail::write_settings(settings)}});
  }

  temporary_folder folder_;
  std::unique_ptr<storage::shard> shard_;
};

} // namespace merpati::test
