// A far end that answers out of turn or out of its class: nothing that it says by mistake may count as a delivery.
#include <array>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "protocols/smtp/client_engine.hpp"
#include "tests/support/catch2.hpp"

using namespace merpati;
using namespace merpati::smtp;

namespace {

client_options options_for(bool lmtp, client_tls tls = client_tls::may) {
  client_options o;
  o.hostname = "us.example";
  o.lmtp = lmtp;
  o.tls = tls;
  return o;
}

client_message message_to_two() {
  client_message m;
  m.to.sender = mailbox{"alice", "example.org"};
  m.to.recipients = {{mailbox{"bob", "example.net"}, {}}, {mailbox{"carol", "example.net"}, {}}};
  m.size_bytes = 4;
  return m;
}

/// What becomes of one message when the server says `replies` and goes away.
struct run {
  run(const client_options& o, std::string_view replies, int messages = 1) : engine(o) {
    engine.feed(replies);
    bool more = true;
    while (more) {
      const auto step = engine.next();
      said += engine.take_output();
      switch (step) {
      case client_step::need_input:
        engine.lost("gone");
        broke = true;
        break;
      case client_step::start_tls: more = false; break;
      case client_step::ready:
        more = messages-- > 0;
        if (more)
          engine.begin(message_to_two());
        break;
      case client_step::send_body:
        bodies += 1;
        engine.write_body("hi\r\n");
        engine.end_body();
        break;
      case client_step::message_over: outcomes.push_back(engine.outcomes()); break;
      case client_step::closed: more = false; break;
      }
    }
    said += engine.take_output();
  }

  client_engine engine;
  std::string said;
  std::vector<std::vector<client_outcome>> outcomes;
  int bodies = 0;
  bool broke = false;
};

std::vector<std::string> words(const std::vector<client_outcome>& outcomes) {
  constexpr std::array names{"delivered", "deferred", "failed", "untried"};
  std::vector<std::string> out;
  for (const auto& each : outcomes)
    out.emplace_back(names.at(static_cast<std::size_t>(each.what)));
  return out;
}

using texts = std::vector<std::string>;

constexpr std::array ehlos{"250 far\r\n", "250-far\r\n250 PIPELINING\r\n", "250-far\r\n250 CHUNKING\r\n",
                           "250-far\r\n250-CHUNKING\r\n250 PIPELINING\r\n"};

} // namespace

TEST_CASE("a success that answers DATA delivers nothing", "[client]") {
  for (const auto* ehlo : {"250 far\r\n", "250-far\r\n250 PIPELINING\r\n"})
    for (const auto* odd : {"250 2.0.0 thanks", "200 x", "299 2.6.0 y", "334 go on", "399 hm"}) {
      CAPTURE(ehlo, odd);
      const run r(options_for(false),
                  std::string("220 far\r\n") + ehlo + "250 ok\r\n250 ok\r\n250 ok\r\n" + odd + "\r\n");
      REQUIRE(r.outcomes.size() == 1);
      CHECK(words(r.outcomes[0]) == texts{"deferred", "deferred"});
      CHECK(r.outcomes[0][0].status == "4.5.0");
      CHECK(r.bodies == 0);
    }
}

TEST_CASE("delivered is what a reply to the message itself says, and nothing else", "[client]") {
  // Each place of a conversation hears each class of reply; all else is as it should be.
  for (const bool lmtp : {false, true})
    for (const auto* ehlo : ehlos)
      for (std::size_t place = 0; place < 6; ++place)
        for (const auto* odd : {"250 x", "354 x", "334 x", "451 x", "421 x", "550 x", "552 x"}) {
          const bool chunks = std::string_view(ehlo).find("CHUNKING") != std::string_view::npos;
          std::vector<std::string> replies{"250 mail", "250 bob", "250 carol"};
          if (!chunks)
            replies.emplace_back("354 go");
          replies.emplace_back("250 taken");
          if (lmtp)
            replies.emplace_back("250 taken");
          if (place >= replies.size())
            continue;
          replies[place] = odd;
          auto all = std::string("220 far\r\n") + ehlo;
          for (const auto& each : replies)
            all += each + "\r\n";
          CAPTURE(lmtp, ehlo, place, odd);
          const run r(options_for(lmtp), all);
          REQUIRE(r.outcomes.size() == 1);
          for (const auto& each : r.outcomes[0])
            if (each.what == client_verdict::delivered) {
              CHECK(r.bodies == 1);
              CHECK(each.is_reply);
              CHECK(each.text.starts_with("250 "));
            }
        }
}

TEST_CASE("421 to STARTTLS is the end, whatever TLS is wanted", "[client][tls]") {
  for (const auto tls : {client_tls::may, client_tls::need}) {
    const run r(options_for(false, tls), "220 far\r\n250-far\r\n250 STARTTLS\r\n421 4.3.2 going down\r\n");
    CHECK(r.outcomes.empty());
    REQUIRE(r.engine.failure());
    CHECK(r.engine.failure()->status == (tls == client_tls::may ? "4.3.2" : "4.7.4"));
    CHECK_FALSE(r.broke);
  }
}

