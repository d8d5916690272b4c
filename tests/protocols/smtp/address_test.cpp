#include "protocols/smtp/address.hpp"

#include <random>

#include "tests/support/catch2.hpp"

using namespace merpati;
using namespace merpati::smtp;

namespace {
std::string label(std::size_t length) {
  return std::string(length, 'd');
}
} // namespace

TEST_CASE("mailboxes that RFC 5321 and RFC 5322 allow") {
  struct row {
    std::string_view text;
    std::string_view local;
    std::string_view domain;
    std::string_view written;
  };
  const std::vector<row> rows{
      {"a@b", "a", "b", "a@b"},
      {"john.q.public@example.com", "john.q.public", "example.com", "john.q.public@example.com"},
      {"user+detail@example.com", "user+detail", "example.com", "user+detail@example.com"},
      {"!#$%&'*+-/=?^_`{|}~@example.com", "!#$%&'*+-/=?^_`{|}~", "example.com", "!#$%&'*+-/=?^_`{|}~@example.com"},
      {R"("a"@example.com)", "a", "example.com", "a@example.com"},
      {R"("a b"@example.com)", "a b", "example.com", R"("a b"@example.com)"},
      {R"("Joe\,Smith"@example.com)", "Joe,Smith", "example.com", R"("Joe,Smith"@example.com)"},
      {R"("\a\"\\"@example.com)", R"(a"\)", "example.com", R"("a\"\\"@example.com)"},
      {R"(""@example.com)", "", "example.com", R"(""@example.com)"},
      {R"("."@example.com)", ".", "example.com", R"("."@example.com)"},
      {R"("a..b"@example.com)", "a..b", "example.com", R"("a..b"@example.com)"},
      {R"("@"@example.com)", "@", "example.com", R"("@"@example.com)"},
      {R"("<>"@example.com)", "<>", "example.com", R"("<>"@example.com)"},
      {"a@1.2.3.4", "a", "1.2.3.4", "a@1.2.3.4"},
      {"a@x-y.z9", "a", "x-y.z9", "a@x-y.z9"},
      {"a@[127.0.0.1]", "a", "[127.0.0.1]", "a@[127.0.0.1]"},
      {"a@[IPv6:::1]", "a", "[IPv6:::1]", "a@[IPv6:::1]"},
      {"a@[IPv6:2001:db8::192.0.2.1]", "a", "[IPv6:2001:db8::192.0.2.1]", "a@[IPv6:2001:db8::192.0.2.1]"},
      {"a@[x400:c=US/a=x]", "a", "[x400:c=US/a=x]", "a@[x400:c=US/a=x]"},
  };
  for (const auto& r : rows) {
    INFO(r.text);
    const auto got = parse_mailbox(r.text);
    REQUIRE(got);
    CHECK(got->local_part == r.local);
    CHECK(got->domain == r.domain);
    CHECK(write_mailbox(*got) == r.written);
    CHECK(parse_mailbox(write_mailbox(*got)).value() == *got);
  }
}

TEST_CASE("mailboxes that nothing allows") {
  for (std::string_view text : {"",
                                "a",
                                "@",
                                "a@",
                                "@b",
                                "a@@b",
                                "a@b@c",
                                ".a@b",
                                "a.@b",
                                "a..b@c",
                                "a b@c",
                                "a@b c",
                                " a@b",
                                "a@b ",
                                "a@-b",
                                "a@b-",
                                "a@b..c",
                                "a@.b",
                                "a@b.",
                                "a@b_c",
                                "a@b,c",
                                "a(x)@b",
                                "a@b(x)",
                                "\"a@b",
                                "a\"@b",
                                "\"a\"b@c",
                                "\"a\\\"@b",
                                "\"\\\x80\"@b",
                                "\"\t\"@b",
                                "a\x7f@b",
                                "a\x01@b",
                                "\xc3\xa9@b",
                                "a@\xc3\xa9",
                                "a@[",
                                "a@[]",
                                "a@[1.2.3]",
                                "a@[1.2.3.4.5]",
                                "a@[1.2.3.256]",
                                "a@[1.2.3.0004]",
                                "a@[1.2.3.]",
                                "a@[.1.2.3]",
                                "a@[1.2.3.4",
                                "a@[IPv6:]",
                                "a@[IPv6:1]",
                                "a@[IPv6:1::2::3]",
                                "a@[IPv6:g::]",
                                "a@[IPv6:1:2:3:4:5:6:7:8:9]",
                                "a@[:x]",
                                "a@[x-:y]",
                                "a@[x:]",
                                "a@[x:a b]",
                                "a@[x:[y]",
                                "a@[1.2.3.4]x",
                                "a,b@c",
                                "a:b@c",
                                "a;b@c",
                                "<a@b>"}) {
    INFO(text);
    CHECK_FALSE(parse_mailbox(text));
  }
  using namespace std::string_view_literals;
  CHECK_FALSE(parse_mailbox("a@[IPv6:::1\0x]"sv));
  CHECK_FALSE(parse_mailbox("a\0@b"sv));
  CHECK_FALSE(parse_mailbox("\"\0\"@b"sv));
}

