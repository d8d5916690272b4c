#include "protocols/milter/client_engine.hpp"

#include "tests/protocols/milter/scripted_filter.hpp"
#include "tests/support/catch2.hpp"

using namespace merpati;
using namespace merpati::milter;
using merpati::test::from_filter;
using merpati::test::header_change;
using merpati::test::negotiation;
using merpati::test::readable;
using merpati::test::response;
using merpati::test::texts;

namespace {

const macro_table macros{{"j", "mx.example"}, {"i", "4711"}, {"{mail_addr}", "a@b.example"}, {"{auth_authen}", ""}};

struct conversation {
  explicit conversation(std::uint32_t steps = protocol::header_leading_space, std::uint32_t version = 6,
                        std::string_view lists = {}, engine_limits limits = {})
      : engine(limits) {
    engine.start();
    (void)engine.take_output();
    engine.feed(negotiation(steps, version, lists));
    REQUIRE(std::holds_alternative<ready>(engine.next()));
  }

  /// What the filter is sent for `what`.
  std::string ask(const step& what) {
    engine.begin(what, macros);
    return readable(engine.take_output());
  }
  /// The engine's answer to `octets`, given one by one.
  answer hear(std::string_view octets) {
    for (char c : octets) {
      engine.feed({&c, 1});
      auto what = engine.next();
      if (!std::holds_alternative<need_input>(what))
        return what;
    }
    return need_input{};
  }
  said verdict_on(const step& what, std::string_view octets) {
    (void)ask(what);
    auto got = hear(octets);
    REQUIRE(std::holds_alternative<said>(got));
    return std::get<said>(got);
  }
  std::string failure(std::string_view octets) {
    auto got = hear(octets);
    REQUIRE(std::holds_alternative<broken>(got));
    return std::get<broken>(got).what;
  }

  client_engine engine;
};

const mail_step mail{{"<a@b.example>", "SIZE=10"}};
const rcpt_step rcpt{{"<c@d.example>"}};

} // namespace

TEST_CASE("the negotiation offers version 6 and all but rejected recipients and large packets") {
  client_engine engine;
  engine.start();
  CHECK(engine.take_output() == std::string("\0\0\0\x0dO\0\0\0\x06\0\0\x01\xff\0\x1f\xf7\xff", 17));
}

TEST_CASE("a message passes every stage in the order of the protocol") {
  conversation c;
  const auto go_on = from_filter(response::proceed);
  auto stage = [&](const step& what) {
    auto sent = c.ask(what);
    auto got = c.hear(go_on);
    REQUIRE(std::holds_alternative<said>(got));
    CHECK(std::get<said>(got).verdict == verdict::proceed);
    return sent;
  };
  CHECK(stage(connect_step{"host.example", address_family::inet, 0x4142, "192.0.2.1"})
        == "D Cj|mx.example|\nC host.example|4AB192.0.2.1|\n");
  CHECK(stage(helo_step{"host.example"}) == "H host.example|\n");
  CHECK(stage(mail) == "D Mi|4711|{mail_addr}|a@b.example|\nM <a@b.example>|SIZE=10|\n");
  CHECK(stage(rcpt) == "D Ri|4711|\nR <c@d.example>|\n");
  CHECK(stage(data_step{}) == "D Ti|4711|\nT\n");
  CHECK(stage(unknown_step{"FOO bar"}) == "U FOO bar|\n");
  CHECK(stage(header_step{"Subject", " hi"}) == "L Subject| hi|\n");
  CHECK(stage(end_of_headers_step{}) == "D Ni|4711|\nN\n");
  CHECK(stage(body_step{"text\r\n"}) == "B text\r\n\n");
  CHECK(stage(end_of_message_step{}) == "D Ei|4711|\nE\n");
  CHECK(stage(mail).ends_with("M <a@b.example>|SIZE=10|\n"));
  c.engine.abort_message();
  CHECK(readable(c.engine.take_output()) == "A\n");
  CHECK(c.engine.restart());
  CHECK(readable(c.engine.take_output()) == "K\n");
  c.engine.quit();
  CHECK(readable(c.engine.take_output()) == "Q\n");
}

TEST_CASE("an unknown client has neither port nor address") {
  conversation c;
  CHECK(c.ask(connect_step{"unknown", address_family::unknown, 1, "x"}) == "D Cj|mx.example|\nC unknown|U\n");
}

TEST_CASE("steps that the filter declines are answered at once, with their macros sent") {
  conversation c(protocol::no_mail | protocol::no_body);
  CHECK(c.ask(mail) == "D Mi|4711|{mail_addr}|a@b.example|\n");
  CHECK(std::get<said>(c.engine.next()).verdict == verdict::proceed);
  CHECK_FALSE(c.engine.wants_body());
  CHECK(c.ask(body_step{"x"}).empty());
  CHECK(std::get<said>(c.engine.next()).verdict == verdict::proceed);
}

TEST_CASE("steps that the filter does not answer are not waited for") {
  conversation c(protocol::no_reply_rcpt);
  CHECK(c.ask(rcpt) == "D Ri|4711|\nR <c@d.example>|\n");
  CHECK(std::get<said>(c.engine.next()).verdict == verdict::proceed);
}

