// The client's side of SMTP: transcripts as a list of "what the server says -> what the client says then", hostile
// servers, and our own server at the other end.
#include "protocols/smtp/client_engine.hpp"

#include <random>

#include "tests/protocols/smtp/conversation.hpp"
#include "tests/support/catch2.hpp"

using namespace merpati;
using namespace merpati::smtp;

namespace {

client_message message_to(std::vector<std::string> locals, std::uint64_t size = 5) {
  client_message m;
  m.to.sender = mailbox{"alice", "example.org"};
  for (auto& local : locals)
    m.to.recipients.push_back({mailbox{std::move(local), "example.net"}, {}});
  m.size_bytes = size;
  return m;
}

client_options plain_options() {
  client_options o;
  o.hostname = "us.example";
  return o;
}

/// A client whose messages are "body\r\n", written when it asks for them.
struct client {
  explicit client(client_options o) : engine(std::move(o)) {}

  /// Hears `octets`, does what is asked for, and tells what it said.
  std::string hear(std::string_view octets) {
    engine.feed(octets);
    return run();
  }

  std::string run() {
    for (;;) {
      switch (engine.next()) {
      case client_step::need_input: return engine.take_output();
      case client_step::closed: closed = true; return engine.take_output();
      case client_step::start_tls:
        said += engine.take_output();
        tls = true;
        return std::exchange(said, {}) + "<tls>";
      case client_step::ready:
        if (waiting.empty())
          return engine.take_output() + "<ready>";
        engine.begin(std::move(waiting.front()));
        waiting.erase(waiting.begin());
        break;
      case client_step::send_body:
        engine.write_body(body);
        engine.end_body();
        break;
      case client_step::message_over: outcomes.push_back(engine.outcomes()); break;
      }
    }
  }

  client_engine engine;
  std::vector<client_message> waiting;
  std::string body = ".hi\r\n";
  std::string said;
  std::vector<std::vector<client_outcome>> outcomes;
  bool closed = false;
  bool tls = false;
};

constexpr std::string_view full_ehlo =
    "250-far.example hello\r\n250-PIPELINING\r\n250-size 1000\r\n250-8BITMIME\r\n250-DSN\r\n250-SMTPUTF8\r\n"
    "250 ENHANCEDSTATUSCODES\r\n";

std::string_view word(client_verdict v) {
  switch (v) {
  case client_verdict::delivered: return "delivered";
  case client_verdict::deferred: return "deferred";
  case client_verdict::failed: return "failed";
  case client_verdict::untried: return "untried";
  }
  return {};
}

std::vector<std::string> summary(const std::vector<client_outcome>& outcomes) {
  std::vector<std::string> out;
  for (const auto& each : outcomes)
    out.push_back(std::string(word(each.what)) + ' ' + each.status);
  return out;
}

using texts = std::vector<std::string>;

} // namespace

TEST_CASE("a message to a server with PIPELINING goes in one group of commands", "[client]") {
  client c(plain_options());
  c.waiting = {message_to({"bob", "carol"})};
  CHECK(c.hear("220-far.example\r\n220 ESMTP\r\n") == "EHLO us.example\r\n");
  CHECK(c.hear(full_ehlo)
        == "MAIL FROM:<alice@example.org> SIZE=5\r\nRCPT TO:<bob@example.net>\r\nRCPT "
           "TO:<carol@example.net>\r\nDATA\r\n");
  CHECK(c.hear("250 2.1.0 ok\r\n250 2.1.5 ok\r\n550 5.1.1 nobody\r\n354 go\r\n") == "..hi\r\n.\r\n");
  CHECK(c.hear("250 2.0.0 taken as 17\r\n") == "<ready>");
  REQUIRE(c.outcomes.size() == 1);
  CHECK(summary(c.outcomes[0]) == texts{"delivered 2.0.0", "failed 5.1.1"});
  CHECK(c.outcomes[0][1].text == "550 5.1.1 nobody");
  c.engine.quit();
  CHECK(c.run() == "QUIT\r\n");
  CHECK(c.hear("221 bye\r\n").empty());
  CHECK(c.closed);
  CHECK_FALSE(c.engine.failure());
}

TEST_CASE("without extensions each command waits, HELO takes the place of EHLO", "[client]") {
  client c(plain_options());
  c.waiting = {message_to({"bob", "carol"})};
  CHECK(c.hear("220 old\r\n") == "EHLO us.example\r\n");
  CHECK(c.hear("500 what?\r\n") == "HELO us.example\r\n");
  CHECK(c.hear("250 old\r\n") == "MAIL FROM:<alice@example.org>\r\n");
  CHECK(c.hear("250 ok\r\n") == "RCPT TO:<bob@example.net>\r\n");
  CHECK(c.hear("450 later\r\n") == "RCPT TO:<carol@example.net>\r\n");
  CHECK(c.hear("250 ok\r\n") == "DATA\r\n");
  CHECK(c.hear("354 go\r\n") == "..hi\r\n.\r\n");
  CHECK(c.hear("250 ok\r\n") == "<ready>");
  CHECK(summary(c.outcomes.at(0)) == texts{"deferred 4.0.0", "delivered 2.0.0"});
}

