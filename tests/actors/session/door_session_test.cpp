// What strangers meet at the door, over whole sessions: rates, the greet pause, greylisting, limits of an account, and
// the least speed of a message.
#include "actors/session/data_rate.hpp"
#include "tests/actors/session/small_site.hpp"

using namespace merpati;
using namespace std::chrono_literals;
using test::contains;

namespace {

/// A site with a door in front, which knows nothing of DNS.
class guarded_site : public test::small_site {
public:
  explicit guarded_site(config::policy_settings policy) {
    policy::door_options options;
    options.policy = std::move(policy);
    options.counters = counters;
    options.clock = &clock;
    auto slot = std::make_shared<runtime::actor_slot>();
    slot->set(caf::actor_cast<caf::actor>(policy::spawn_door(system, options)));
    door_ = slot->get();
    auto changed = std::make_shared<session::services>(*services);
    changed->door_slot = std::move(slot);
    services = std::move(changed);
  }
  ~guarded_site() { caf::anon_send_exit(door_, caf::exit_reason::user_shutdown); }

  std::shared_ptr<policy::counters> counters = std::make_shared<policy::counters>();

private:
  caf::actor door_;
};

config::policy_settings no_pause() {
  config::policy_settings out;
  out.greet_pause = 0ms;
  return out;
}

} // namespace

TEST_CASE("a stranger who talks before the greeting is sent away, a patient one is greeted") {
  config::policy_settings policy;
  policy.greet_pause = 2s;
  guarded_site site(policy);
  auto patient = site.smtp();
  CHECK(patient->take() == "");
  site.system.advance(2s);
  CHECK(patient->take().starts_with("220 "));
  auto early = site.smtp();
  early->send("EHLO c.example\r\n");
  CHECK(early->take() == "554 5.5.0 Protocol synchronisation error, closing connection\r\n");
  CHECK(early->closed());
  auto user = site.smtp(smtp::server_kind::submission);
  CHECK(user->take().starts_with("220 "));
}

TEST_CASE("a network that connects too fast is told to come later, and others are not") {
  auto policy = no_pause();
  policy.rates.connections_per_minute = 2;
  guarded_site site(policy);
  for (int i = 0; i != 2; ++i)
    CHECK(site.smtp()->take().starts_with("220 "));
  auto third = site.smtp();
  CHECK(third->take() == "421 4.7.0 Too many errors or connections, closing connection\r\n");
  CHECK(third->closed());
  CHECK(site.counters->refused_rate.get() == 1);
  site.system.advance(30s);
  CHECK(site.smtp()->take().starts_with("220 "));
}

TEST_CASE("greylisting asks for a second try, for recipients that exist") {
  auto policy = no_pause();
  policy.greylist.enabled = true;
  guarded_site site(policy);
  auto attempt = [&](const std::string& to) {
    auto peer = site.smtp();
    peer->send("EHLO c.example\r\n");
    peer->send("MAIL FROM:<x@c.example>\r\n");
    peer->take();
    peer->send("RCPT TO:<" + to + ">\r\n");
    return peer->take();
  };
  CHECK(attempt("nobody@example.org").starts_with("550 5.1.1"));
  CHECK(attempt("alice@example.org") == "451 4.7.1 Greylisted, try again in 60 seconds\r\n");
  CHECK(attempt("postmaster@example.org").starts_with("250"));
  site.clock.advance(61s);
  CHECK(attempt("alice@example.org").starts_with("250 2.1.5"));
  CHECK(site.counters->passed.get() == 1);
}

TEST_CASE("an account may send so much an hour, and a network so many messages a minute") {
  auto policy = no_pause();
  policy.rates.account_messages_per_hour = 1;
  policy.rates.messages_per_minute = 1;
  guarded_site site(policy);
  auto peer = site.smtp(smtp::server_kind::submission);
  peer->send("EHLO client.example\r\n");
  peer->send("AUTH PLAIN AGFsaWNlQGV4YW1wbGUub3JnAGFsaWNlLXNlY3JldA==\r\n");
  const std::string envelope = "MAIL FROM:<alice@example.org>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\n";
  peer->send(envelope);
  CHECK_THAT(peer->take(), contains("354"));
  peer->send("\r\n.\r\n");
  CHECK_THAT(peer->take(), contains("250 2.0.0"));
  peer->send(envelope);
  CHECK_THAT(peer->take(), contains("421 4.7.0 Too much mail in a short time, try again in "));
  CHECK(peer->closed());
  auto stranger = site.smtp();
  stranger->send("HELO c.example\r\n");
  stranger->send("MAIL FROM:<x@c.example>\r\nRSET\r\nMAIL FROM:<x@c.example>\r\n");
  CHECK_THAT(stranger->take(), contains("250 2.1.0") && contains("421 4.7.0 Too much mail"));
}

TEST_CASE("who drips a message octet by octet is let go, who pauses is not") {
  test::small_site site;
  auto peer = site.smtp();
  peer->send("HELO c.example\r\n");
  peer->send("MAIL FROM:<x@c.example>\r\nRCPT TO:<alice@example.org>\r\nDATA\r\n");
  peer->take();
  for (int i = 0; i != 59; ++i) {
    site.clock.advance(1s);
    peer->send("x");
  }
  CHECK(peer->take() == "");
  site.clock.advance(1s);
  peer->send("x");
  CHECK(peer->take() == "421 4.4.2 Timeout, closing connection\r\n");
  CHECK(peer->closed());

  session::data_rate rate(100);
  const timestamp start{};
  rate.begin(start);
  CHECK(rate.take(6'000, start + 59s));
  CHECK(rate.take(1, start + 60s));
  CHECK_FALSE(rate.take(5'999, start + 120s));
  session::data_rate any(0);
  any.begin(start);
  CHECK(any.take(0, start + 24h));
}
