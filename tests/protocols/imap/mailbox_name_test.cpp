#include <random>

#include "protocols/imap/mailbox_name.hpp"
#include "tests/support/catch2.hpp"

using namespace merpati;
using namespace merpati::imap;

TEST_CASE("modified UTF-7: the examples of RFC 3501 5.1.3") {
  CHECK(decode_utf7("~peter/mail/&U,BTFw-/&ZeVnLIqe-").value() == "~peter/mail/台北/日本語");
  CHECK(encode_utf7("~peter/mail/台北/日本語") == "~peter/mail/&U,BTFw-/&ZeVnLIqe-");
  CHECK(encode_utf7("A&B") == "A&-B");
  CHECK(decode_utf7("A&-B").value() == "A&B");
  CHECK(encode_utf7("\xf0\x9f\x95\x8a") == "&2D3dSg-"); // beyond 16 bits
  CHECK(decode_utf7("&2D3dSg-").value() == "\xf0\x9f\x95\x8a");
}

TEST_CASE("modified UTF-7 has one form for each name") {
  for (auto text : {"&", "&Jjo", "&Jjo!", "&U,BTFw-&ZeVnLIqe-", "&AGE-", "&2D0-", "&3Uo-", "&Jjp-", "&Jj-", "\xc3\xa4",
                    "a\tb", "&JjoA-"})
    CHECK(!decode_utf7(text));
}

TEST_CASE("modified UTF-7 round trip") {
  std::linear_congruential_engine<std::uint32_t, 48271, 0, 2147483647> random(3);
  constexpr std::string_view letters[] = {"a", "&", "-", "/", "ä", "語", "\xf0\x9f\x95\x8a", " ", "~", "\x01"};
  for (int round = 0; round < 2000; ++round) {
    std::string name;
    for (auto n = random() % 12; n > 0; --n)
      name += letters[random() % std::size(letters)];
    auto wire = encode_utf7(name);
    INFO(wire);
    auto back = decode_utf7(wire);
    REQUIRE(back);
    CHECK(*back == name);
  }
}

TEST_CASE("decoding arbitrary octets never yields anything but UTF-8 that encodes back") {
  std::linear_congruential_engine<std::uint32_t, 48271, 0, 2147483647> random(5);
  for (int round = 0; round < 20000; ++round) {
    std::string wire = "&";
    for (auto n = random() % 10; n > 0; --n)
      wire += static_cast<char>(random() % 3 == 0 ? '-' : 0x20 + random() % 95);
    if (auto name = decode_utf7(wire)) {
      CHECK(valid_utf8(*name));
      CHECK(encode_utf7(*name) == wire);
    }
  }
}

TEST_CASE("names get one form") {
  limits bounds;
  CHECK(canonical_mailbox_name("iNbOx", false, bounds).value() == "INBOX");
  CHECK(canonical_mailbox_name("inbox/a", false, bounds).value() == "INBOX/a");
  CHECK(canonical_mailbox_name("inboxes", false, bounds).value() == "inboxes");
  CHECK(canonical_mailbox_name("&AOQ-", false, bounds).value() == "ä");
  CHECK(canonical_mailbox_name("&AOQ-", true, bounds).value() == "&AOQ-");
  CHECK(canonical_mailbox_name("ä", false, bounds).value() == "ä");
  CHECK(!canonical_mailbox_name("\xff", true, bounds));
  CHECK(!canonical_mailbox_name("a\tb", true, bounds));
  CHECK(!canonical_mailbox_name("", true, bounds));
  CHECK(canonical_mailbox_name(std::string(1001, 'a'), true, bounds).error().code == errc::too_big);
  std::string deep = "a";
  for (int level = 1; level < 32; ++level)
    deep += "/a";
  CHECK(canonical_mailbox_name(deep, true, bounds));
  CHECK(canonical_mailbox_name(deep + "/a", true, bounds).error().code == errc::too_big);
  CHECK(check_new_mailbox_name("a/b", bounds));
  for (auto name : {"/a", "a/", "a//b", "a%", "*", ""})
    CHECK(!check_new_mailbox_name(name, bounds));
}

TEST_CASE("UTF-8 is checked to the letter") {
  CHECK(valid_utf8("plain äöü 語 \xf0\x9f\x95\x8a"));
  for (auto text : {"\x80", "\xc0\x80", "\xc3", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                    "\xf8\x88\x80\x80\x80", "a\xe8\xaa"})
    CHECK(!valid_utf8(text));
}
