#include "protocols/imap/command_parser.hpp"
#include "protocols/imap/command_table.hpp"
#include "tests/support/catch2.hpp"

using namespace merpati;
using namespace merpati::imap;
using namespace std::chrono;

namespace {

const limits bounds;

template <class T>
T parsed(std::string_view text, parse_mode mode = {}) {
  auto c = parse_command(text, mode, bounds);
  INFO(text << ": " << (c ? "" : c.error().what));
  REQUIRE(c);
  REQUIRE(std::holds_alternative<T>(c->body));
  return std::get<T>(std::move(c->body));
}

std::string refused(std::string_view text) {
  auto c = parse_command(text, {}, bounds);
  return c ? "accepted" : c.error().what;
}

body_item item_of(std::string_view text) {
  auto c = parsed<commands::fetch>("a FETCH 1 " + std::string(text));
  REQUIRE(c.items.bodies.size() == 1);
  return c.items.bodies.front();
}

} // namespace

TEST_CASE("every verb of the table has a parser") {
  for (const auto& row : all_verbs()) {
    auto c = parse_command("a " + std::string(row.verb) + " ", {}, bounds);
    INFO(row.verb);
    CHECK((c || c.error().what.find("Unknown") == std::string::npos));
    auto uid = parse_command("a UID " + std::string(row.verb) + " ", {}, bounds);
    CHECK((!uid && (uid.error().what == "Unknown UID command") != row.takes_uid));
  }
}

TEST_CASE("tags and verbs") {
  CHECK(tag_of("a1 NOOP") == "a1");
  CHECK(tag_of("a+1 NOOP") == "");
  CHECK(tag_of(" NOOP") == "");
  CHECK(tag_of("a]: NOOP") == "a]:");
  CHECK(tag_of("{ NOOP") == "");
  CHECK(verb_of("a1 noop x") == "noop");
  CHECK(verb_of("a1") == "");
  CHECK(refused("a NOOP ") == "Expected the end of the command");
  CHECK(refused("a  NOOP") == "Expected a command");
  CHECK(refused("a") == "Expected a space");
}

TEST_CASE("LOGIN takes strings in every form") {
  CHECK(parsed<commands::login>("a LOGIN alice p]w") == commands::login{"alice", "p]w"});
  CHECK(parsed<commands::login>("a login \"al ice\" {4}\r\np\r\nw") == commands::login{"al ice", "p\r\nw"});
  CHECK(parsed<commands::login>("a LOGIN \"\" \"q\\\"\\\\\"") == commands::login{"", "q\"\\"});
  CHECK(refused("a LOGIN alice") == "Expected a space");
  CHECK(refused("a LOGIN alice \"x") == "Expected a closing quote");
  CHECK(refused("a LOGIN alice \"\\x\"") == "Expected \" or \\ after \\ in a quoted string");
  CHECK(refused("a LOGIN alice p(w") == "Expected the end of the command");
  CHECK(refused(std::string("a LOGIN alice {3}\r\np\0w", 22)) == "Expected a literal without NUL");
  CHECK(refused("a LOGIN alice {5}\r\nabc") == "Expected the octets of a literal");
}

TEST_CASE("AUTHENTICATE, ENABLE and ID") {
  CHECK(parsed<commands::authenticate>("a AUTHENTICATE plain") == commands::authenticate{"PLAIN", std::nullopt});
  CHECK(parsed<commands::authenticate>("a AUTHENTICATE PLAIN =") == commands::authenticate{"PLAIN", "="});
  CHECK(parsed<commands::enable>("a ENABLE condstore IMAP4rev2 CONDSTORE").capabilities
        == std::vector<std::string>{"CONDSTORE", "IMAP4REV2"});
  CHECK(parsed<commands::id>("a ID NIL").fields.empty());
  CHECK(parsed<commands::id>("a ID ()").fields.empty());
  CHECK(parsed<commands::id>("a ID (\"name\" \"x\" \"version\" NIL)").fields
        == std::vector<std::pair<std::string, std::string>>{{"name", "x"}});
  std::string pairs = "a ID (\"a\" NIL";
  for (int i = 0; i < 30; ++i)
    pairs += " \"a\" NIL";
  CHECK(refused(pairs + ")") == "ID takes at most 30 pairs");
}