TEST_CASE("with CHUNKING the message goes as it is", "[client]") {
  client c(plain_options());
  c.waiting = {message_to({"bob"})};
  c.hear("220 far\r\n");
  CHECK(c.hear("250-far\r\n250-PIPELINING\r\n250 CHUNKING\r\n")
        == "MAIL FROM:<alice@example.org>\r\nRCPT TO:<bob@example.net>\r\n");
  CHECK(c.hear("250 ok\r\n250 ok\r\n") == "BDAT 5 LAST\r\n.hi\r\n");
  CHECK(c.hear("250 ok\r\n") == "<ready>");
}

TEST_CASE("after a refused message the envelope is reset", "[client]") {
  client c(plain_options());
  c.waiting = {message_to({"bob"}), message_to({"carol"})};
  c.hear("220 far\r\n");
  c.hear(full_ehlo);
  CHECK(c.hear("451 4.3.0 not now\r\n503 no\r\n503 no\r\n") == "RSET\r\n");
  CHECK(summary(c.outcomes.at(0)) == texts{"deferred 4.3.0"});
  CHECK(c.hear("250 ok\r\n").substr(0, 10) == "MAIL FROM:");
  // Nobody is left, and the server asks for the message all the same. RFC 2920 3.1
  CHECK(c.hear("250 ok\r\n552 5.2.2 full\r\n354 go\r\n") == ".\r\n");
  CHECK(c.hear("250 thanks for nothing\r\n") == "<ready>");
  CHECK(summary(c.outcomes.at(1)) == texts{"deferred 5.2.2"});
}

TEST_CASE("too many recipients: the others are for the next transaction", "[client]") {
  client c(plain_options());
  c.waiting = {message_to({"a", "b", "c"})};
  c.hear("220 far\r\n");
  c.hear(full_ehlo);
  c.hear("250 ok\r\n250 ok\r\n452 4.5.3 enough\r\n452 4.5.3 enough\r\n354 go\r\n");
  c.hear("250 ok\r\n");
  CHECK(summary(c.outcomes.at(0)) == texts{"delivered 2.0.0", "untried 4.5.3", "untried 4.5.3"});

  client limited(plain_options());
  limited.waiting = {message_to({"a", "b", "c"})};
  limited.hear("220 far\r\n");
  CHECK(limited.hear("250-far\r\n250-PIPELINING\r\n250 LIMITS RCPTMAX=2 MAILMAX=1\r\n")
        == "MAIL FROM:<alice@example.org>\r\nRCPT TO:<a@example.net>\r\nRCPT TO:<b@example.net>\r\nDATA\r\n");
  limited.hear("250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n");
  limited.hear("250 ok\r\n");
  CHECK(limited.closed);
  CHECK(summary(limited.outcomes.at(0)) == texts{"delivered 2.0.0", "delivered 2.0.0", "untried "});
}

TEST_CASE("parameters of the envelope go where they are understood", "[client]") {
  auto m = message_to({"bob"});
  m.to.parameters.returned = returned_part::headers;
  m.to.parameters.envelope_id = "a b";
  m.to.parameters.body = body_type::eight_bit;
  m.to.recipients[0].parameters.notify = notify_success | notify_delay;
  m.to.recipients[0].parameters.original_type = "rfc822";
  m.to.recipients[0].parameters.original_recipient = "list@example.org";
  client c(plain_options());
  c.waiting = {m};
  c.hear("220 far\r\n");
  CHECK(c.hear(full_ehlo)
        == "MAIL FROM:<alice@example.org> SIZE=5 BODY=8BITMIME RET=HDRS ENVID=a+20b\r\n"
           "RCPT TO:<bob@example.net> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;list@example.org\r\nDATA\r\n");
  client old(plain_options());
  old.waiting = {m};
  old.hear("220 far\r\n");
  CHECK(old.hear("250 far\r\n") == "MAIL FROM:<alice@example.org>\r\n");
}

