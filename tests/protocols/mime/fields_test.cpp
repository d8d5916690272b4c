#include "protocols/mime/fields.hpp"

#include "tests/support/catch2.hpp"

using namespace merpati::mime;

namespace {

// name <@route:local@domain>, with {group: ...}
std::string show(std::string_view value) {
  std::string out;
  for (const auto& a : parse_addresses(value)) {
    if (!out.empty())
      out += " | ";
    if (a.what == address::kind::group_begin)
      out += "{" + a.name;
    else if (a.what == address::kind::group_end)
      out += "}";
    else
      out += a.name + "<" + (a.route.empty() ? "" : a.route + ":") + a.local + "@" + a.domain + ">";
  }
  return out;
}

std::int64_t utc(std::string_view text) {
  const auto d = parse_date(text);
  return d ? d->utc_seconds : -1;
}

} // namespace

TEST_CASE("addresses of RFC 5322 appendix A") {
  CHECK(show("John Doe <jdoe@machine.example>") == "John Doe<jdoe@machine.example>");
  CHECK(show("\"Joe Q. Public\" <john.q.public@example.com>") == "Joe Q. Public<john.q.public@example.com>");
  CHECK(show("Mary Smith <mary@x.test>, jdoe@example.org, Who? <one@y.test>")
        == "Mary Smith<mary@x.test> | <jdoe@example.org> | Who?<one@y.test>");
  CHECK(show("<boss@nil.test>, \"Giant; \\\"Big\\\" Box\" <sysservices@example.net>")
        == "<boss@nil.test> | Giant; \"Big\" Box<sysservices@example.net>");
  CHECK(show("A Group:Ed Jones <c@a.test>,joe@where.test,John <jdoe@one.test>;")
        == "{A Group | Ed Jones<c@a.test> | <joe@where.test> | John<jdoe@one.test> | }");
  CHECK(show("Undisclosed recipients:;") == "{Undisclosed recipients | }");
  CHECK(show("Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>") == "Pete<pete@silly.test>");
  CHECK(show("A Group(Some people)\r\n     :Chris Jones <c@(Chris's host.)public.example>,\r\n         "
             "joe@example.org,\r\n"
             "  John <jdoe@one.test> (my dear friend); (the end of the group)")
        == "{A Group | Chris Jones<c@public.example> | <joe@example.org> | John<jdoe@one.test> | }");
  CHECK(show("(Empty list)(start)Hidden recipients  :(nobody(that I know))  ;") == "{Hidden recipients | }");
  CHECK(show("Joe Q. Public <john.q.public@example.com>") == "Joe Q. Public<john.q.public@example.com>");
  CHECK(show("Mary Smith <@node.test:mary@example.net>, , jdoe@test  . example")
        == "Mary Smith<@node.test:mary@example.net> | <jdoe@test.example>");
}

TEST_CASE("addresses as they are sent") {
  CHECK(show("") == "");
  CHECK(show(", ,;") == "");
  CHECK(show("joe@example.org (Joe Doe)") == "Joe Doe<joe@example.org>");
  CHECK(show("\"joe doe\"@example.org") == "<joe doe@example.org>");
  CHECK(show("joe@[192.0.2.1]") == "<joe@[192.0.2.1]>");
  CHECK(show("Joe <joe@example.org") == "Joe<joe@example.org>");
  CHECK(show("a@x; b@y") == "<a@x> | <b@y>");
  CHECK(show("Doe, Joe <joe@example.org>") == "<Doe@> | Joe<joe@example.org>");
  CHECK(show("a@x b@y") == "<a@x> | <b@y>");
  CHECK(show("Joe Doe joe@example.org") == "Joe Doe<joe@example.org>");
  CHECK(show("localname") == "<localname@>");
  CHECK(show("Joe <>") == "Joe<@>");
  CHECK(show("joe@example.org <joe@example.org>") == "joe@example.org<joe@example.org>");
  CHECK(show("=?utf-8?q?J=C3=B6?= =?utf-8?q?rg?= <j@x>") == "=?utf-8?q?J=C3=B6?= =?utf-8?q?rg?=<j@x>");
  CHECK(show("a@b@c") == "<a@b@c>");
  CHECK(show("group: a@x, b@y") == "{group | <a@x> | <b@y> | }");
  CHECK(show("\"unclosed <a@b>") == "<unclosed <a@b>@>");
  CHECK(show("<@@@@>").size() < 20);
  CHECK(parse_addresses("a,b,c,d", 2).size() <= 3);
}