TEST_CASE("mailbox commands") {
  CHECK(parsed<commands::select>("a SELECT inbox") == commands::select{"INBOX", false, false, {}});
  CHECK(parsed<commands::select>("a EXAMINE \"&AOQ-\" (CONDSTORE)") == commands::select{"ä", true, true, {}});
  CHECK(parsed<commands::select>("a SELECT &AOQ-", {.utf8 = true}).mailbox == "&AOQ-");
  CHECK(parsed<commands::create>("a CREATE x/ (USE (\\Drafts \\Junk))")
        == commands::create{"x", special_use::drafts | special_use::junk});
  CHECK(parsed<commands::rename>("a RENAME a {1}\r\nb") == commands::rename{"a", "b"});
  CHECK(parsed<commands::status>("a STATUS x (messages SIZE)")
        == commands::status{"x", status_item::messages | status_item::size});
  CHECK(refused("a STATUS x ()") == "Expected a STATUS item");
  CHECK(refused("a STATUS x (FOO)") == "Expected a STATUS item such as MESSAGES");
  CHECK(refused("a SELECT \xc3\xa4") == "Expected a mailbox name");
}

TEST_CASE("LIST in its old and its extended form") {
  CHECK(parsed<commands::list>("a LIST \"\" %") == commands::list{0, "", {"%"}, 0, 0, false});
  CHECK(parsed<commands::list>("a LIST ~/ \"&AOQ-*\"").patterns == std::vector<std::string>{"ä*"});
  CHECK(parsed<commands::list>("a LIST () \"\" (a b%) RETURN ()") == commands::list{0, "", {"a", "b%"}, 0, 0, true});
  CHECK(parsed<commands::list>("a LIST (SUBSCRIBED REMOTE RECURSIVEMATCH) \"\" * RETURN (CHILDREN SPECIAL-USE STATUS "
                               "(UNSEEN) SUBSCRIBED)")
        == commands::list{list_select::subscribed | list_select::remote | list_select::recursive_match,
                          "",
                          {"*"},
                          list_return::children | list_return::special_use | list_return::status
                              | list_return::subscribed,
                          status_item::unseen,
                          true});
  CHECK(refused("a LIST (REMOTE RECURSIVEMATCH) \"\" *") == "Expected SUBSCRIBED beside RECURSIVEMATCH");
  CHECK(refused("a LIST \"\" * RETURN (NONSENSE)") == "Expected SUBSCRIBED, CHILDREN, SPECIAL-USE or STATUS");
  CHECK(parsed<commands::lsub>("a LSUB x %/%") == commands::lsub{"x", "%/%"});
}

TEST_CASE("APPEND up to its message") {
  auto head = [](std::string_view text) { return parse_append(text, {}, bounds); };
  auto c = head("a APPEND INBOX (\\Seen x) \" 7-Jul-1996 02:44:25 -0700\" {310+}");
  REQUIRE(c);
  auto append = std::get<commands::append>(c->body);
  CHECK(append.flags == flag_list{flag::seen, {"x"}});
  CHECK(append.internal_date == timestamp(sys_days(1996y / July / 7) + 9h + 44min + 25s));
  CHECK(append.size_bytes == 310);
  CHECK(head("a APPEND {5}").error().code == errc::unavailable);
  CHECK(head("a APPEND {5}\r\ninbox {3}")->tag == "a");
  CHECK(head("a APPEND x (\\Nonsense) {3}").error().what == "Expected a system flag of RFC 9051 2.3.2");
  CHECK(!head("a APPEND x \"1-Feb-1994\" {3}"));
  CHECK(refused("a APPEND x {3}\r\nabc") == "Expected flags, a date or the message as a literal");
}

TEST_CASE("literals at the end of a line") {
  CHECK(literal_at_end("x {12}")->size_bytes == 12);
  CHECK(literal_at_end("x {12+}")->synchronising == false);
  CHECK(literal_at_end("x ~{12}")->binary);
  CHECK(literal_at_end("x ~{12}")->text_length == 5);
  for (auto text : {"x {12", "x {}", "x {+}", "x {1 2}", "{-1}", "{12}}", "}", "{99999999999999999999}", "{12++}"})
    CHECK(!literal_at_end(text));
}

