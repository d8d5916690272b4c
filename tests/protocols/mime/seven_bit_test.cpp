// Messages for servers that take no octets above 127: examples of each rule, and trees at random whose leaves have to
// say the same afterwards.
#include "protocols/mime/seven_bit_writer.hpp"

#include <algorithm>

#include "protocols/mime/decoder.hpp"
#include "protocols/text/utf8.hpp"
#include "tests/protocols/mime/corpus.hpp"

using namespace merpati::mime;
using merpati::mime::test::numbers;

namespace {

constexpr auto whole = std::string_view::npos;

template <class Take>
void in_pieces(std::string_view octets, std::size_t step, Take take) {
  for (; !octets.empty(); octets.remove_prefix(std::min(step, octets.size())))
    take(octets.substr(0, step));
}

/// The result, or the verdict in angle brackets.
std::string convert(std::string_view octets, std::size_t step = whole, bool utf8 = false, bool binary = false) {
  seven_bit_plan plan(binary);
  in_pieces(octets, step, [&](auto piece) { plan.survey(piece); });
  if (!plan.end_survey())
    return std::string(octets);
  in_pieces(octets, step, [&](auto piece) { plan.measure(piece); });
  switch (plan.decide(utf8)) {
  case seven_bit_plan::verdict::header_is_8bit: return "<header>";
  case seven_bit_plan::verdict::impossible: return "<" + plan.obstacle() + ">";
  case seven_bit_plan::verdict::convert: break;
  }
  std::string out;
  seven_bit_writer writer(plan);
  in_pieces(octets, step, [&](auto piece) { writer.write(piece, out); });
  CHECK(out.size() <= plan.estimated_octets());
  return out;
}

bool breaks_signature(std::string_view octets) {
  seven_bit_plan plan(false);
  plan.survey(octets);
  REQUIRE(plan.end_survey());
  plan.measure(octets);
  REQUIRE(plan.decide(false) == seven_bit_plan::verdict::convert);
  return plan.breaks_signature();
}

void leaves_of(const part& p, std::string_view octets, std::vector<std::string>& out) {
  if (p.children.empty()) {
    std::string decoded;
    body_decoder decoder(p.encoding);
    decoder.feed(octets.substr(p.body_begin, p.body_octets()), decoded);
    decoder.finish(decoded);
    out.push_back(p.type + '/' + p.subtype + ' ' + decoded);
  }
  for (const auto& child : p.children)
    leaves_of(child, octets, out);
}

std::vector<std::string> leaves(std::string_view octets) {
  std::vector<std::string> out;
  leaves_of(parse(octets).root, octets, out);
  return out;
}

std::size_t longest_line(std::string_view octets) {
  std::size_t longest = 0;
  while (!octets.empty()) {
    const auto end = std::min(octets.find("\r\n"), octets.size());
    longest = std::max(longest, end);
    octets.remove_prefix(std::min(end + 2, octets.size()));
  }
  return longest;
}

/// A body of lines, some with octets above 127, some long; never one that is a delimiter.
std::string random_body(numbers& random, bool binary) {
  std::string out;
  for (std::size_t i = 0, lines = 1 + random.below(6); i < lines; ++i) {
    const auto length = random.below(10) == 0 ? random.below(3'000) : random.below(90);
    const auto kind = random.below(4);
    for (std::size_t k = 0; k < length; ++k) {
      constexpr std::string_view odd = " \t=-.--\xc3\xa9 \xff";
      auto c = static_cast<char>(kind == 0 ? 128 + random.below(128) : 'a' + static_cast<int>(random.below(26)));
      if (random.below(6) == 0)
        c = odd[random.below(odd.size())];
      if (binary && random.below(20) == 0)
        c = static_cast<char>(random.below(256));
      out += k == 0 && c == '-' ? 'x' : c;
    }
    if (binary && random.below(4) == 0)
      continue;
    out += "\r\n";
  }
  // A line that begins with hyphens by chance would be of another shape after all.
  for (std::size_t at = 0; (at = out.find("\n--", at)) != std::string::npos;)
    out[at + 1] = 'x';
  return out;
}

std::string random_part(numbers& random, int depth, bool binary, int& count) {
  const auto choice = depth == 0 ? 5 : random.below(6);
  if (choice == 0) {
    return "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\nSubject: inside\r\n"
           + random_part(random, depth - 1, binary, count);
  }
  if (choice <= 2) {
    const auto boundary = "b" + std::to_string(++count) + "=_x";
    std::string out = "Content-Type: multipart/mixed;\r\n boundary=\"" + boundary
                      + "\"\r\ncontent-transfer-encoding: 8BIT\r\n\r\nPre\xc3\xa9\r\n";
    for (std::size_t i = 0, parts = 1 + random.below(3); i < parts; ++i)
      out += "--" + boundary + "\r\n" + random_part(random, depth - 1, binary, count) + "\r\n";
    return out + "--" + boundary + "--\r\nafter\r\n";
  }
  constexpr std::string_view headers[] = {
      "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n",
      "Content-Type: application/x-thing\r\nContent-Transfer-Encoding: binary\r\nContent-ID: <a@b>\r\n",
      "",
      "X-Long: 1\r\nContent-Type: text/html\r\nContent-Transfer-Encoding:\r\n 8bit\r\nX-After: 2\r\n",
  };
  return std::string(headers[random.below(4)]) + "\r\n" + random_body(random, binary);
}

} // namespace

TEST_CASE("text becomes quoted-printable, other things base64") {
  CHECK(
      convert("MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
              "Gr\xc3\xbc\xc3\x9f dich, das ist eine ganze Zeile \r\n.\r\n")
      == "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: "
         "quoted-printable\r\n\r\nGr=C3=BC=C3=9F dich, das ist eine ganze Zeile=20\r\n.\r\n");
  CHECK(convert("MIME-Version: 1.0\r\nContent-Type: image/x-dot\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\xff\xfe\r\n")
        == "MIME-Version: 1.0\r\nContent-Type: image/x-dot\r\nContent-Transfer-Encoding: base64\r\n\r\n//4NCg==\r\n");
}

TEST_CASE("text that has no MIME header gets one") {
  CHECK(convert("Subject: x\r\n\r\ncaf\xe9 is a word of four\r\n")
        == "Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=unknown-8bit\r\n"
           "Content-Transfer-Encoding: quoted-printable\r\n\r\ncaf=E9 is a word of four\r\n");
}

TEST_CASE("what is 7-bit already stays, whatever was said of it") {
  const std::string text = "Content-Transfer-Encoding: 8bit\r\n\r\nplain\r\n";
  CHECK(convert(text) == text);
}

TEST_CASE("only parts that need it change, and containers lose their 8bit") {
  CHECK(convert(
            "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: 8bit\r\n"
            "\r\n--b \r\nContent-Type: text/plain\r\n\r\nsame = same\r\n--b\r\n"
            "Content-Type: text/plain; charset=utf-8\r\n\r\none \xc3\xa9 among many others\r\n--b--\r\n\xe9pilogue\r\n")
        == "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: 7bit\r\n"
           "\r\n--b\r\nContent-Type: text/plain\r\n\r\nsame = same\r\n--b\r\n"
           "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
           "one =C3=A9 among many others\r\n--b--\r\n");
}

TEST_CASE("a header with octets above 127 needs SMTPUTF8") {
  const std::string text = "MIME-Version: 1.0\r\nSubject: caf\xc3\xa9\r\n\r\nplain\r\n";
  CHECK(convert(text) == "<header>");
  CHECK(convert(text, whole, true) == text);
  const std::string global =
      "MIME-Version: 1.0\r\nContent-Type: message/global\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
      "Subject: caf\xc3\xa9 and more of it\r\n\r\nplain and long enough\r\n";
  CHECK(convert(global).find("Content-Transfer-Encoding: quoted-printable\r\n\r\nSubject: caf=C3=A9")
        != std::string::npos);
}

TEST_CASE("what may not be encoded can't be converted") {
  CHECK(convert("Content-Type: message/partial; id=a; number=1\r\n\r\n\xff\r\n").starts_with("<its part"));
  CHECK(convert("Content-Transfer-Encoding: x-own\r\n\r\n\xff\r\n").starts_with("<its part"));
}

TEST_CASE("line ends of half a kind count as what has to be written in three octets") {
  const std::string lines = std::string(400, '\n') + std::string(400, '\r');
  CHECK(convert("\r\n" + lines, whole, false, true).find("base64") != std::string::npos); // the estimate is checked too
}

TEST_CASE("a signature that can't hold is told of") {
  CHECK_FALSE(breaks_signature("Subject: a\r\n\r\n\xff\r\n"));
  CHECK(breaks_signature("DKIM-Signature: v=1\r\n\r\n\xff\r\n"));
  const std::string head =
      "Content-Type: multipart/mixed; boundary=o\r\n\r\n--o\r\nContent-Type: multipart/signed; boundary=i"
      "\r\n\r\n--i\r\n\r\n";
  CHECK(breaks_signature(head + "\xff\r\n--i--\r\n--o--\r\n"));
  CHECK_FALSE(breaks_signature(head + "a\r\n--i--\r\n--o\r\n\r\n\xff\r\n--o--\r\n"));
}

TEST_CASE("trees at random say the same in 7 bits") {
  for (std::uint64_t seed = 1; seed <= 1'500; ++seed) {
    CAPTURE(seed);
    numbers random(seed);
    const bool binary = seed % 3 == 0;
    int count = 0;
    const auto text = "MIME-Version: 1.0\r\nSubject: x\r\n" + random_part(random, 4, binary, count);
    const auto made = convert(text, whole, false, binary);
    REQUIRE(merpati::text::is_ascii(made));
    REQUIRE(longest_line(made) <= 998);
    REQUIRE(convert(text, 1 + random.below(40), false, binary) == made);
    auto before = leaves(text);
    REQUIRE(leaves(made) == before);
    REQUIRE(convert(made, whole, false, binary) == made);
  }
}