TEST_CASE("address fields of any content take linear time") {
  for (const auto* unit :
       {"<", "<@", "(", "[", "\"", "@", ":", "a@b ", "<a,", ";", ".", "\\", "a:b;", "@a:", "([", "\"(<@"}) {
    std::string value;
    while (value.size() < 256u << 10)
      value += unit;
    CHECK(parse_addresses(value).size() <= limits{}.addresses + 2);
    CHECK(parse_addresses("<" + value).size() <= limits{}.addresses + 2);
  }
}

TEST_CASE("dates") {
  CHECK(parse_date("Fri, 21 Nov 1997 09:55:06 -0600") == sent_date{880127706, -360});
  CHECK(utc("Tue, 1 Jul 2003 10:52:37 +0200") == 1057049557);
  CHECK(utc("Thu,\r\n      13\r\n        Feb\r\n          1969\r\n      23:32\r\n               -0330 (Newfoundland "
            "Time)")
        == -27'723'480);
  CHECK(utc("21 Nov 97 09:55:06 GMT") == 880106106);
  CHECK(utc("Fri, 21 Nov 1997 09(comment):   55  :  06 -0600") == 880127706);
  CHECK(utc("Fri, 21 Nov 97 09:55:06 EST") == 880106106 + 5 * 3600);
  CHECK(utc("Fri Nov 21 09:55:06 1997") == 880106106);
  CHECK(utc("21-Nov-1997 09:55:06 +0000") == 880106106);
  CHECK(utc("1997-11-21T09:55:06Z") == 880106106);
  CHECK(utc("1997-11-21 09:55:06 +01:00") == 880106106 - 3600);
  CHECK(utc("Fri, 21 Nov 1997 09:55:06+0100") == 880106106 - 3600);
  CHECK(utc("Fri, 21 Nov 1997 9:55:06 PM") == 880106106 + 12 * 3600);
  CHECK(utc("Fri, 21 Nov 097 09:55:06") == 880106106);
  CHECK(utc("1 Jan 00 00:00:00") == 946684800);
  CHECK(utc("1 Jan 49 00:00:00") > 0);
  CHECK(utc("1 Jan 50 00:00:00") < 0);
  CHECK(utc("Sat, 31 Dec 2016 23:59:60 +0000") == 1483228799);
  for (const auto* bad :
       {"", "Malformed Date.", "32 Nov 1997 00:00", "30 Feb 2000 00:00:00", "Nov 1997", "1 Nov", "99999999999 Nov 1",
        "1 Jan 2000 25:00", "1 Jan 2000 10:99", "-", "+", ":", "1-", "1-2-", "--", "1:", "T"})
    CHECK(utc(bad) == -1);
}

TEST_CASE("message ids") {
  using ids = std::vector<std::string>;
  CHECK(parse_message_ids("<1234@local.machine.example> <3456@example.net>")
        == ids{"1234@local.machine.example", "3456@example.net"});
  CHECK(parse_message_ids("<1234   @   local(blah)  .machine .example>") == ids{"1234@local(blah).machine.example"});
  CHECK(parse_message_ids("Your message of Monday <a@b> (was <c@d>)") == ids{"a@b"});
  CHECK(parse_message_ids("bare@id") == ids{"bare@id"});
  CHECK(parse_message_ids("two words").empty());
  CHECK(parse_message_ids("<a><b><c><d><e>", 3) == ids{"a", "d", "e"});
  CHECK(parse_message_ids("<a@b").size() == 1);
  CHECK(parse_message_ids("<a><b>", 0).empty());
  CHECK(parse_message_ids("<a><b>", 1) == ids{"a"});
}

TEST_CASE("encoded words: the examples of RFC 2047 8") {
  CHECK(decode_words("=?US-ASCII?Q?Keith_Moore?=") == "Keith Moore");
  CHECK(decode_words("=?ISO-8859-1?Q?Keld_J=F8rn_Simonsen?=") == "Keld Jørn Simonsen");
  CHECK(decode_words("=?ISO-8859-1?Q?Andr=E9?= Pirard") == "André Pirard");
  CHECK(
      decode_words(
          "=?ISO-8859-1?B?SWYgeW91IGNhbiByZWFkIHRoaXMgeW8=?=\r\n =?ISO-8859-2?B?dSB1bmRlcnN0YW5kIHRoZSBleGFtcGxlLg==?=")
      == "If you can read this you understand the example.");
  CHECK(decode_words("=?ISO-8859-1?Q?a?=") == "a");
  CHECK(decode_words("=?ISO-8859-1?Q?a?= b") == "a b");
  CHECK(decode_words("=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=") == "ab");
  CHECK(decode_words("=?ISO-8859-1?Q?a?=     =?ISO-8859-1?Q?b?=") == "ab");
  CHECK(decode_words("=?ISO-8859-1?Q?a_b?=") == "a b");
  CHECK(decode_words("=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?=") == "a b");
  CHECK(decode_words("=?iso-8859-8?b?7eXs+SDv4SDp7Oj08A==?=") == "םולש ןב ילטפנ");
}

