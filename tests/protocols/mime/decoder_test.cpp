#include "protocols/mime/decoder.hpp"

#include "base/crypto.hpp"
#include "tests/protocols/mime/corpus.hpp"

using namespace merpati::mime;
using namespace merpati::mime::test;

namespace {

template <class Decoder>
std::string run(Decoder decoder, std::string_view octets, std::size_t step) {
  std::string out;
  for (; !octets.empty(); octets.remove_prefix(std::min(step, octets.size())))
    decoder.feed(octets.substr(0, step), out);
  decoder.finish(out);
  return out;
}

std::string decode(transfer_encoding encoding, std::string_view octets) {
  const auto whole = run(body_decoder(encoding), octets, octets.size() + 1);
  for (const std::size_t step : {1, 2, 3, 5, 7})
    CHECK(run(body_decoder(encoding), octets, step) == whole);
  return whole;
}

bool well_formed(transfer_encoding encoding, std::string_view octets) {
  body_decoder decoder(encoding);
  std::string out;
  decoder.feed(octets, out);
  decoder.finish(out);
  return decoder.well_formed();
}

std::string charset(std::string_view name, std::string_view octets) {
  const auto whole = run(charset_decoder(name), octets, octets.size() + 1);
  for (const std::size_t step : {1, 2, 3, 5})
    CHECK(run(charset_decoder(name), octets, step) == whole);
  return whole;
}

bool contains(std::string_view text, std::string_view needle) {
  text_matcher matcher(needle);
  const bool whole = matcher.contains(text);
  for (const std::size_t step : {1, 2, 3}) {
    matcher.reset();
    for (auto rest = text; !rest.empty(); rest.remove_prefix(std::min(step, rest.size())))
      matcher.feed(rest.substr(0, step));
    CHECK(matcher.found() == whole);
  }
  return whole;
}

constexpr auto qp = transfer_encoding::quoted_printable;
constexpr auto b64 = transfer_encoding::base64;

} // namespace

TEST_CASE("quoted-printable: RFC 2045 6.7") {
  CHECK(decode(qp, "Now's the time =\r\nfor all folk to come=\r\n to the aid of their country.")
        == "Now's the time for all folk to come to the aid of their country.");
  CHECK(decode(qp, "a=3Db=0D=0Ac") == "a=b\r\nc");
  CHECK(decode(qp, "trailing  \t \r\nnext \n") == "trailing\r\nnext\n");
  CHECK(decode(qp, "soft=  \t\r\nbreak") == "softbreak");
  CHECK(decode(qp, "lower=c3=a4") == "lowerä");
  CHECK(decode(qp, "in  the middle") == "in  the middle");
  CHECK(decode(qp, "end of text  ") == "end of text");
  CHECK(well_formed(qp, "a=3D=\r\nb"));
}

