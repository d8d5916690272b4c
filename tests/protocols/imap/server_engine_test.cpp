// The engine alone: order, states, limits, hostile input, and two sessions on one mailbox.
#include <random>

#include "tests/protocols/imap/fake_server.hpp"
#include "tests/support/catch2.hpp"

using namespace merpati;
using namespace merpati::imap;
using merpati::test::fake_session;
using merpati::test::fake_world;

namespace {

engine_options over_tls() {
  engine_options o;
  o.tls_active = true;
  return o;
}

struct server {
  explicit server(engine_options o = over_tls(), std::shared_ptr<fake_world> w = std::make_shared<fake_world>())
      : world(std::move(w)), session(world, std::move(o)) {
    session.start();
  }
  std::string say(std::string_view text) { return session.feed(text); }
  server& log_in() {
    say("a LOGIN alice secret\r\n");
    return *this;
  }
  server& select(std::uint32_t messages) {
    auto& box = *world->find("INBOX");
    for (std::uint32_t n = 0; n < messages; ++n)
      world->append(box, "Subject: " + std::to_string(n) + "\r\n\r\nx\r\n", {}, world->now);
    log_in().say("a SELECT INBOX\r\n");
    return *this;
  }
  std::shared_ptr<fake_world> world;
  fake_session session;
};

std::string lines(int count, const std::string& line) {
  std::string all;
  for (int i = 0; i < count; ++i)
    all += line + "\r\n";
  return all;
}

} // namespace

TEST_CASE("each command in each state") {
  for (const auto& row : all_verbs()) {
    INFO(row.verb);
    auto outcome = [&](server& s) { return s.say("t " + std::string(row.verb) + "\r\n"); };
    auto illegal = [](const std::string& said) {
      return said.find("t BAD Log in first") == 0 || said.find("t BAD Not allowed") == 0;
    };
    server fresh;
    CHECK(illegal(outcome(fresh)) == ((row.states & in_not_authenticated) == 0));
    server in;
    in.log_in();
    CHECK(illegal(outcome(in)) == ((row.states & in_authenticated) == 0));
    server selected;
    selected.select(1);
    CHECK(illegal(outcome(selected)) == ((row.states & in_selected) == 0));
  }
}

TEST_CASE("limits before login") {
  SECTION("a line") {
    server s;
    CHECK(s.say("a LOGIN " + std::string(8200, 'x')) == "* BYE [TOOBIG] Line too long\r\n");
    CHECK(s.session.closed());
  }
  SECTION("a line at the limit") {
    server s;
    CHECK(s.say("a LOGIN x " + std::string(8192 - 12, 'x') + "\r\n").starts_with("a NO [AUTHENTICATIONFAILED]"));
  }
  SECTION("a synchronising literal") {
    server s;
    CHECK(s.say("a LOGIN {8193}\r\n") == "a BAD [TOOBIG] Literal too big\r\n");
    CHECK(s.say("b NOOP\r\n") == "b OK NOOP completed\r\n");
  }
  SECTION("a non-synchronising literal") {
    server s;
    CHECK(s.say("a LOGIN {8193+}\r\n") == "* BYE [TOOBIG] Literal too big\r\n");
    CHECK(s.session.closed());
  }
  SECTION("literals that add up") {
    server s;
    CHECK(s.say("a LOGIN {4090+}\r\n" + std::string(4090, 'x') + " {4090+}\r\n") == "");
    CHECK(s.say(std::string(4090, 'x') + "\r\n") == "a BAD [TOOBIG] Literal too big\r\n");
  }
  SECTION("failed logins") {
    server s;
    auto said = s.say(lines(9, "a LOGIN alice wrong"));
    CHECK(said == lines(5, "a NO [AUTHENTICATIONFAILED] Authentication failed") + "* BYE Too many failed logins\r\n");
  }
  SECTION("bare LF ends no line") {
    server s;
    CHECK(s.say("a NOOP\n") == "a BAD Lines end with CRLF\r\n");
    CHECK(s.say("a LOGIN alice {2+}\r\nx\r\n") == "a BAD Lines end with CRLF\r\n"); // the CR is the literal's
  }
}