TEST_CASE("an old filter hears only what its version has") {
  conversation c(protocol::no_reply_mail, 2);
  CHECK(c.ask(data_step{}) == "D Ti|4711|\n");
  CHECK(std::holds_alternative<said>(c.engine.next()));
  CHECK(c.ask(unknown_step{"FOO"}).empty());
  CHECK(std::holds_alternative<said>(c.engine.next()));
  (void)c.ask(mail);
  CHECK(std::holds_alternative<need_input>(c.engine.next()));
  CHECK(std::holds_alternative<said>(c.hear(from_filter(response::proceed))));
  CHECK_FALSE(c.engine.restart());
  // the first space of a value is the mail server's then
  CHECK(c.ask(header_step{"A", "  b"}) == "L A| b|\n");
}

TEST_CASE("the filter's own lists of macros replace the usual ones") {
  std::string lists;
  append_number(2, lists);
  append_text("auth_authen {mail_addr}, j", lists);
  conversation c(0, 6, lists);
  CHECK(c.ask(mail) == "D M{mail_addr}|a@b.example|j|mx.example|\nM <a@b.example>|SIZE=10|\n");
}

TEST_CASE("an accepted message is not asked about again, the next one is") {
  conversation c;
  CHECK(c.verdict_on(mail, from_filter(response::accept)).verdict == verdict::accept);
  CHECK(c.ask(rcpt).empty());
  CHECK(std::get<said>(c.engine.next()).verdict == verdict::proceed);
  CHECK(c.ask(end_of_message_step{}).empty());
  CHECK(std::holds_alternative<said>(c.engine.next()));
  c.engine.abort_message();
  CHECK(c.engine.take_output().empty());
  CHECK_FALSE(c.ask(mail).empty());
}

TEST_CASE("an accepted client is not asked about again") {
  conversation c;
  CHECK(c.verdict_on(helo_step{"h"}, from_filter(response::accept)).verdict == verdict::accept);
  for (const step& what : {step(mail), step(rcpt), step(unknown_step{"x"}), step(end_of_message_step{})}) {
    CHECK(c.ask(what).empty());
    CHECK(std::holds_alternative<said>(c.engine.next()));
  }
}

TEST_CASE("a refused recipient leaves the message open") {
  conversation c;
  CHECK(c.verdict_on(mail, from_filter(response::proceed)).verdict == verdict::proceed);
  auto no = c.verdict_on(rcpt, from_filter(response::reply_code, texts({"550 5.1.1 Not here"})));
  CHECK(no.verdict == verdict::reject);
  REQUIRE(no.reply);
  CHECK(*no.reply == smtp::reply{550, "5.1.1", "Not here"});
  CHECK_FALSE(c.ask(rcpt).empty());
}

TEST_CASE("skip ends the body, and is a breach elsewhere") {
  conversation c;
  CHECK(c.verdict_on(body_step{"a"}, from_filter(response::skip)).verdict == verdict::proceed);
  CHECK_FALSE(c.engine.wants_body());
  CHECK(c.ask(body_step{"b"}).empty());
  CHECK(std::holds_alternative<said>(c.engine.next()));
  (void)c.ask(end_of_message_step{});
  CHECK(c.failure(from_filter(response::skip)) == "skips what is no body");
}

TEST_CASE("changes come with the verdict at the end of the message") {
  conversation c;
  auto change = header_change(response::insert_header, 0, "X-A", " 1")
                + header_change(response::change_header, 2, "Subject", "")
                + from_filter(response::add_header, texts({"X-B", " 2"})) + from_filter(response::progress);
  (void)c.ask(end_of_message_step{});
  CHECK(std::holds_alternative<progressed>(c.hear(change)));
  auto got = c.hear(from_filter(response::replace_body, "one ") + from_filter(response::replace_body, "two")
                    + from_filter(response::add_recipient, texts({"<x@y.example>"}))
                    + from_filter(response::add_recipient_with_parameters, texts({"<x@y.example>", "NOTIFY=NEVER"}))
                    + from_filter(response::delete_recipient, texts({"<z@y.example>"}))
                    + from_filter(response::change_sender, texts({"<s@y.example>"}))
                    + from_filter(response::quarantine, texts({"virus"})) + from_filter(response::accept));
  using kind = modification::kind;
  REQUIRE(std::holds_alternative<said>(got));
  CHECK(std::get<said>(got).verdict == verdict::accept);
  CHECK(std::get<said>(got).changes
        == std::vector<modification>{{kind::insert_header, 0, "X-A", " 1"},
                                     {kind::change_header, 2, "Subject", ""},
                                     {kind::add_header, 0, "X-B", " 2"},
                                     {kind::replace_body, 0, "", "one two"},
                                     {kind::add_recipient, 0, "<x@y.example>", ""},
                                     {kind::add_recipient, 0, "<x@y.example>", "NOTIFY=NEVER"},
                                     {kind::delete_recipient, 0, "<z@y.example>", ""},
                                     {kind::change_sender, 0, "<s@y.example>", ""},
                                     {kind::quarantine, 0, "", "virus"}});
}