TEST_CASE("FETCH: attributes and macros") {
  using namespace fetch_attribute;
  CHECK(parsed<commands::fetch>("a FETCH 1:* ALL").items.attributes == (flags | internal_date | size | envelope));
  CHECK(parsed<commands::fetch>("a FETCH 1 FULL").items.attributes == (flags | internal_date | size | envelope | body));
  CHECK(parsed<commands::fetch>("a FETCH 1 (FLAGS BODY BODYSTRUCTURE)").items.attributes
        == (flags | body | body_structure));
  CHECK(parsed<commands::fetch>("a UID FETCH 1 FLAGS").items.attributes == (flags | uid));
  auto c = parsed<commands::fetch>("a UID FETCH 1:* (FLAGS) (CHANGEDSINCE 12345)");
  CHECK(c.changed_since == 12345U);
  CHECK((c.items.attributes & modseq) != 0);
  CHECK(refused("a FETCH 1 (ALL)") == "Expected an item such as FLAGS, ENVELOPE or BODY[]");
  CHECK(refused("a FETCH 1 ()") == "Expected an item to fetch");
  CHECK(refused("a FETCH 0 FLAGS") == "Expected a sequence set such as 1,3:5,7:*");
  CHECK(refused("a FETCH 1 FLAGS[]") == "Expected an item such as FLAGS, ENVELOPE or BODY[]");
}

TEST_CASE("FETCH: sections") {
  using kind = body_section::kind;
  using form = body_item::form;
  CHECK(item_of("BODY[]") == body_item{form::body, false, {}, std::nullopt});
  CHECK(item_of("BODY.PEEK[1.2.MIME]<0.100>")
        == body_item{form::body, true, {{1, 2}, kind::mime, {}}, partial_range{0, 100}});
  CHECK(item_of("body[header.fields (Date \"From\")]")
        == body_item{form::body, false, {{}, kind::header_fields, {"Date", "From"}}, std::nullopt});
  CHECK(item_of("BODY[4.1.HEADER.FIELDS.NOT (A)]").section == body_section{{4, 1}, kind::header_fields_not, {"A"}});
  CHECK(item_of("BODY[TEXT]").section.what == kind::text);
  CHECK(item_of("BODY[3]").section.part == std::vector<std::uint32_t>{3});
  CHECK(item_of("RFC822") == body_item{form::rfc822, false, {}, std::nullopt});
  CHECK(item_of("RFC822.HEADER") == body_item{form::rfc822_header, true, {{}, kind::header, {}}, std::nullopt});
  CHECK(item_of("RFC822.TEXT") == body_item{form::rfc822_text, false, {{}, kind::text, {}}, std::nullopt});
  CHECK(item_of("BINARY.PEEK[1.2]<5.6>").name == form::binary);
  CHECK(item_of("BINARY.SIZE[1]").name == form::binary_size);
  for (auto text :
       {"BODY[MIME]", "BODY[0]", "BODY[1.]", "BODY[1", "BODY[]<1>", "BODY[]<1.0>", "BODY[HEADER.FIELDS]",
        "BODY[HEADER.FIELDS ()]", "BODY[FOO]", "BINARY[TEXT]", "BINARY.SIZE[1]<0.1>", "BODY.PEEK", "BODY[4294967296]"})
    CHECK(refused("a FETCH 1 " + std::string(text)) != "accepted");
  std::string deep = "BODY[1";
  for (int i = 0; i < 100; ++i)
    deep += ".1";
  CHECK(refused("a FETCH 1 " + deep + "]") == "Part number too deep");
}

TEST_CASE("STORE, COPY, MOVE and EXPUNGE") {
  using mode = commands::store::mode;
  CHECK(parsed<commands::store>("a STORE 1 FLAGS ()").how == mode::replace);
  auto c = parsed<commands::store>("a UID STORE 1:2 (UNCHANGEDSINCE 5) +flags.silent (\\Deleted $x)");
  CHECK(c.uid);
  CHECK(c.how == mode::add);
  CHECK(c.silent);
  CHECK(c.unchanged_since == 5U);
  CHECK(c.flags == flag_list{flag::deleted, {"$x"}});
  CHECK(parsed<commands::store>("a STORE 1 -FLAGS \\Seen \\Recent a A").flags == flag_list{flag::seen, {"a"}});
  CHECK(refused("a STORE 1 FLAG (x)") == "Expected FLAGS or FLAGS.SILENT");
  CHECK(refused("a STORE 1 FLAGS (\\*)") == "Expected a flag");
  CHECK(parsed<commands::copy>("a COPY $ Trash").set.is_saved_result());
  CHECK(parsed<commands::move>("a UID MOVE 1 inbox") == commands::move{true, *sequence_set::parse("1", 1), "INBOX"});
  CHECK(!parsed<commands::expunge>("a EXPUNGE").uids);
  CHECK(parsed<commands::expunge>("a UID EXPUNGE 3").uids == *sequence_set::parse("3", 1));
  CHECK(refused("a EXPUNGE 3") == "Expected the end of the command");
}