TEST_CASE("what a server can't take is not sent", "[client]") {
  struct row {
    std::string status;
    std::string ehlo;
    client_message message;
  };
  auto utf8 = message_to({"bob"});
  utf8.to.parameters.utf8 = true;
  auto binary = message_to({"bob"});
  binary.to.parameters.body = body_type::binary;
  auto secure = message_to({"bob"});
  secure.to.parameters.require_tls = true;
  for (auto& r :
       {row{"5.3.4", "250-far\r\n250 SIZE 4\r\n", message_to({"bob"})}, row{"5.6.7", "250 far\r\n", utf8},
        row{"5.6.3", "250-far\r\n250 CHUNKING\r\n", binary}, row{"5.7.30", "250-far\r\n250 REQUIRETLS\r\n", secure}}) {
    client c(plain_options());
    c.waiting = {r.message};
    c.hear("220 far\r\n");
    CHECK(c.hear(r.ehlo) == "<ready>");
    CHECK(summary(c.outcomes.at(0)) == texts{"failed " + r.status});
  }
}

TEST_CASE("STARTTLS", "[client][tls]") {
  auto offered = "250-far\r\n250 STARTTLS\r\n";
  client c(plain_options());
  c.waiting = {message_to({"bob"})};
  c.hear("220 far\r\n");
  CHECK(c.hear(offered) == "STARTTLS\r\n");
  CHECK(c.hear("220 go\r\n") == "<tls>");
  c.engine.tls_started();
  CHECK(c.run() == "EHLO us.example\r\n");
  CHECK(c.hear("250 far\r\n").substr(0, 4) == "MAIL");

  SECTION("octets behind the reply are somebody else's") {
    client attacked(plain_options());
    attacked.hear("220 far\r\n");
    attacked.hear(offered);
    CHECK(attacked.hear("220 go\r\n250 ok\r\n") == "QUIT\r\n");
    CHECK(attacked.closed);
    CHECK(attacked.engine.failure()->status == "4.7.0");
  }
  SECTION("refused, it is done without where that may be") {
    client refused(plain_options());
    refused.hear("220 far\r\n");
    refused.hear(offered);
    CHECK(refused.hear("454 no\r\n") == "<ready>");
    auto strict = plain_options();
    strict.tls = client_tls::need;
    client needs(strict);
    needs.hear("220 far\r\n");
    needs.hear(offered);
    CHECK(needs.hear("454 no\r\n") == "QUIT\r\n");
    CHECK(needs.engine.failure()->status == "4.7.4");
    client lacks(strict);
    lacks.hear("220 far\r\n");
    CHECK(lacks.hear("250 far\r\n") == "QUIT\r\n");
    CHECK(lacks.engine.failure()->status == "4.7.4");
  }
}

TEST_CASE("AUTH needs TLS, or a server on this machine", "[client]") {
  auto o = plain_options();
  o.user = "u";
  o.password = "p";
  client clear(o);
  clear.hear("220 far\r\n");
  CHECK(clear.hear("250-far\r\n250 AUTH PLAIN LOGIN\r\n") == "QUIT\r\n");
  CHECK(clear.engine.failure()->status == "4.7.11");
  o.plaintext_auth_allowed = true;
  client plain(o);
  plain.hear("220 far\r\n");
  CHECK(plain.hear("250-far\r\n250 AUTH LOGIN PLAIN\r\n") == "AUTH PLAIN AHUAcA==\r\n");
  CHECK(plain.hear("235 ok\r\n") == "<ready>");
  client login(o);
  login.hear("220 far\r\n");
  CHECK(login.hear("250-far\r\n250 AUTH LOGIN\r\n") == "AUTH LOGIN\r\n");
  CHECK(login.hear("334 VXNlcm5hbWU6\r\n") == "dQ==\r\n");
  CHECK(login.hear("334 UGFzc3dvcmQ6\r\n") == "cA==\r\n");
  CHECK(login.hear("535 5.7.8 no\r\n") == "QUIT\r\n");
  CHECK(login.engine.failure()->status == "4.7.8");
}

TEST_CASE("LMTP: a reply for each recipient that was taken", "[client]") {
  auto o = plain_options();
  o.lmtp = true;
  client c(o);
  c.waiting = {message_to({"a", "b", "c"})};
  CHECK(c.hear("220 far\r\n") == "LHLO us.example\r\n");
  c.hear("250-far\r\n250 PIPELINING\r\n");
  c.hear("250 ok\r\n250 ok\r\n550 5.1.1 no\r\n250 ok\r\n354 go\r\n");
  CHECK(c.hear("250 ok\r\n").empty());
  CHECK(c.hear("452 4.2.2 full\r\n") == "RSET\r\n");
  CHECK(summary(c.outcomes.at(0)) == texts{"delivered 2.0.0", "failed 5.1.1", "deferred 4.2.2"});
}