TEST_CASE("quoted-printable that is broken stays readable") {
  CHECK(decode(qp, "a=b") == "a=b");
  CHECK(decode(qp, "a=zz=3D") == "a=zz=");
  CHECK(decode(qp, "100= of =4z=") == "100= of =4z");
  CHECK(decode(qp, "==41") == "=A");
  CHECK(decode(qp, "=4=41") == "=4A");
  CHECK(decode(qp, "a= \tb") == "a= \tb");
  CHECK(decode(qp, "a=\rb") == "a=\rb");
  CHECK(decode(qp, "8-bit \xe4") == "8-bit \xe4");
  CHECK_FALSE(well_formed(qp, "a=b"));
  CHECK_FALSE(well_formed(qp, "a="));
  const std::string spaces(100'000, ' ');
  CHECK(decode(qp, "a" + spaces + "b") == "a" + spaces + "b");
}

TEST_CASE("base64: RFC 2045 6.8") {
  CHECK(decode(b64, "aGVsbG8=") == "hello");
  CHECK(decode(b64, "aGVs\r\nbG8h\r\n") == "hello!");
  CHECK(decode(b64, "aGVsbG8") == "hello");
  CHECK(decode(b64, "aG!Vs*bG8=") == "hello");
  CHECK(decode(b64, "YQ==Yg==") == "ab");
  CHECK(decode(b64, "Y") == "");
  CHECK(decode(b64, "====").empty());
  CHECK(well_formed(b64, "aGVs\r\nbG8=\r\n"));
  for (const auto* bad : {"aGVsbG8", "aG!Vs", "YQ==Yg==", "Y==="})
    CHECK_FALSE(well_formed(b64, bad));
  numbers random(3);
  for (std::size_t size = 0; size < 200; ++size) {
    std::string data;
    for (std::size_t i = 0; i < size; ++i)
      data += static_cast<char>(random.below(256));
    CHECK(decode(b64, merpati::crypto::base64_encode(data)) == data);
  }
}

TEST_CASE("the other encodings are passed through") {
  CHECK(decode(transfer_encoding::binary, std::string_view("a\0b", 3)) == std::string_view("a\0b", 3));
  CHECK(decode(transfer_encoding::seven_bit, "a=41") == "a=41");
  CHECK_FALSE(body_decoder(transfer_encoding::other).well_formed());
}

TEST_CASE("charsets") {
  CHECK(charset("utf-8", "grüß 中文 \xF0\x9F\x98\x80") == "grüß 中文 \xF0\x9F\x98\x80");
  CHECK(charset("UTF-8", "a\xff"
                         "b\xc3")
        == "a\xEF\xBF\xBD"
           "b\xEF\xBF\xBD");
  CHECK(charset("iso-8859-1", "gr\xfc\xdf \x80") == "grüß €");
  CHECK(charset("us-ascii", "gr\xfc\xdf") == "grüß");
  CHECK(charset("us-ascii", "grüß") == "grüß");
  CHECK(charset("", "\xe2\x82") == "â‚");
  CHECK(charset("iso-8859-15", "\xa4") == "€");
  CHECK(charset("koi8-r", "\xf2\xd5\xd3") == "Рус");
  CHECK(charset("gb2312", "\xd6\xd0\xce\xc4") == "中文");
  CHECK(charset("big5", "\xa4\xa4\xa4\xe5") == "中文");
  CHECK(charset("shift_jis", "\x83\x65\x83\x58\x83\x67") == "テスト");
  CHECK(charset("iso-2022-jp", "\x1b$B%F%9%H\x1b(B ok") == "テスト ok");
  CHECK(charset("euc-kr", "\xc7\xd1\xb1\xdb") == "한글");
  CHECK(charset("utf-16", std::string_view("\xfe\xff\0a\xd8\x3d\xde\x00", 8)) == "a\xF0\x9F\x98\x80");
  CHECK(charset("utf-7", "+AOQ-") == "ä");
  CHECK(charset_decoder("windows-1251").known());
  for (const auto* name : {"no-such", "../../etc/passwd", "utf-8,swaplfnl", "x y", "ibm-37,swaplfnl"})
    CHECK_FALSE(charset_decoder(name).known());
  CHECK(charset("no-such", "gr\xfc\xdf") == "grüß");
}

TEST_CASE("decoded text is always UTF-8") {
  numbers random(4);
  for (const auto* name : {"utf-8", "", "iso-8859-1", "gb2312", "shift_jis", "iso-2022-jp", "utf-7", "utf-16",
                           "utf-32le", "hz-gb-2312", "scsu"})
    for (int round = 0; round < 200; ++round) {
      std::string octets;
      for (std::size_t n = random.below(60); n > 0; --n)
        octets += random.below(4) == 0 ? "\x1b$~+-"[random.below(5)] : static_cast<char>(random.below(256));
      const auto text = run(charset_decoder(name), octets, 1 + random.below(9));
      CHECK(run(charset_decoder("utf-8"), text, 64) == text);
    }
}

TEST_CASE("texts are found without regard to case") {
  CHECK(contains("Hello World", "lo wo"));
  CHECK(contains("GRÜSSE aus Köln", "grüsse"));
  CHECK(contains("Die Straße", "STRASSE"));
  CHECK(contains("STRASSE", "straße"));
  CHECK(contains("Москва", "МОСКВА"));
  CHECK(contains("ΣΊΣΥΦΟΣ", "σίσυφος"));
  CHECK(contains("cafe\xCC\x81", "CAFÉ"));
  CHECK(contains("CAFÉ", "cafe\xCC\x81"));
  CHECK(contains("ﬁnance", "FIN"));
  CHECK(contains("中文字", "文"));
  CHECK(contains("aabaabaaab", "aabaaab"));
  CHECK(contains("ababababac", "ababac"));
  CHECK(contains("anything", ""));
  CHECK(contains("", ""));
  CHECK(contains("soft\xC2\xADhyphen", "softhyphen"));
  CHECK_FALSE(contains("Hello World", "worlds"));
  CHECK_FALSE(contains("", "x"));
  CHECK_FALSE(contains("ae", "ä"));
  CHECK_FALSE(contains("x", std::string(100'000, 'x')));
  CHECK_FALSE(text_matcher("a\xff").contains("a"));
}

TEST_CASE("finding agrees with a plain search on random text") {
  numbers random(5);
  for (int round = 0; round < 2000; ++round) {
    std::string text;
    std::string needle;
    for (std::size_t n = random.below(40); n > 0; --n)
      text += "ab"[random.below(2)];
    for (std::size_t n = random.below(6); n > 0; --n)
      needle += "ab"[random.below(2)];
    CHECK(contains(text, needle) == (text.find(needle) != std::string::npos));
  }
}

TEST_CASE("text of a part through both decoders") {
  text_decoder decoder(qp, "iso-8859-1");
  std::string out;
  for (const char c : std::string_view("gr=FC=\r\n=DF"))
    decoder.feed({&c, 1}, out);
  decoder.finish(out);
  CHECK(out == "grüß");
}
