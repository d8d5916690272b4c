#include "protocols/pop3/server_engine.hpp"

#include <set>

#include "protocols/pop3/server_commands.hpp"
#include "tests/protocols/pop3/conversation.hpp"
#include "tests/support/catch2.hpp"

using namespace merpati;
using test::pop3_conversation;

namespace {

pop3::server_options options_of(const test::transcript& t) {
  pop3::server_options o;
  o.hostname = "mail.example.org";
  o.scram_nonce = t.option("nonce");
  o.implicit_tls = t.option("implicit_tls") == "yes";
  o.plaintext_login_allowed = t.option("plaintext_login") == "yes";
  return o;
}

std::string run(const test::transcript& t, test::cutting how, std::uint32_t seed = 1) {
  pop3_conversation session(options_of(t));
  return test::run_transcript(t, session, how, seed);
}

pop3::server_options on_tls() {
  pop3::server_options o;
  o.hostname = "mail.example.org";
  o.implicit_tls = true;
  return o;
}

struct session : pop3_conversation {
  explicit session(pop3::server_options o = on_tls()) : pop3_conversation(std::move(o)) { start(); }
  std::string say(std::string_view line) { return feed(std::string(line) + "\r\n"); }
  std::string status(std::string_view line) { return say(line).substr(0, 3); }
  void log_in(std::string_view user = "alice") {
    say("USER " + std::string(user));
    say("PASS secret");
  }
};

} // namespace

TEST_CASE("every POP3 transcript, however the input is cut") {
  for (const auto& t : test::load_transcripts("pop3")) {
    INFO(t.name);
    CHECK(run(t, test::cutting::whole) == "");
    CHECK(run(t, test::cutting::octets) == "");
    for (std::uint32_t seed = 1; seed != 31; ++seed)
      CHECK(run(t, test::cutting::random, seed) == "");
    if (t.option("pipelined") == "yes")
      CHECK(run(t, test::cutting::pipelined) == "");
  }
}

TEST_CASE("every command in every state") {
  struct row {
    std::string_view line;
    std::string_view before;
    std::string_view after;
  };
  const std::vector<row> rows{
      {"USER alice", "+OK", "-ER"},
      {"PASS secret", "-ER", "-ER"},
      {"AUTH PLAIN", "+ \r", "-ER"},
      {"STLS", "-ER", "-ER"},
      {"CAPA", "+OK", "+OK"},
      {"QUIT", "+OK", "+OK"},
      {"STAT", "-ER", "+OK"},
      {"LIST", "-ER", "+OK"},
      {"RETR 1", "-ER", "+OK"},
      {"DELE 1", "-ER", "+OK"},
      {"NOOP", "-ER", "+OK"},
      {"RSET", "-ER", "+OK"},
      {"TOP 1 1", "-ER", "+OK"},
      {"UIDL", "-ER", "+OK"},
      {"APOP a b", "-ER", "-ER"},
      {"XYZZY", "-ER", "-ER"},
      {"", "-ER", "-ER"},
  };
  std::set<std::string> verbs;
  for (const auto& r : rows) {
    verbs.emplace(r.line.substr(0, r.line.find(' ')));
    INFO(r.line);
    session before;
    CHECK(before.status(r.line) == r.before);
    session after;
    after.log_in();
    CHECK(after.status(r.line) == r.after);
  }
  for (const auto& c : pop3::command_table())
    CHECK(verbs.count(std::string(c.verb)) == 1);
}

TEST_CASE("clear text behind STLS never reaches the session inside TLS") {
  pop3::server_options o;
  SECTION("in the same piece: the session ends") {
    session s(o);
    CHECK(s.feed("STLS\r\nUSER alice\r\n").starts_with("-ERR "));
    CHECK(s.closed());
    CHECK(s.events().empty());
  }
  SECTION("behind the +OK: dropped") {
    o.plaintext_login_allowed = true;
    pop3::server_engine e(o);
    e.start();
    e.feed("USER alice\r\n");
    e.next();
    e.feed("STLS\r\n");
    REQUIRE(std::holds_alternative<pop3::start_tls>(e.next()));
    e.feed("USER evil\r\nPASS");
    e.take_output();
    e.tls_started();
    CHECK(std::holds_alternative<pop3::need_input>(e.next()));
    e.feed("PASS secret\r\n");
    CHECK(std::holds_alternative<pop3::need_input>(e.next()));
    CHECK(e.take_output() == "-ERR Send USER first\r\n");
  }
}

