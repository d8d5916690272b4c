#include "protocols/smtp/server_engine.hpp"

#include <set>

#include "protocols/smtp/server_commands.hpp"
#include "tests/protocols/smtp/conversation.hpp"
#include "tests/support/catch2.hpp"

using namespace merpati;
using test::smtp_conversation;

namespace {

smtp::server_options options(smtp::server_kind kind = smtp::server_kind::mx) {
  smtp::server_options o;
  o.hostname = "mx.example.org";
  o.kind = kind;
  return o;
}

struct session : smtp_conversation {
  explicit session(smtp::server_options o = options()) : smtp_conversation(std::move(o)) { start(); }
  /// The code and enhanced code of the last line that the server says to `text`.
  std::string say(std::string_view text) {
    const auto said = feed(std::string(text) + "\r\n");
    const auto without_end = said.substr(0, said.size() < 2 ? 0 : said.size() - 2);
    const auto newline = without_end.rfind('\n');
    const auto line = newline == std::string::npos ? without_end : without_end.substr(newline + 1);
    const auto first = line.find(' ');
    return line.substr(0, line.size() > first + 1 && std::isdigit(static_cast<unsigned char>(line[first + 1])) != 0
                              ? line.find(' ', first + 1)
                              : first);
  }
};

void bring_to(session& s, smtp::session_state state) {
  if (state >= smtp::state_greeted)
    s.say(s.engine().options().kind == smtp::server_kind::lmtp ? "LHLO c.example" : "EHLO c.example");
  if (state >= smtp::state_sender)
    s.say("MAIL FROM:<a@c.example>");
  if (state >= smtp::state_rcpt)
    s.say("RCPT TO:<alice@example.org>");
  if (state >= smtp::state_chunks)
    s.feed("BDAT 2\r\nx:");
}

} // namespace

TEST_CASE("every command in every state of an MX session") {
  struct row {
    std::string_view line;
    std::array<std::string_view, 5> replies; // fresh, greeted, sender, recipient, in chunks
  };
  const std::vector<row> rows{
      {"EHLO c.example", {"250", "250", "250", "250", "250"}},
      {"HELO c.example", {"250", "250", "250", "250", "250"}},
      {"MAIL FROM:<a@c.example>", {"503 5.5.1", "250 2.1.0", "503 5.5.1", "503 5.5.1", "503 5.5.1"}},
      {"RCPT TO:<bob@example.org>", {"503 5.5.1", "503 5.5.1", "250 2.1.5", "250 2.1.5", "503 5.5.1"}},
      {"DATA", {"503 5.5.1", "503 5.5.1", "503 5.5.1", "354", "503 5.5.1"}},
      {"RSET", {"250 2.0.0", "250 2.0.0", "250 2.0.0", "250 2.0.0", "250 2.0.0"}},
      {"NOOP", {"250 2.0.0", "250 2.0.0", "250 2.0.0", "250 2.0.0", "250 2.0.0"}},
      {"QUIT", {"221 2.0.0", "221 2.0.0", "221 2.0.0", "221 2.0.0", "221 2.0.0"}},
      {"STARTTLS", {"503 5.5.1", "220 2.0.0", "220 2.0.0", "220 2.0.0", "503 5.5.1"}},
      {"AUTH PLAIN AGFsaWNlAHNlY3JldA==", {"502 5.5.1", "502 5.5.1", "502 5.5.1", "502 5.5.1", "502 5.5.1"}},
      {"HELP", {"214 2.0.0", "214 2.0.0", "214 2.0.0", "214 2.0.0", "214 2.0.0"}},
      {"VRFY x", {"252 2.5.0", "252 2.5.0", "252 2.5.0", "252 2.5.0", "252 2.5.0"}},
      {"EXPN x", {"502 5.5.1", "502 5.5.1", "502 5.5.1", "502 5.5.1", "502 5.5.1"}},
      {"TURN", {"502 5.5.1", "502 5.5.1", "502 5.5.1", "502 5.5.1", "502 5.5.1"}},
      {"ETRN x", {"502 5.5.1", "502 5.5.1", "502 5.5.1", "502 5.5.1", "502 5.5.1"}},
      {"BDAT 0", {"503 5.5.1", "503 5.5.1", "503 5.5.1", "250 2.0.0", "250 2.0.0"}},
      {"BDAT 0 LAST", {"503 5.5.1", "503 5.5.1", "503 5.5.1", "250 2.0.0", "250 2.0.0"}},
      {"LHLO c.example", {"500 5.5.2", "500 5.5.2", "500 5.5.2", "500 5.5.2", "500 5.5.2"}},
      {"SEND FROM:<>", {"502 5.5.1", "502 5.5.1", "502 5.5.1", "502 5.5.1", "502 5.5.1"}},
      {"SOML FROM:<>", {"502 5.5.1", "502 5.5.1", "502 5.5.1", "502 5.5.1", "502 5.5.1"}},
      {"SAML FROM:<>", {"502 5.5.1", "502 5.5.1", "502 5.5.1", "502 5.5.1", "502 5.5.1"}},
      {"XCLIENT ADDR=192.0.2.1", {"500 5.5.2", "500 5.5.2", "500 5.5.2", "500 5.5.2", "500 5.5.2"}},
      {"XYZZY", {"500 5.5.2", "500 5.5.2", "500 5.5.2", "500 5.5.2", "500 5.5.2"}},
  };
  constexpr std::array states{smtp::state_fresh, smtp::state_greeted, smtp::state_sender, smtp::state_rcpt,
                              smtp::state_chunks};
  std::set<std::string> verbs;
  for (const auto& r : rows) {
    verbs.emplace(r.line.substr(0, r.line.find(' ')));
    for (std::size_t i = 0; i != states.size(); ++i) {
      INFO(r.line << " in state " << i);
      session s;
      bring_to(s, states[i]);
      CHECK(s.say(r.line) == r.replies[i]);
    }
  }
  for (const auto& c : smtp::command_table())
    CHECK(verbs.count(std::string(c.verb)) == 1);
}