TEST_CASE("values from a filter of the old way get the first space") {
  conversation c(0);
  auto got = c.verdict_on(end_of_message_step{}, from_filter(response::add_header, texts({"X", "1"}))
                                                     + header_change(response::change_header, 1, "Y", "")
                                                     + from_filter(response::proceed));
  REQUIRE(got.changes.size() == 2);
  CHECK(got.changes[0].value == " 1");
  CHECK(got.changes[1].value.empty());
}

TEST_CASE("what breaks the protocol is told, once and for all") {
  auto breach = [](const step& what, std::string_view octets) {
    conversation c;
    (void)c.ask(what);
    auto text = c.failure(octets);
    CHECK(std::holds_alternative<broken>(c.engine.next()));
    c.engine.begin(what, macros);
    CHECK(std::holds_alternative<broken>(c.engine.next()));
    return text;
  };
  CHECK(breach(mail, from_filter(response::add_header, texts({"X", "1"}))) == "changes the message before its end");
  CHECK(breach(mail, from_filter(response::connection_failed)) == "says that its own connection failed");
  CHECK(breach(mail, std::string("\0\0\0\0", 4)) == "a packet without a command");
  CHECK(breach(mail, "HTTP") == "a packet of 1213486160 octets, more than 1048576");
  CHECK(breach(mail, std::string("\0\0\0\1!", 5)) == "an unknown reply, octet 33");
  CHECK(breach(mail, from_filter(response::reply_code, texts({"250 2.0.0 Fine"})))
        == "a reply code that is neither 4xx nor 5xx");
  const step end = end_of_message_step{};
  CHECK(breach(end, from_filter(response::add_header, texts({"X:", "1"})))
        == "a header change with a name that is none");
  CHECK(breach(end, from_filter(response::insert_header, "\1")) == "a header change without a place");
  CHECK(breach(end, header_change(response::change_header, 0x8000'0000u, "X", "1"))
        == "a header change without a place");
  CHECK(breach(end, from_filter(response::add_recipient, texts({"<a@b>\r\nX: y"})))
        == "a change of the envelope without a proper address");
  conversation unasked;
  CHECK(unasked.failure(from_filter(response::proceed)) == "spoke unasked");
}

TEST_CASE("a refused or mangled negotiation is a breach") {
  auto breach = [](std::string_view octets) {
    client_engine engine;
    engine.start();
    engine.feed(octets);
    auto got = engine.next();
    REQUIRE(std::holds_alternative<broken>(got));
    return std::get<broken>(got).what;
  };
  CHECK(breach(from_filter(response::reject)) == "refused the negotiation with octet 114");
  CHECK(breach(from_filter(response::negotiate, "\1\2\3")) == "an answer to the negotiation that is too short");
  CHECK(breach(negotiation(0, 1)) == "version 1 of the protocol");
  CHECK(breach(negotiation(0, 7)) == "version 7 of the protocol");
  CHECK(breach(negotiation(0, 6, std::string("\0\0\0\7j\0", 6))) == "a list of macros for no known stage");
  CHECK(breach(negotiation(0, 6, std::string("\0\0", 2))) == "a list of macros for no known stage");
  std::string names(4, '\0');
  for (int i = 0; i < 129; ++i)
    names += "j ";
  CHECK(breach(negotiation(0, 6, names)) == "a list of more than 128 macros");
}

TEST_CASE("a filter cannot make the server hold without end") {
  engine_limits limits;
  limits.changes = 3;
  limits.change_bytes = 20;
  limits.body_bytes = 5;
  limits.progress_reports = 2;
  auto breach = [&](const std::string& once, int times) {
    conversation c(0, 6, {}, limits);
    (void)c.ask(end_of_message_step{});
    std::string all;
    for (int i = 0; i < times; ++i)
      all += once;
    c.engine.feed(all);
    for (;;) {
      auto got = c.engine.next();
      if (auto* b = std::get_if<broken>(&got))
        return b->what;
      if (!std::holds_alternative<progressed>(got))
        return std::string("held");
    }
  };
  const auto header = from_filter(response::add_header, texts({"X", "1"}));
  CHECK(breach(header, 3) == "held");
  CHECK(breach(header, 4) == "wants more than 3 changes");
  CHECK(breach(from_filter(response::add_header, texts({"X", std::string(20, 'y')})), 1)
        == "wants changes of more than 20 octets");
  CHECK(breach(from_filter(response::replace_body, "abc"), 2) == "wants a body of more than 5 octets");
  CHECK(breach(from_filter(response::progress), 2) == "held");
  CHECK(breach(from_filter(response::progress), 3) == "reports progress without end");
}

TEST_CASE("nothing that is sent exceeds what libmilter takes") {
  conversation c;
  c.engine.begin(header_step{"X", std::string(100'000, 'v')}, macros);
  auto wire = c.engine.take_output();
  CHECK(wire.size() == data_max_bytes + 5);
  CHECK(wire.back() == '\0');
  conversation d;
  CHECK(d.ask(helo_step{std::string("a\0b", 3)}) == "H a b|\n");
}