TEST_CASE("bad commands have an end") {
  session s;
  for (int i = 0; i != 19; ++i)
    CHECK(s.say("FROB") == "-ERR Unknown command\r\n");
  CHECK(s.say("FROB") == "-ERR Unknown command\r\n-ERR Too many errors, closing connection\r\n");
  CHECK(s.closed());
  session long_line;
  CHECK(long_line.say("NOOP" + std::string(250, ' ')) == "-ERR Line too long\r\n");
  CHECK(long_line.say("CAPA" + std::string(249, ' ')).starts_with("+OK"));
  CHECK(long_line.feed(std::string(70'000, 'x')) == "-ERR Line too long, closing connection\r\n");
  CHECK(long_line.closed());
}

TEST_CASE("a long listing comes in pieces") {
  auto o = on_tls();
  o.limits.output_bytes = 1000;
  pop3::server_engine e(o);
  e.start();
  e.feed("USER a\r\nPASS b\r\nUIDL\r\nSTAT\r\n");
  REQUIRE(std::holds_alternative<pop3::login>(e.next()));
  std::vector<pop3::maildrop_entry> maildrop(5000, {1, std::string(70, 'u')});
  e.login_accepted(std::move(maildrop));
  std::string all;
  std::size_t pieces = 0;
  for (;;) {
    const auto step = e.next();
    const auto piece = e.take_output();
    CHECK(piece.size() < 1200);
    all += piece;
    ++pieces;
    if (std::holds_alternative<pop3::need_input>(step))
      break;
    REQUIRE(std::holds_alternative<pop3::send_output>(step));
  }
  CHECK(pieces > 300);
  CHECK(all.find("\r\n5000 " + std::string(70, 'u') + "\r\n.\r\n+OK 5000 5000\r\n") != std::string::npos);
}

TEST_CASE("TOP counts lines wherever the message is cut") {
  const std::string message = "A: b\r\nC: d\r\n\r\none\r\n\r\nthree\r\nfour";
  const std::vector<std::string> expected{"A: b\r\nC: d\r\n\r\n",
                                          "A: b\r\nC: d\r\n\r\none\r\n",
                                          "A: b\r\nC: d\r\n\r\none\r\n\r\n",
                                          "A: b\r\nC: d\r\n\r\none\r\n\r\nthree\r\n",
                                          message,
                                          message};
  for (std::size_t cut = 1; cut != message.size() + 1; ++cut)
    for (std::uint32_t lines = 0; lines != expected.size(); ++lines) {
      pop3::top_filter filter(lines);
      std::string got;
      for (std::string_view left = message; !left.empty() && !filter.done();
           left.remove_prefix(std::min(cut, left.size())))
        got += filter.take(left.substr(0, cut));
      CHECK(got == expected[lines]);
      CHECK(filter.done() == (lines < 4));
    }
}

TEST_CASE("POP3 shutdown from our side at any time") {
  SECTION("between commands") {
    session s;
    s.log_in();
    s.say("DELE 1");
    s.engine().shutdown("SYS/TEMP", "Shutting down");
    CHECK(s.say("QUIT") == "-ERR [SYS/TEMP] Shutting down\r\n");
    CHECK(s.closed());
    CHECK(s.events() == std::vector<std::string>{"login alice"});
  }
  SECTION("inside a message: nothing that could be taken for a part of it") {
    pop3::server_engine e(on_tls());
    e.start();
    e.feed("USER a\r\nPASS b\r\nRETR 1\r\n");
    e.next();
    e.login_accepted({{10, "u"}});
    REQUIRE(std::holds_alternative<pop3::retrieve>(e.next()));
    e.retrieve_accepted();
    e.body("half");
    e.take_output();
    e.shutdown("SYS/TEMP", "Shutting down");
    CHECK_FALSE(e.body("more"));
    e.body_end();
    CHECK(e.take_output() == "");
    CHECK(std::holds_alternative<pop3::close>(e.next()));
  }
  SECTION("a message that can't be read to its end closes the connection") {
    pop3::server_engine e(on_tls());
    e.start();
    e.feed("USER a\r\nPASS b\r\nRETR 1\r\nNOOP\r\n");
    e.next();
    e.login_accepted({{10, "u"}});
    e.next();
    e.retrieve_accepted();
    e.body("half");
    e.body_failed();
    CHECK(std::holds_alternative<pop3::close>(e.next()));
    CHECK(e.take_output().ends_with("octets\r\nhalf"));
  }
}

TEST_CASE("POP3 answers without their question are bugs of the caller") {
  pop3::server_engine e(on_tls());
  CHECK_THROWS_AS(e.next(), std::logic_error);
  e.start();
  CHECK_THROWS_AS(e.start(), std::logic_error);
  CHECK_THROWS_AS(e.login_accepted({}), std::logic_error);
  CHECK_THROWS_AS(e.login_refused(pop3::failure::temporary), std::logic_error);
  CHECK_THROWS_AS(e.retrieve_accepted(), std::logic_error);
  CHECK_THROWS_AS(e.body("x"), std::logic_error);
  CHECK_THROWS_AS(e.committed(), std::logic_error);
  CHECK_THROWS_AS(e.tls_started(), std::logic_error);
}