TEST_CASE("XCLIENT is legal between messages, and nothing may stand behind it") {
  auto allowed = options(smtp::server_kind::mx);
  allowed.xclient_allowed = true;
  constexpr std::pair<smtp::session_state, std::string_view> expected[] = {{smtp::state_fresh, "503 5.5.1"},
                                                                           {smtp::state_greeted, "220"},
                                                                           {smtp::state_sender, "503 5.5.1"},
                                                                           {smtp::state_rcpt, "503 5.5.1"},
                                                                           {smtp::state_chunks, "503 5.5.1"}};
  for (const auto& [state, reply] : expected) {
    session s(allowed);
    bring_to(s, state);
    CHECK(s.say("XCLIENT ADDR=192.0.2.1").substr(0, reply.size()) == reply);
  }
  session s(allowed);
  bring_to(s, smtp::state_greeted);
  CHECK(s.say("XCLIENT ADDR=192.0.2.1\r\nEHLO c.example") == "554 5.5.0");
}

TEST_CASE("unknown commands are told where somebody wants to know, and count as errors all the same") {
  auto o = options();
  o.report_unknown = true;
  o.limits.errors = 3;
  session s(o);
  CHECK(s.say("XYZZY one") == "500 5.5.2");
  CHECK(s.events() == std::vector<std::string>{"unknown XYZZY one"});
  CHECK(s.say("XODD") == "502 5.5.1");
  CHECK(s.say("XODD") == "421 4.7.0");
  CHECK(s.closed());
}

TEST_CASE("LMTP has LHLO, and neither HELO nor EHLO nor AUTH") {
  for (auto state : {smtp::state_fresh, smtp::state_greeted, smtp::state_rcpt}) {
    session s(options(smtp::server_kind::lmtp));
    bring_to(s, state);
    CHECK(s.say("HELO c.example") == "500 5.5.2");
    CHECK(s.say("EHLO c.example") == "500 5.5.2");
    CHECK(s.say("AUTH PLAIN AGFsaWNlAHNlY3JldA==") == "502 5.5.1");
    CHECK(s.say("LHLO") == "501 5.5.4");
    CHECK(s.say("LHLO c.example") == "250");
  }
}

TEST_CASE("submission wants AUTH, and AUTH wants TLS") {
  session plain(options(smtp::server_kind::submission));
  plain.say("EHLO c.example");
  CHECK(plain.say("MAIL FROM:<a@example.org>") == "530 5.7.0");
  CHECK(plain.say("AUTH PLAIN AGFsaWNlAHNlY3JldA==") == "538 5.7.11");
  auto o = options(smtp::server_kind::submission);
  o.implicit_tls = true;
  session tls(o);
  CHECK(tls.say("AUTH PLAIN AGFsaWNlAHNlY3JldA==") == "503 5.5.1");
  tls.say("HELO c.example");
  CHECK(tls.say("AUTH PLAIN AGFsaWNlAHNlY3JldA==") == "503 5.5.1");
  tls.say("EHLO c.example");
  CHECK(tls.say("AUTH PLAIN AGFsaWNlAHNlY3JldA==") == "235 2.7.0");
  CHECK(tls.say("MAIL FROM:<a@example.org>") == "250 2.1.0");
}