TEST_CASE("encoded words as they are sent") {
  CHECK(decode_words("=?utf-8?B?w6Q=?= =?utf-8?B?w7Y=?=") == "äö");
  CHECK(decode_words("=?utf-8?Q?=C3?= =?utf-8?Q?=A4?=") == "ä"); // cut inside of a character
  CHECK(decode_words("=?utf-8*de?Q?=C3=A4?=") == "ä");           // RFC 2231 5
  CHECK(decode_words("=?utf-8?Q?hello world?=") == "hello world");
  CHECK(decode_words("=?utf-8?Q?trailing_?=x") == "trailing x");
  CHECK(decode_words("x=?utf-8?q?a?=y") == "xay");
  CHECK(decode_words("=?iso-2022-jp?B?GyRCJUYlOSVIGyhC?=") == "テスト");
  CHECK(decode_words("=?gb2312?B?1tDOxA==?=") == "中文");
  CHECK(decode_words("=?koi8-r?B?89DJ08/LLmRvYw==?=") == "Список.doc");
  CHECK(decode_words("=?no-such-charset?Q?abc=E4?=") == "abcä");
  for (const auto* broken : {"=?", "=?utf-8", "=?utf-8?", "=?utf-8?Q", "=?utf-8?Q?", "=?utf-8?Q?abc", "=?utf-8?Q?abc?",
                             "=?utf-8?X?abc?=", "=??Q?abc?=", "=?utf-8?B?a$b?=", "=?=?=", "=?a b?Q?x?="})
    CHECK(decode_words(broken) == broken);
  CHECK(decode_words("gr\xfc\xdf") == "grüß");
  CHECK(decode_words("grüß") == "grüß");
  CHECK(decode_words("=?utf-8?Q?=FF?=") == "\xEF\xBF\xBD");
}

TEST_CASE("content types") {
  const auto t = parse_content_type("Text/Plain; Charset=\"us-ascii\" (Plain text); format=flowed");
  CHECK(t.type == "text");
  CHECK(t.subtype == "plain");
  CHECK(t.params == parameters{{"charset", "us-ascii", false}, {"format", "flowed", false}});
  CHECK(parse_content_type("text/plain; charset=us-ascii (Plain text)").params
        == parameters{{"charset", "us-ascii", false}});
  CHECK(parse_content_type("text").type.empty());
  CHECK(parse_content_type("text/").type.empty());
  CHECK(parse_content_type("te xt/plain").type.empty());
  CHECK(parse_content_type("text/plain;;charset=x;").params == parameters{{"charset", "x", false}});
  CHECK(parse_content_type("text/plain; charset=x format=flowed").params
        == parameters{{"charset", "x", false}, {"format", "flowed", false}});
  CHECK(parse_content_type("a/b; name=my own file.txt").params == parameters{{"name", "my own file.txt", false}});
  CHECK(parse_content_type("a/b; name=\"q\\\"uote\"; name=second").params == parameters{{"name", "q\"uote", false}});
  CHECK(parse_content_type("multipart/mixed; boundary=----=_Part_1/x?").params
        == parameters{{"boundary", "----=_Part_1/x?", false}});
  std::string many = "a/b";
  for (int i = 0; i < 1000; ++i)
    many += "; p" + std::to_string(i) + "=1";
  CHECK(parse_content_type(many).params.size() == 128);
  for (const auto* unit : {"= ", "; ", "a=", "\"", "a =(", "; a", "*=", "a*0*=x;", "(", "a=b c=d "}) {
    std::string value = "a/b ";
    while (value.size() < 256u << 10)
      value += unit;
    CHECK(parse_content_type(value).params.size() <= 128);
  }
}