TEST_CASE("a connection that ends", "[client]") {
  client c(plain_options());
  c.waiting = {message_to({"bob"})};
  SECTION("before a message") {
    c.hear("220 far\r\n");
    c.engine.lost("gone");
    c.run();
    CHECK(c.closed);
    CHECK(c.engine.failure()->text == "gone");
  }
  SECTION("inside the envelope") {
    c.hear("220 far\r\n");
    c.hear(full_ehlo);
    c.engine.lost("gone");
    c.run();
    CHECK(summary(c.outcomes.at(0)) == texts{"deferred 4.4.2"});
    CHECK_FALSE(c.outcomes[0][0].unknown);
  }
  SECTION("when the message may have been taken") {
    c.hear("220 far\r\n");
    c.hear(full_ehlo);
    c.hear("250 ok\r\n250 ok\r\n354 go\r\n");
    c.engine.lost("gone");
    c.run();
    CHECK(summary(c.outcomes.at(0)) == texts{"deferred 4.4.2"});
    CHECK(c.outcomes[0][0].unknown);
  }
  SECTION("because it was idle for too long: the next message was not tried") {
    c.waiting.push_back(message_to({"carol"}));
    c.hear("220 far\r\n");
    c.hear(full_ehlo);
    c.hear("250 ok\r\n250 ok\r\n354 go\r\n");
    c.hear("250 ok\r\n");
    c.engine.lost("gone");
    c.run();
    CHECK(summary(c.outcomes.at(1)) == texts{"untried 4.4.2"});
  }
  SECTION("with 421") {
    c.hear("220 far\r\n");
    c.hear(full_ehlo);
    c.hear("250 ok\r\n421 4.3.2 shutting down\r\n");
    CHECK(summary(c.outcomes.at(0)) == texts{"deferred 4.3.2"});
    CHECK(c.closed);
  }
}

TEST_CASE("replies that are none end the connection, and mail waits", "[client]") {
  for (const auto& bad : {std::string("hello\r\n"), std::string("99 x\r\n"), std::string("250x\r\n"),
                          std::string("250-a\r\n251 b\r\n"), std::string(100'000, 'x') + "\r\n", [] {
                            std::string many;
                            for (int i = 0; i < 200; ++i)
                              many += "250-x\r\n";
                            return many;
                          }()}) {
    client c(plain_options());
    c.waiting = {message_to({"bob"})};
    c.hear("220 far\r\n");
    c.hear(full_ehlo);
    c.hear(bad);
    CHECK(c.closed);
    CHECK(summary(c.outcomes.at(0)) == texts{"deferred 4.4.2"});
  }
}

TEST_CASE("a greeting that is no welcome", "[client]") {
  for (const auto& [greeting, status] : {std::pair("554 5.7.1 go away\r\n", "5.7.1"),
                                         std::pair("421 busy\r\n", "4.0.0"), std::pair("250 what\r\n", "4.5.0")}) {
    client c(plain_options());
    c.hear(greeting);
    CHECK(c.closed);
    CHECK(c.engine.failure()->status == status);
  }
}

TEST_CASE("our client and our server understand each other, however the octets are cut", "[client]") {
  for (std::uint32_t seed = 1; seed <= 200; ++seed) {
    std::mt19937 random(seed);
    server_options options;
    options.hostname = "mail.example.org";
    options.tls_available = false;
    options.kind = (seed & 1u) != 0 ? server_kind::mx : server_kind::lmtp;
    test::smtp_conversation server(options);
    auto ours = plain_options();
    ours.lmtp = options.kind == server_kind::lmtp;
    client c(ours);
    client_message m;
    m.to.sender = mailbox{"a", "c.example"};
    for (const auto* local : {"alice", "nobody", "full"})
      m.to.recipients.push_back({mailbox{local, "example.org"}, {}});
    c.body = "Subject: x\r\n\r\n.\r\n..\r\nend";
    m.size_bytes = c.body.size();
    c.waiting = {m, m};
    auto to_client = server.start();
    for (int round = 0; round < 10'000 && !to_client.empty(); ++round) {
      const auto cut = std::min<std::size_t>(to_client.size(), 1 + random() % 40);
      auto said = c.hear(to_client.substr(0, cut));
      to_client.erase(0, cut);
      if (const auto at = said.find("<ready>"); at != std::string::npos)
        said.erase(at);
      for (std::size_t at = 0; at < said.size();) {
        const auto piece = std::min<std::size_t>(said.size() - at, 1 + random() % 40);
        to_client += server.feed(said.substr(at, piece));
        at += piece;
      }
    }
    REQUIRE(c.outcomes.size() == 2);
    for (const auto& each : c.outcomes)
      CHECK(summary(each) == texts{"delivered 2.0.0", "failed 5.1.1", "deferred 4.2.2"});
  }
}

TEST_CASE("what a server says is fit for terminals and logs", "[client]") {
  client_reply_reader reader;
  reader.feed("250-a\x1b[31mb\r\n250 c\xc2\x9b"
              "31md \xc3\xb6\r\n");
  REQUIRE(reader.next() == client_reply_reader::result::complete);
  CHECK(reader.value().text() == "250 a?[31mb c?31md \xc3\xb6");
}