TEST_CASE("clear text behind STARTTLS never reaches the session inside TLS") {
  SECTION("in the same piece: the session ends") {
    session s;
    s.say("EHLO c.example");
    CHECK(s.feed("STARTTLS\r\nMAIL FROM:<evil@c.example>\r\n")
          == "554 5.5.0 Protocol synchronisation error, closing connection\r\n");
    CHECK(s.closed());
  }
  SECTION("behind the 220 but before the handshake: dropped") {
    smtp::server_engine e(options());
    e.start();
    e.feed("EHLO c.example\r\n");
    CHECK(std::holds_alternative<smtp::need_input>(e.next()));
    e.feed("STARTTLS\r\n");
    REQUIRE(std::holds_alternative<smtp::start_tls>(e.next()));
    e.feed("EHLO evil.example\r\nNOOP\r\nMAIL FR");
    e.take_output();
    e.tls_started();
    CHECK(std::holds_alternative<smtp::need_input>(e.next()));
    CHECK(e.take_output() == "");
    CHECK(e.helo() == "");
    e.feed("NOOP\r\n");
    CHECK(std::holds_alternative<smtp::need_input>(e.next()));
    CHECK(e.take_output() == "250 2.0.0 Ok\r\n");
  }
  SECTION("a login in clear is forgotten") {
    auto o = options(smtp::server_kind::submission);
    o.plaintext_auth_allowed = true;
    session s(o);
    s.say("EHLO c.example");
    CHECK(s.say("AUTH PLAIN AGFsaWNlAHNlY3JldA==") == "235 2.7.0");
    s.say("STARTTLS");
    s.say("EHLO c.example");
    CHECK(s.say("MAIL FROM:<a@example.org>") == "530 5.7.0");
  }
}

TEST_CASE("what may not be pipelined ends the session") {
  for (std::string_view first : {"EHLO c.example", "HELO c.example", "STARTTLS"}) {
    session s;
    INFO(first);
    CHECK(s.feed(std::string(first) + "\r\nNOOP\r\n")
          == "554 5.5.0 Protocol synchronisation error, closing connection\r\n");
    CHECK(s.closed());
    CHECK(s.feed("NOOP\r\n") == "");
  }
  session data;
  bring_to(data, smtp::state_rcpt);
  CHECK(data.feed("DATA\r\nSubject: early\r\n") == "554 5.5.0 Protocol synchronisation error, closing connection\r\n");
  session quit;
  CHECK(quit.feed("QUIT\r\nNOOP\r\n") == "221 2.0.0 Bye\r\n");
}

TEST_CASE("an early talker is sent away by an MX and borne by submission") {
  smtp::server_engine mx(options());
  mx.feed("EHLO c.example\r\n");
  mx.start();
  CHECK(mx.take_output() == "554 5.5.0 Protocol synchronisation error, closing connection\r\n");
  CHECK(std::holds_alternative<smtp::close>(mx.next()));
  smtp::server_engine submission(options(smtp::server_kind::submission));
  submission.feed("EHLO c.example\r\n");
  submission.start();
  CHECK(submission.take_output() == "220 mx.example.org ESMTP Merpati\r\n");
  CHECK(std::holds_alternative<smtp::need_input>(submission.next()));
}