TEST_CASE("length limits of RFC 5321 4.5.3.1") {
  CHECK(parse_mailbox(std::string(64, 'x') + "@b"));
  CHECK(parse_mailbox(std::string(65, 'x') + "@b").error().code == errc::too_big);
  CHECK(parse_mailbox("\"" + std::string(62, 'x') + "\"@b"));
  CHECK_FALSE(parse_mailbox("\"" + std::string(63, 'x') + "\"@b"));
  const auto domain = label(63) + "." + label(63) + "." + label(63) + "." + label(63);
  CHECK(domain.size() == 255);
  CHECK(parse_mailbox("a@" + domain));
  CHECK(parse_mailbox("a@" + domain + "d").error().code == errc::too_big);
  CHECK_FALSE(parse_mailbox("a@" + label(64)));
  // A path has 256 octets with its brackets.
  const auto shorter = domain.substr(0, 252);
  CHECK(parse_forward_path("<a@" + shorter + ">"));
  CHECK(parse_forward_path("<aa@" + shorter + ">").error().code == errc::too_big);
  std::string route;
  for (int i = 0; i != 10; ++i)
    route += (i ? ",@" : "@") + shorter;
  CHECK(parse_forward_path("<@" + shorter + ":a@" + shorter + ">"));
  CHECK(parse_forward_path("<" + route + ":a@b>").error().code == errc::too_big);
}

TEST_CASE("paths") {
  CHECK_FALSE(parse_reverse_path("<>")->path);
  CHECK(parse_reverse_path("<>")->rest.empty());
  CHECK(parse_reverse_path("<a@b> SIZE=1")->rest == " SIZE=1");
  CHECK(parse_reverse_path("<@a,@b:c@d>")->path == mailbox{"c", "d"});
  CHECK(parse_reverse_path("<@[1.2.3.4]:c@d>")->path == mailbox{"c", "d"});
  CHECK(parse_forward_path("<\"a>b\"@c>")->path == mailbox{"a>b", "c"});
  CHECK(parse_forward_path("<PostMaster>")->path.is_bare_postmaster());
  CHECK(write_path(parse_forward_path("<PostMaster> x")->path) == "<PostMaster>");
  CHECK(write_path(reverse_path{}) == "<>");
  CHECK(write_path(reverse_path{mailbox{"a", "b"}}) == "<a@b>");
  for (std::string_view text : {"", "a@b", "<a@b", "a@b>", "< a@b>", "<a@b >", "<a@b>x", "<@a>", "<@a:>", "<@a,b:c@d>",
                                "<@a:@b:c@d>", "<@a;c@d>", "<a>", "<<a@b>>", "<@:c@d>", "<postmaster"}) {
    INFO(text);
    CHECK_FALSE(parse_reverse_path(text));
    CHECK_FALSE(parse_forward_path(text));
  }
  CHECK_FALSE(parse_forward_path("<>"));
  CHECK_FALSE(parse_reverse_path("<postmaster>"));
}

TEST_CASE("SMTPUTF8 only where it is asked for") {
  const address_syntax utf8{.utf8 = true};
  const auto got = parse_mailbox("gr\xc3\xbc\xc3\x9f"
                                 "e@b\xc3\xbc"
                                 "cher.example",
                                 utf8);
  REQUIRE(got);
  CHECK(parse_mailbox(write_mailbox(*got), utf8).value() == *got);
  CHECK(canonical_address(*got).value() == "gr\xc3\xbcsse@xn--bcher-kva.example");
  CHECK_FALSE(parse_mailbox("gr\xc3@b", utf8));
  CHECK_FALSE(parse_mailbox("\"\\\xc3\xbc\"@b", utf8));
  CHECK(parse_mailbox("\"\xc3\xbc x\"@b", utf8));
}

TEST_CASE("forms for comparison") {
  auto canonical = [](std::string_view text) { return canonical_address(parse_mailbox(text).value()).value(); };
  CHECK(canonical("Alice@Example.ORG") == "alice@example.org");
  CHECK(canonical("\"Alice\"@example.org") == "alice@example.org");
  CHECK(canonical("\"A B\"@example.org") == "\"a b\"@example.org");
  CHECK(canonical("a@[127.000.0.01]") == "a@[127.0.0.1]");
  CHECK(canonical("a@[IPv6:2001:DB8:0:0:0:0:0:1]") == "a@[ipv6:2001:db8::1]");
  CHECK(canonical_address({"PostMaster", ""}).value() == "postmaster");
  CHECK(canonical_domain("B\xc3\x9c"
                         "CHER.example")
            .value()
        == "xn--bcher-kva.example");
  CHECK(canonical_domain("fa\xc3\x9f.example").value() == "xn--fa-hia.example");
  CHECK(display_domain("xn--bcher-kva.example")
        == "b\xc3\xbc"
           "cher.example");
  CHECK_FALSE(canonical_domain("a b"));
  CHECK_FALSE(canonical_domain(""));
  CHECK_FALSE(canonical_domain("\xff.example"));
  CHECK_FALSE(canonical_domain("\xe2\x80\xae.example"));
}

TEST_CASE("whatever a local part holds, writing and parsing give it back") {
  std::minstd_rand random(7);
  for (int round = 0; round != 5000; ++round) {
    mailbox box{"", "example.org"};
    for (auto n = random() % 30; n != 0; --n)
      box.local_part += static_cast<char>(' ' + random() % 95);
    const auto got = parse_mailbox(write_mailbox(box));
    REQUIRE(got);
    REQUIRE(*got == box);
    REQUIRE(parse_forward_path(write_path(box))->path == box);
  }
}

TEST_CASE("xtext") {
  CHECK(decode_xtext("e+3Dmc2@example.com").value() == "e=mc2@example.com");
  CHECK(decode_xtext("").value() == "");
  for (std::string_view text : {"+", "+3", "+3d", "+G0", "a b", "a=b", "\x80"})
    CHECK_FALSE(decode_xtext(text));
  std::string all;
  for (int c = 0; c != 256; ++c)
    all += static_cast<char>(c);
  CHECK(decode_xtext(encode_xtext(all)).value() == all);
}
