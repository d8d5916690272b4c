// A whole site on the deterministic scheduler: a store in a temporary folder, the service actors, the domain
// example.org with alice and bob (passwords "alice-secret", "bob-secret"), and sessions that talk to scripted peers.
#pragma once

#include <memory>
#include <string>

#include "actors/auth/authenticator_actor.hpp"
#include "actors/mail/directory.hpp"
#include "actors/mail/mailboxes_actor.hpp"
#include "actors/session/imap_session.hpp"
#include "actors/session/pop3_session.hpp"
#include "actors/session/services.hpp"
#include "actors/session/smtp_session.hpp"
#include "actors/store/io_actor.hpp"
#include "actors/store/node_store.hpp"
#include "actors/store/writer_actor.hpp"
#include "tests/support/actors/deterministic_system.hpp"
#include "tests/support/actors/scripted_peer.hpp"
#include "tests/support/temporary_folder.hpp"

namespace merpati::test {

class small_site {
public:
  small_site() {
    storage::shard_options options;
    options.folder = folder_.path() / "0";
    options.reserve_bytes = 0;
    std::vector<std::unique_ptr<storage::shard>> shards;
    shards.push_back(std::move(storage::shard::open(options).value()));
    make_accounts(shards);

    auto made = std::make_shared<session::services>();
    made->hostname = "mail.example.org";
    made->routing.hostname = made->hostname;
    made->routing.srs_secrets = {"the secret of this site"};
    made->clock = &clock;
    auto writer = std::make_shared<runtime::actor_slot>();
    std::vector<store::node_store::entry> entries;
    entries.push_back({std::move(shards.front()), writer});
    made->store = std::make_shared<store::node_store>(
        std::move(entries), store::io_pool({store::spawn_io(system, false), store::spawn_io(system, false)}));
    std::shared_ptr<storage::shard> shard(made->store, &made->store->shard(0));
    writer->set(caf::actor_cast<caf::actor>(store::spawn_writer(system, shard, false)));
    made->mailboxes_slot = std::make_shared<runtime::actor_slot>();
    made->mailboxes_slot->set(caf::actor_cast<caf::actor>(mail::spawn_mailboxes(system, made->store)));
    auth::authenticator_options login;
    login.accounts = [store = made->store](const std::string& name) -> result<std::optional<storage::account_row>> {
      return store->read(0)->account(name);
    };
    login.verify = [](const std::string&, const std::string& password) { return password.ends_with("-secret"); };
    login.detached_workers = false;
    made->authenticator_slot = std::make_shared<runtime::actor_slot>();
    made->authenticator_slot->set(caf::actor_cast<caf::actor>(auth::spawn_authenticator(system, login)));
    for (const auto& worker : {made->store->io().next(), made->store->io().next()})
      actors_.push_back(caf::actor_cast<caf::actor>(worker));
    actors_.push_back(writer->get());
    actors_.push_back(made->mailboxes_slot->get());
    actors_.push_back(made->authenticator_slot->get());
    services = std::move(made);
    system.run();
  }

  ~small_site() {
    system.advance(std::chrono::minutes(2)); // mailboxes that nobody has open end by themselves
    for (const auto& actor : actors_)
      caf::anon_send_exit(actor, caf::exit_reason::user_shutdown);
    actors_.clear();
    services.reset();
    system.run();
  }

  std::unique_ptr<scripted_peer> connect(std::function<runtime::task<void>(runtime::session_io&)> root) {
    runtime::session_settings settings;
    settings.kind = "test";
    settings.root = std::move(root);
    return std::make_unique<scripted_peer>(system, std::move(settings));
  }
  static session::door_ptr plaintext_door() {
    session::door entrance;
    entrance.plaintext_login = true;
    return std::make_shared<const session::door>(std::move(entrance));
  }
  std::unique_ptr<scripted_peer> smtp(smtp::server_kind kind = smtp::server_kind::mx) {
    return connect([this, kind](runtime::session_io& io) {
      return session::run_smtp_session(io, services, plaintext_door(), kind);
    });
  }
  std::unique_ptr<scripted_peer> imap() {
    return connect(
        [this](runtime::session_io& io) { return session::run_imap_session(io, services, plaintext_door()); });
  }
  std::unique_ptr<scripted_peer> pop3() {
    return connect(
        [this](runtime::session_io& io) { return session::run_pop3_session(io, services, plaintext_door()); });
  }

  /// An IMAP session of `user` that is logged in, greeting and answers taken.
  std::unique_ptr<scripted_peer> imap_as(const std::string& user) {
    auto peer = imap();
    peer->send("0 LOGIN " + user + "@example.org " + user + "-secret\r\n");
    auto answer = peer->take();
    CHECK(answer.find("\r\n0 OK") != std::string::npos);
    return peer;
  }

  /// One message from outside into `user`'s INBOX.
  void deliver(const std::string& user, const std::string& message) {
    auto peer = smtp();
    peer->send("EHLO client.example\r\n");
    peer->send("MAIL FROM:<outside@example.net>\r\n");
    peer->send("RCPT TO:<" + user + "@example.org>\r\n");
    peer->send("DATA\r\n");
    peer->take();
    peer->send(message + "\r\n.\r\n");
    CHECK(peer->take().starts_with("250 "));
    peer->send("QUIT\r\n");
  }

  manual_clock clock{timestamp(std::chrono::seconds(1'790'000'000))};
  deterministic_system system;
  std::shared_ptr<const session::services> services;

private:
  void make_accounts(std::vector<std::unique_ptr<storage::shard>>& shards) {
    mail::directory directory(mail::direct_store(shards), clock);
    REQUIRE(directory.add_domain("example.org"));
    for (const std::string user : {"alice", "bob"}) {
      mail::new_account account;
      account.address = user + "@example.org";
      account.password = user + "-secret";
      REQUIRE(directory.add_account(account));
    }
  }

  temporary_folder folder_;
  std::vector<caf::actor> actors_;
};

} // namespace merpati::test