TEST_CASE("SEARCH: keys") {
  using kind = search_key::kind;
  auto key = [](std::string_view text) { return parsed<commands::search>("a SEARCH " + std::string(text)).key; };
  CHECK(key("ALL").what == kind::all);
  CHECK(key("1,3 SEEN").children.size() == 2);
  CHECK(key("UNFLAGGED").number == flag::flagged);
  CHECK(key("BEFORE \"1-Feb-1994\"").date == sys_days(1994y / February / 1));
  CHECK(key("header \"X-y\" {3}\r\na b").text == "a b");
  CHECK(key("OR (SEEN NOT 1) FROM x").children[0].children[1].what == kind::not_);
  CHECK(key("UID 5:*").what == kind::uids);
  CHECK(key("MODSEQ \"/flags/\\\\draft\" all 620162338").number == 620162338U);
  CHECK(key("CHARSET iso-8859-1 SUBJECT {1}\r\n\xe4").text == "ä");
  CHECK(key("SUBJECT \"ä\"").text == "ä");
  CHECK(key("(ALL)").what == kind::all);
  auto extended = parsed<commands::search>("a UID SEARCH RETURN (MIN COUNT) ALL");
  CHECK(extended.returns == (search_return::min | search_return::count));
  CHECK(extended.extended);
  CHECK(parsed<commands::search>("a SEARCH RETURN () ALL").returns == search_return::all);
  CHECK(!parsed<commands::search>("a SEARCH ALL").extended);
  CHECK(parsed<commands::search>("a SEARCH ALL", {.utf8 = true, .rev2 = true}).extended);
  for (auto text : {"NOT", "OR ALL", "(", "()", "FROM", "LARGER x", "BEFORE 1994", "HEADER x", "UID 0", "SEEN ", "$1",
                    "SUBJECT {1}\r\n\xff", "RETURN (FOO) ALL", "YOUNGER 0"})
    CHECK(refused("a SEARCH " + std::string(text)) != "accepted");
}

TEST_CASE("SEARCH: bounds") {
  std::string nested = "a SEARCH ";
  for (int i = 0; i < 33; ++i)
    nested += "NOT ";
  CHECK(refused(nested + "ALL") == "Search too complex");
  CHECK(refused("a SEARCH " + std::string(60000, '(') + "ALL") == "Search too complex");
  std::string wide = "a SEARCH ALL";
  for (int i = 0; i < 1100; ++i)
    wide += " ALL";
  CHECK(refused(wide) == "Search too complex");
  std::string texts = "a SEARCH BODY a";
  for (int i = 0; i < 64; ++i)
    texts += " BODY a";
  CHECK(refused(texts) == "Too many texts to search for");
}

TEST_CASE("any cut of a good command is refused, never misread beyond its end") {
  for (std::string_view text : {"a LOGIN \"x\" {3}\r\nabc", "a LIST (SUBSCRIBED) \"\" (a b) RETURN (STATUS (UNSEEN))",
                                "a UID STORE 1:2 (UNCHANGEDSINCE 5) +FLAGS.SILENT (\\Deleted $x)",
                                "a FETCH 1 (BODY.PEEK[1.HEADER.FIELDS (A B)]<0.5> UID) (CHANGEDSINCE 3)",
                                "a SEARCH RETURN (MIN) CHARSET UTF-8 OR (FROM \"x\") NOT HEADER A {1}\r\nb"})
    for (std::size_t length = 0; length < text.size(); ++length) {
      INFO(text.substr(0, length));
      auto c = parse_command(text.substr(0, length), {}, bounds);
      if (c) // only where a shorter command is a command as well
        CHECK(text[length] == ' ');
    }
}