TEST_CASE("limits after login") {
  SECTION("a line is passed over, and what follows understood") {
    server s;
    s.log_in();
    CHECK(s.say("a NOOP " + std::string(70000, 'x') + "\r\nb NOOP\r\n")
          == "a BAD [TOOBIG] Line too long\r\nb OK NOOP completed\r\n");
  }
  SECTION("a line that ends in a literal") {
    server s;
    s.log_in();
    CHECK(s.say("a NOOP " + std::string(70000, 'x') + " {14+}\r\nx NOOP\r\ny NOOP\r\nb NOOP\r\n")
          == "a BAD [TOOBIG] Line too long\r\nb OK NOOP completed\r\n");
  }
  SECTION("a literal") {
    server s;
    s.log_in();
    CHECK(s.say("a LIST \"\" {262145}\r\n") == "a BAD [TOOBIG] Literal too big\r\n");
    CHECK(s.say("a APPEND INBOX {99999999999+}\r\n") == "* BYE [TOOBIG] Literal too big\r\n");
  }
  SECTION("twenty bad commands in a row") {
    server s;
    s.log_in();
    CHECK(!s.say(lines(19, "a FOO")).empty());
    CHECK(s.say("a NOOP\r\n") == "a OK NOOP completed\r\n");
    auto said = s.say(lines(25, "a FETCH 1 FLAGS"));
    CHECK(said.ends_with("* BYE Too many bad commands\r\n"));
    CHECK(std::count(said.begin(), said.end(), '\n') == 21);
  }
  SECTION("commands beyond the last message count too") {
    server s;
    s.select(1);
    CHECK(s.say(lines(20, "a FETCH 2 FLAGS")).ends_with("* BYE Too many bad commands\r\n"));
  }
}

TEST_CASE("STARTTLS: what came in clear is forgotten") {
  engine_options o;
  o.starttls_available = true;
  server_engine engine(o);
  engine.start();
  std::string sent = "a STARTTLS\r\nb LOGIN alice secret\r\nc NO";
  engine.feed(sent);
  CHECK(std::holds_alternative<steps::start_tls>(engine.next()));
  CHECK(engine.take_output().ends_with("a OK Begin TLS negotiation now\r\n"));
  engine.tls_started();
  CHECK(std::holds_alternative<steps::need_input>(engine.next()));
  CHECK(engine.take_output().empty());
  engine.feed("OP FOO\r\n");
  CHECK(std::holds_alternative<steps::need_input>(engine.next()));
  CHECK(engine.take_output() == "OP BAD Unknown command\r\n");
}

TEST_CASE("answers without questions are bugs") {
  server_engine engine(over_tls());
  CHECK_THROWS(engine.finish(ok()));
  CHECK_THROWS(engine.login_succeeded());
  CHECK_THROWS(engine.accept_append());
  CHECK_THROWS(engine.tls_started());
  engine.feed("a NOOP\r\n");
  CHECK(std::holds_alternative<steps::execute>(engine.next()));
  CHECK_THROWS(engine.next());
}

TEST_CASE("octets fed before the last ones were used up are kept") {
  server_engine engine(over_tls());
  engine.feed("a NOOP\r\nb NO");
  CHECK(std::holds_alternative<steps::execute>(engine.next()));
  {
    std::string more = "OP\r\n";
    engine.feed(more);
    engine.feed(std::string("c NOOP\r\n"));
  }
  engine.finish(ok());
  CHECK(std::holds_alternative<steps::execute>(engine.next()));
  engine.finish(ok());
  CHECK(std::holds_alternative<steps::execute>(engine.next()));
  CHECK(engine.tag() == "c");
}

TEST_CASE("answers to a flood of commands are sent in between") {
  server_engine engine(over_tls());
  auto flood = lines(4000, "a CAPABILITY");
  engine.feed(flood);
  std::size_t largest = 0, sends = 0;
  for (;;) {
    auto s = engine.next();
    largest = std::max(largest, engine.take_output().size());
    if (std::holds_alternative<steps::need_input>(s))
      break;
    REQUIRE(std::holds_alternative<steps::send_output>(s));
    ++sends;
  }
  CHECK(sends > 5);
  CHECK(largest < 66 * 1024);
}

TEST_CASE("shutdown and loss of the mailbox") {
  server s;
  s.select(1);
  s.session.engine().mailbox_closed();
  CHECK(s.session.engine().take_output() == "* OK [CLOSED] The mailbox is gone\r\n");
  CHECK(s.session.engine().state() == session_state::authenticated);
  s.session.engine().shutdown("UNAVAILABLE", "Going down");
  CHECK(s.say("a NOOP\r\n") == "* BYE [UNAVAILABLE] Going down\r\n");
  CHECK(s.session.closed());
  server_engine refused(over_tls());
  refused.refuse("LIMIT", "Too many connections");
  CHECK(std::holds_alternative<steps::close>(refused.next()));
  CHECK(refused.take_output() == "* BYE [LIMIT] Too many connections\r\n");
}