TEST_CASE("parameters of RFC 2231") {
  const auto params = [](std::string_view text) {
    return parse_content_type("message/external-body; " + std::string(text)).params;
  };
  CHECK(params("access-type=URL; URL*0=\"ftp://\"; URL*1=\"cs.utk.edu/pub/moore/bulk-mailer/bulk-mailer.tar\"")
        == parameters{{"access-type", "URL", false},
                      {"url", "ftp://cs.utk.edu/pub/moore/bulk-mailer/bulk-mailer.tar", false}});
  const auto star = params("title*=us-ascii'en-us'This%20is%20%2A%2A%2Afun%2A%2A%2A");
  REQUIRE(star.size() == 1);
  CHECK(star[0].extended);
  CHECK(decoded_value(star[0]) == "This is ***fun***");
  const auto both = params(
      "title*0*=us-ascii'en'This%20is%20even%20more%20; title*1*=%2A%2A%2Afun%2A%2A%2A%20; title*2=\"isn't it!\"");
  REQUIRE(both.size() == 1);
  CHECK(decoded_value(both[0]) == "This is even more ***fun*** isn't it!");
  // Out of order, a gap, and a plain form beside the extended one.
  CHECK(params("a*1=y; a*0=x; a*3=z") == parameters{{"a", "xy", false}});
  CHECK(decoded_value(params("name=x.txt; name*=utf-8''%C3%A4.txt").at(0)) == "ä.txt");
  CHECK(params("name*1=x; name=plain") == parameters{{"name", "plain", false}});
  CHECK(decoded_value(params("name*=no-quotes%20here").at(0)) == "no-quotes here");
  CHECK(decoded_value(params("name*=utf-8''%").at(0)) == "%");
  CHECK(decoded_value(params("name*=utf-8''%4").at(0)) == "%4");
}

TEST_CASE("dispositions") {
  const auto d =
      parse_disposition("attachment; filename=genome.jpeg; modification-date=\"Wed, 12 Feb 1997 16:29:51 -0500\"");
  CHECK(d.type == "attachment");
  CHECK(d.params
        == parameters{{"filename", "genome.jpeg", false},
                      {"modification-date", "Wed, 12 Feb 1997 16:29:51 -0500", false}});
  CHECK(parse_disposition("INLINE").type == "inline");
  CHECK(parse_disposition("filename=x").type == "attachment");
  CHECK(parse_disposition("").type.empty());
}

TEST_CASE("fields of a header") {
  field_reader reader(
      "From x@y Mon Nov 23 14:00:00 2026\r\nA: 1\r\n 2\r\nno field\r\n goes on\r\nB :3\nC:\r\n\r\nD: 4\r\n");
  std::string seen;
  while (auto f = reader.next())
    seen += std::string(f->name) + "=" + unfold(f->value) + ";";
  CHECK(seen == "A=1 2;B=3;C=;");
  CHECK(field_value("A: 1\r\na: 2\r\n", "a") == "1");
  CHECK_FALSE(field_value("A: 1\r\n", "b"));
  CHECK(unfold("  a\r\n\tb\n c\rd\r\n") == "a\tb c d");
  CHECK(unfold(std::string_view("a\0b", 3)) == "ab");
}

TEST_CASE("base subjects (RFC 5256 2.1)") {
  const auto base = [](std::string_view s) { return parse_base_subject(s).text; };
  CHECK(base("Re: hello") == "hello");
  CHECK(base("  RE:  Fwd: [list]  hello   world (fwd) (FWD) ") == "hello world");
  CHECK(base("[list] Re: hello") == "hello");
  CHECK(base("Re[2]: hello") == "hello");
  CHECK(base("[Fwd: Re: hello]") == "hello");
  CHECK(base("[only a blob]") == "[only a blob]");
  CHECK(base("[a] [b]") == "[b]");
  CHECK(base("Re: [a]") == "[a]");
  CHECK(base("Regards") == "Regards");
  CHECK(base("re") == "re");
  CHECK(base("").empty());
  CHECK(base("Re:").empty());
  CHECK_FALSE(parse_base_subject("hello").is_reply);
  CHECK_FALSE(parse_base_subject("[list] hello").is_reply);
  CHECK(parse_base_subject("fw: hello").is_reply);
  for (const auto* unit : {"[a]", "[", "re:", "(fwd)", "[fwd:", "re[", "]"}) {
    std::string s;
    while (s.size() < 64u << 10)
      s += unit;
    CHECK(parse_base_subject(s).text.size() <= s.size());
    CHECK(parse_base_subject(s + "x]").text.size() <= s.size() + 2);
  }
}