TEST_CASE("lines have a limit, with and without an end") {
  session s;
  CHECK(s.feed("NOOP " + std::string(2041, 'x') + "\r\n") == "250 2.0.0 Ok\r\n");
  CHECK(s.feed("NOOP " + std::string(2042, 'x') + "\r\n") == "500 5.5.2 Line too long\r\n");
  std::string said;
  for (int i = 0; i != 5000; ++i)
    said += s.feed("x");
  CHECK(said == "");
  CHECK(s.feed("\r\nNOOP\r\n") == "500 5.5.2 Line too long\r\n250 2.0.0 Ok\r\n");
  CHECK(s.feed(std::string(70'000, 'x')) == "421 4.7.0 Too many errors or connections, closing connection\r\n");
  CHECK(s.closed());
  auto o = options(smtp::server_kind::submission);
  o.plaintext_auth_allowed = true;
  session auth(o);
  auth.say("EHLO c.example");
  CHECK(auth.say("auth plain " + std::string(8000, 'A')) == "501 5.5.2");
  CHECK(auth.say("AUTH PLAIN") == "334");
  CHECK(auth.say(std::string(12'286, 'A')) == "501 5.5.2");
  CHECK(auth.say("AUTH PLAIN") == "334");
  CHECK(auth.say(std::string(12'287, 'A')) == "500 5.5.2");
  CHECK(auth.say("NOOP") == "250 2.0.0");
}

TEST_CASE("commands that lead nowhere count after a while, and a message makes good for errors") {
  auto o = options();
  o.limits.idle_commands = 5;
  o.limits.errors = 3;
  session s(o);
  for (int i = 0; i != 7; ++i)
    CHECK(s.say("NOOP") == "250 2.0.0");
  CHECK(s.feed("NOOP\r\n") == "250 2.0.0 Ok\r\n421 4.7.0 Too many errors or connections, closing connection\r\n");
  session good(o);
  for (int i = 0; i != 4; ++i) {
    bring_to(good, smtp::state_rcpt);
    CHECK(good.say("FROB") == "500 5.5.2");
    CHECK(good.say("FROB") == "500 5.5.2");
    CHECK(good.say("DATA") == "354");
    CHECK(good.say(".") == "250 2.0.0");
  }
}

TEST_CASE("shutdown from our side at any time") {
  SECTION("between commands") {
    session s;
    s.engine().shutdown(smtp::replies::shutting_down());
    CHECK(s.feed("NOOP\r\n") == "421 4.3.2 Service shutting down, closing connection\r\n");
    CHECK(s.closed());
    CHECK(s.events().empty());
  }
  SECTION("inside a message") {
    session s;
    bring_to(s, smtp::state_rcpt);
    s.say("DATA");
    s.feed("half a mess");
    s.engine().shutdown(smtp::replies::idle_timeout());
    CHECK(s.feed("age\r\n.\r\n") == "421 4.4.2 Timeout, closing connection\r\n");
    CHECK(s.events() == std::vector<std::string>{"aborted"});
  }
  SECTION("between the chunks of a message") {
    session s;
    bring_to(s, smtp::state_chunks);
    s.engine().shutdown(smtp::replies::idle_timeout());
    CHECK(s.feed("BDAT 0 LAST\r\n") == "421 4.4.2 Timeout, closing connection\r\n");
    CHECK(s.events() == std::vector<std::string>{"aborted"});
  }
  SECTION("while a question is open; a late answer is ignored") {
    smtp::server_engine e(options());
    e.start();
    e.feed("HELO c.example\r\n");
    e.next();
    e.feed("MAIL FROM:<>\r\n");
    REQUIRE(std::holds_alternative<smtp::mail_from>(e.next()));
    e.take_output();
    e.shutdown(smtp::replies::shutting_down());
    e.accept();
    CHECK(std::holds_alternative<smtp::close>(e.next()));
    CHECK(std::holds_alternative<smtp::close>(e.next()));
    CHECK(e.take_output() == "421 4.3.2 Service shutting down, closing connection\r\n");
  }
  SECTION("before the greeting") {
    smtp::server_engine e(options());
    e.shutdown(smtp::replies::overloaded());
    CHECK(std::holds_alternative<smtp::close>(e.next()));
    CHECK(e.take_output() == "421 4.3.2 Service too busy, closing connection\r\n");
  }
}

TEST_CASE("answers without their question are bugs of the caller") {
  smtp::server_engine e(options());
  CHECK_THROWS_AS(e.next(), std::logic_error);
  e.start();
  CHECK_THROWS_AS(e.start(), std::logic_error);
  CHECK_THROWS_AS(e.accept(), std::logic_error);
  CHECK_THROWS_AS(e.refuse(smtp::replies::unknown_user()), std::logic_error);
  CHECK_THROWS_AS(e.tls_started(), std::logic_error);
  CHECK_THROWS_AS(e.authenticated(smtp::auth_outcome::success), std::logic_error);
  e.feed("EHLO a\r\n");
  e.next();
  e.feed("MAIL FROM:<>\r\n");
  e.next();
  CHECK_THROWS_AS(e.next(), std::logic_error);
}

TEST_CASE("a message is handed out as views into the input") {
  smtp::server_engine e(options());
  e.start();
  auto ask = [&](std::string_view line) {
    e.feed(line);
    return e.next();
  };
  ask("HELO c\r\n");
  ask("MAIL FROM:<>\r\n");
  e.accept();
  e.next();
  ask("RCPT TO:<a@b>\r\n");
  e.accept();
  e.next();
  ask("DATA\r\n");
  e.accept();
  e.next();
  const std::string body = "line one\r\n" + std::string(100'000, 'x') + "\r\n";
  e.feed(body);
  const auto step = e.next();
  REQUIRE(std::holds_alternative<smtp::data_chunk>(step));
  const auto chunk = std::get<smtp::data_chunk>(step).octets;
  CHECK(chunk.data() == body.data());
  CHECK(chunk.size() == body.size());
  CHECK(e.in_data());
}