TEST_CASE("a connection that was kept and is closed with 421 has tried nothing", "[client]") {
  const std::string first = "220 far\r\n250-far\r\n250 PIPELINING\r\n250 a\r\n250 b\r\n250 c\r\n354 d\r\n250 e\r\n";
  const run r(options_for(false), first + "421 4.4.2 idle for too long\r\n", 2);
  REQUIRE(r.outcomes.size() == 2);
  CHECK(words(r.outcomes[0]) == texts{"delivered", "delivered"});
  CHECK(words(r.outcomes[1]) == texts{"untried", "untried"});
  // The first message of a connection has no such excuse.
  const run fresh(options_for(false), "220 far\r\n250 far\r\n421 4.4.2 no\r\n");
  CHECK(words(fresh.outcomes.at(0)) == texts{"deferred", "deferred"});
}

TEST_CASE("after MAILMAX messages the client says good-bye", "[client]") {
  const run r(options_for(false), "220 far\r\n250-far\r\n250 LIMITS MAILMAX=1\r\n250 a\r\n250 b\r\n250 c\r\n354 d\r\n"
                                  "250 e\r\n221 bye\r\n");
  CHECK(words(r.outcomes.at(0)) == texts{"delivered", "delivered"});
  CHECK(r.said.ends_with("\r\n.\r\nQUIT\r\n"));
  CHECK_FALSE(r.broke);
}

TEST_CASE("a message that is not as long as it was announced never goes out in a chunk", "[client]") {
  for (const std::string_view body : {"hi\r", "hi\r\nQUIT\r\n"}) {
    client_engine engine(options_for(false));
    engine.feed("220 far\r\n250-far\r\n250-PIPELINING\r\n250 CHUNKING\r\n250 a\r\n250 b\r\n250 c\r\n");
    REQUIRE(engine.next() == client_step::ready);
    engine.begin(message_to_two());
    REQUIRE(engine.next() == client_step::send_body);
    auto send = [&] {
      engine.write_body(body);
      engine.end_body();
    };
    CHECK_THROWS_AS(send(), std::logic_error);
    CHECK(engine.take_output().find("QUIT") == std::string::npos);
  }
}

TEST_CASE("which servers need a message of 7 bits", "[client]") {
  const auto needs = [](std::string_view extensions, body_type body) {
    client_engine engine(options_for(false));
    engine.feed("220 far\r\n");
    engine.feed(extensions);
    REQUIRE(engine.next() == client_step::ready);
    mail_parameters p;
    p.body = body;
    return engine.needs_seven_bit(p);
  };
  CHECK(needs("250 far\r\n", body_type::eight_bit));
  CHECK_FALSE(needs("250-far\r\n250 8BITMIME\r\n", body_type::eight_bit));
  CHECK_FALSE(needs("250-far\r\n250 8BITMIME\r\n", body_type::seven_bit));
  CHECK(needs("250-far\r\n250-8BITMIME\r\n250 BINARYMIME\r\n", body_type::binary));
  CHECK_FALSE(needs("250-far\r\n250-8BITMIME\r\n250-CHUNKING\r\n250 BINARYMIME\r\n", body_type::binary));
}

TEST_CASE("a message whose size is an estimate goes with DATA", "[client]") {
  client_engine engine(options_for(false));
  engine.feed(
      "220 far\r\n250-far\r\n250-PIPELINING\r\n250-SIZE\r\n250 CHUNKING\r\n250 a\r\n250 b\r\n250 c\r\n354 d\r\n");
  REQUIRE(engine.next() == client_step::ready);
  auto m = message_to_two();
  m.to.parameters.body = body_type::eight_bit;
  CHECK(engine.needs_seven_bit(m.to.parameters));
  m.to.parameters.body = body_type::seven_bit;
  CHECK(engine.needs_seven_bit(m.to.parameters)); // clients say nothing and send octets above 127
  m.size_estimated = true;
  engine.begin(m);
  REQUIRE(engine.next() == client_step::send_body);
  engine.write_body("longer than four");
  engine.end_body();
  const auto said = engine.take_output();
  CHECK(said.find("SIZE=4") != std::string::npos);
  CHECK(said.ends_with("DATA\r\nlonger than four\r\n.\r\n"));
}

TEST_CASE("a chunk that was written whole may have been taken, also where its end was not said", "[client]") {
  for (const bool whole : {false, true}) {
    client_engine engine(options_for(false));
    engine.feed("220 far\r\n250-far\r\n250-PIPELINING\r\n250 CHUNKING\r\n250 a\r\n250 b\r\n250 c\r\n");
    REQUIRE(engine.next() == client_step::ready);
    engine.begin(message_to_two());
    REQUIRE(engine.next() == client_step::send_body);
    engine.write_body(whole ? "hi\r\n" : "hi\r");
    engine.lost("broke while sending");
    REQUIRE(engine.next() == client_step::message_over);
    CHECK(words(engine.outcomes()) == texts{"deferred", "deferred"});
    CHECK(engine.outcomes()[0].unknown == whole);
  }
}