TEST_CASE("APPEND hands the message over without a copy") {
  server_engine engine(over_tls());
  engine.feed("a LOGIN alice secret\r\n");
  engine.next();
  engine.login_succeeded();
  std::string sent = "b APPEND INBOX {10+}\r\n0123456789\r\n";
  engine.feed(sent);
  REQUIRE(std::holds_alternative<steps::append_begin>(engine.next()));
  engine.accept_append();
  auto s = engine.next();
  REQUIRE(std::holds_alternative<steps::append_data>(s));
  CHECK(std::get<steps::append_data>(s).octets.data() == sent.data() + 22);
  CHECK(std::holds_alternative<steps::append_end>(engine.next()));
}

TEST_CASE("two sessions: expunged messages stay until it may be told") {
  auto world = std::make_shared<fake_world>();
  server a(over_tls(), world), b(over_tls(), world);
  a.select(3);
  b.log_in().say("x SELECT INBOX\r\n");
  CHECK(a.say("a STORE 2 +FLAGS.SILENT (\\Deleted)\r\n") == "a OK STORE completed\r\n");
  CHECK(a.say("a EXPUNGE\r\n") == "* 2 EXPUNGE\r\na OK EXPUNGE completed\r\n");
  CHECK(a.say("a APPEND INBOX {9+}\r\nA: b\r\n\r\nc\r\n")
        == "* 3 EXISTS\r\na OK [APPENDUID 1001 4] APPEND completed\r\n");
  // the second session's numbers stay while FETCH, STORE and SEARCH run
  CHECK(b.say("b FETCH 2:3 UID\r\n")
        == "* 2 FETCH (UID 2)\r\n* 3 FETCH (UID 3)\r\n* 4 EXISTS\r\nb OK FETCH completed\r\n");
  CHECK(b.say("b STORE 3 +FLAGS (\\Seen)\r\n") == "* 3 FETCH (FLAGS (\\Seen))\r\nb OK STORE completed\r\n");
  CHECK(b.say("b SEARCH ALL\r\n") == "* SEARCH 1 2 3 4\r\nb OK SEARCH completed\r\n");
  CHECK(b.say("b UID SEARCH 3\r\n") == "* SEARCH 3\r\n* 2 EXPUNGE\r\nb OK SEARCH completed\r\n");
  CHECK(a.session.poll() == "* 2 FETCH (FLAGS (\\Seen))\r\n");
  CHECK(b.say("b NOOP\r\n") == "b OK NOOP completed\r\n");
}

TEST_CASE("IDLE tells changes as they come") {
  auto world = std::make_shared<fake_world>();
  server a(over_tls(), world), b(over_tls(), world);
  a.select(1);
  b.log_in().say("x SELECT INBOX\r\n");
  CHECK(b.say("b IDLE\r\n") == "+ Idling\r\n");
  CHECK(b.session.engine().idling());
  a.say("a STORE 1 +FLAGS (\\Deleted)\r\n");
  CHECK(b.session.poll() == "* 1 FETCH (FLAGS (\\Deleted))\r\n");
  a.say("a EXPUNGE\r\n");
  CHECK(b.say("DONE\r\n") == "* 1 EXPUNGE\r\nb OK IDLE completed\r\n");
}

TEST_CASE("random octets never break the engine") {
  constexpr std::string_view words[] = {"a ",
                                        "LOGIN ",
                                        "alice ",
                                        "secret",
                                        "\r\n",
                                        "{3}",
                                        "{3+}",
                                        "\r\n",
                                        "FETCH ",
                                        "1:* ",
                                        "BODY[]",
                                        "(",
                                        ")",
                                        "\"",
                                        "UID ",
                                        "STORE ",
                                        "SEARCH ",
                                        "OR ",
                                        "APPEND ",
                                        "INBOX ",
                                        "IDLE",
                                        "DONE",
                                        "\r\n",
                                        "~{2}",
                                        "SELECT INBOX\r\n",
                                        "a LOGIN alice secret\r\n",
                                        "x",
                                        " ",
                                        "\\Seen",
                                        "\xff",
                                        "\n",
                                        "AUTHENTICATE PLAIN",
                                        "LOGOUT",
                                        "STARTTLS",
                                        "$",
                                        "RETURN (SAVE) "};
  for (std::uint32_t seed = 1; seed <= 300; ++seed) {
    std::linear_congruential_engine<std::uint32_t, 48271, 0, 2147483647> random(seed);
    engine_options o = over_tls();
    o.limits.bad_commands = o.limits.bad_commands_before_login = 1000;
    server s(o);
    s.select(2);
    std::string all;
    for (int i = 0; i < 200; ++i)
      all += words[random() % std::size(words)];
    // whole and in pieces with the same outcome
    server pieces(o);
    pieces.select(2);
    std::string in_pieces;
    for (char c : all)
      in_pieces += pieces.say(std::string_view(&c, 1));
    CHECK(s.say(all) == in_pieces);
  }
}
