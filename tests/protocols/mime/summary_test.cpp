#include "protocols/mime/summary.hpp"

#include "protocols/mime/imap_text.hpp"
#include "protocols/mime/parser.hpp"
#include "tests/protocols/mime/corpus.hpp"

using namespace merpati::mime;
using namespace merpati::mime::test;

namespace {

std::string crlf(std::string_view text) {
  std::string out;
  for (const char c : text)
    out += c == '\n' ? std::string("\r\n") : std::string(1, c);
  return out;
}

// Keeps the octets that its view looks at.
struct summary {
  explicit summary(std::string_view message, const limits& bounds = {})
      : octets(summarise(message, bounds)), view(summary_view::open(octets).value()) {}
  std::string octets;
  summary_view view;
};

std::string body_of(const summary& s) {
  std::string out;
  s.view.append_body(out);
  return out;
}

std::string section(const summary& s, std::string_view message, std::vector<std::uint32_t> numbers, section_kind kind) {
  const auto range = s.view.section(numbers, kind);
  return range ? std::string(message.substr(range->offset, range->length)) : "none";
}

} // namespace

TEST_CASE("the message of RFC 9051 8: its envelope and body structure") {
  const auto header = crlf(R"(Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)
From: Terry Gray <gray@cac.washington.edu>
Subject: IMAP4rev2 WG mtg summary and minutes
To: imap@cac.washington.edu
cc: minutes@CNRI.Reston.VA.US, John Klensin <KLENSIN@MIT.EDU>
Message-Id: <B27397-0100000@cac.washington.edu>
MIME-Version: 1.0
Content-Type: TEXT/PLAIN; CHARSET=US-ASCII

)");
  std::string text; // 3028 octets in 92 lines, as there
  for (int i = 0; i < 92; ++i)
    text += std::string(i < 91 ? 31 : 3028 - 91 * 33 - 2, 'x') + "\r\n";
  const summary s(header + text);
  CHECK(s.view.envelope()
        == "(\"Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\" \"IMAP4rev2 WG mtg summary and minutes\" "
           "((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) ((\"Terry Gray\" NIL \"gray\" "
           "\"cac.washington.edu\")) "
           "((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) ((NIL NIL \"imap\" \"cac.washington.edu\")) "
           "((NIL NIL \"minutes\" \"CNRI.Reston.VA.US\")(\"John Klensin\" NIL \"KLENSIN\" \"MIT.EDU\")) NIL NIL "
           "\"<B27397-0100000@cac.washington.edu>\")");
  CHECK(body_of(s) == "(\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" 3028 92)");
  CHECK(s.view.body_structure()
        == "(\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" 3028 92 NIL NIL NIL NIL)");
  CHECK(s.view.header_octets() == header.size());
  CHECK(s.view.octets() == header.size() + 3028);
  CHECK(s.view.lines() == 9 + 92);
  CHECK(s.view.sent_utc() == 837595405);
  CHECK(s.view.sent_day() == 837561600 / 86400);
  CHECK(s.view.addresses(address_field::cc) == "minutes@CNRI.Reston.VA.US, John Klensin <KLENSIN@MIT.EDU>");
  CHECK(s.view.message_id() == "B27397-0100000@cac.washington.edu");
  CHECK_FALSE(s.view.has_attachment());
}

TEST_CASE("the multipart of RFC 9051 7.5.2") {
  std::string one; // 1152 octets in 23 lines
  for (int i = 0; i < 23; ++i)
    one += std::string(i < 22 ? 48 : 1152 - 22 * 50 - 2, 'a') + "\r\n";
  std::string two; // 4554 octets in 73 lines
  for (int i = 0; i < 73; ++i)
    two += std::string(i < 72 ? 60 : 4554 - 72 * 62 - 2, 'b') + "\r\n";
  const auto message =
      "Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: TEXT/PLAIN; CHARSET=US-ASCII\r\n\r\n" + one
      + "\r\n--x\r\nContent-Type: TEXT/PLAIN; CHARSET=US-ASCII; NAME=cc.diff\r\n"
        "Content-ID: <960723163407.20117h@cac.washington.edu>\r\nContent-Description: Compiler diff\r\n"
        "Content-Transfer-Encoding: BASE64\r\n\r\n"
      + two + "\r\n--x--\r\n";
  const summary s(message);
  CHECK(body_of(s)
        == "((\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" 1152 23)"
           "(\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\" \"NAME\" \"cc.diff\") "
           "\"<960723163407.20117h@cac.washington.edu>\" "
           "\"Compiler diff\" \"BASE64\" 4554 73) \"MIXED\")");
}

TEST_CASE("envelopes: defaults, groups and odd octets") {
  const auto envelope = [](std::string_view message) { return std::string(summary(message).view.envelope()); };
  CHECK(envelope("") == "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)");
  CHECK(envelope("From: a@b\r\nSender: c@d\r\nReply-To:\r\n\r\n")
        == "(NIL NIL ((NIL NIL \"a\" \"b\")) ((NIL NIL \"c\" \"d\")) ((NIL NIL \"a\" \"b\")) NIL NIL NIL NIL NIL)");
  CHECK(envelope("To: A Group:Ed Jones <c@a.test>;\r\n\r\n")
        == "(NIL NIL NIL NIL NIL ((NIL NIL \"A Group\" NIL)(\"Ed Jones\" NIL \"c\" \"a.test\")(NIL NIL NIL NIL)) NIL "
           "NIL NIL NIL)");
  CHECK(envelope("To: <@r.test:c@a.test>, joe\r\n\r\n")
        == "(NIL NIL NIL NIL NIL ((NIL \"@r.test\" \"c\" \"a.test\")(NIL NIL \"joe\" \"MISSING_DOMAIN\")) NIL NIL NIL "
           "NIL)");
  CHECK(envelope("Subject: say \"x\" \\ y\r\n\r\n")
        == "(NIL \"say \\\"x\\\" \\\\ y\" NIL NIL NIL NIL NIL NIL NIL NIL)");
  CHECK(envelope("Subject: gr\xc3\xbc\xc3\x9f\r\n\r\n")
        == "(NIL {6}\r\ngr\xc3\xbc\xc3\x9f NIL NIL NIL NIL NIL NIL NIL NIL)");
  CHECK(envelope("In-Reply-To: <a@b>\r\nMessage-ID: <c@d>\r\n\r\n")
        == "(NIL NIL NIL NIL NIL NIL NIL NIL \"<a@b>\" \"<c@d>\")");
  std::string nul;
  append_string(nul, std::string_view("a\0b", 3));
  CHECK(nul == "\"ab\"");
  nul.clear();
  append_string(nul, std::string_view("\xff\0\r", 3));
  CHECK(nul == "{2}\r\n\xff\r");
}

TEST_CASE("body structures: extension data") {
  const summary s(
      crlf("Content-Type: multipart/alternative; boundary=x\nContent-Disposition: inline\nContent-Language: en, de\n"
           "Content-Location: http://x/\n\n--x\nContent-Type: image/png; name*=utf-8''%C3%A4.png\n"
           "Content-MD5: Q2hlY2s=\nContent-Disposition: attachment; filename=\"a b\"\nContent-Language: fr\n"
           "Content-Transfer-Encoding: base64\n\nAAAA\n--x--\n"));
  CHECK(s.view.body_structure()
        == "((\"IMAGE\" \"PNG\" (\"NAME*\" \"utf-8''%C3%A4.png\") NIL NIL \"BASE64\" 4 \"Q2hlY2s=\" "
           "(\"ATTACHMENT\" (\"FILENAME\" \"a b\")) \"fr\" NIL) \"ALTERNATIVE\" (\"BOUNDARY\" \"x\") (\"INLINE\" NIL) "
           "(\"en\" \"de\") \"http://x/\")");
  CHECK(body_of(s) == "((\"IMAGE\" \"PNG\" (\"NAME*\" \"utf-8''%C3%A4.png\") NIL NIL \"BASE64\" 4) \"ALTERNATIVE\")");
  CHECK(s.view.has_attachment());
}

TEST_CASE("body structures: messages and what can't be shown") {
  const summary inner(crlf("Content-Type: message/rfc822\n\nSubject: in\n\none\ntwo\n"));
  CHECK(inner.view.body_structure()
        == "(\"MESSAGE\" \"RFC822\" NIL NIL NIL \"7BIT\" 25 (NIL \"in\" NIL NIL NIL NIL NIL NIL NIL NIL) "
           "(\"TEXT\" \"PLAIN\" (\"CHARSET\" \"us-ascii\") NIL NIL \"7BIT\" 10 2 NIL NIL NIL NIL) 4 NIL NIL NIL NIL)");
  CHECK(body_of(inner)
        == "(\"MESSAGE\" \"RFC822\" NIL NIL NIL \"7BIT\" 25 (NIL \"in\" NIL NIL NIL NIL NIL NIL NIL NIL) "
           "(\"TEXT\" \"PLAIN\" (\"CHARSET\" \"us-ascii\") NIL NIL \"7BIT\" 10 2) 4)");
  const summary empty("Content-Type: multipart/mixed; boundary=x\r\n\r\nhello\r\n");
  CHECK(body_of(empty) == "(\"TEXT\" \"PLAIN\" NIL NIL NIL \"7BIT\" 7 1)");
  const summary encoded("Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\nAAAA\r\n");
  CHECK(body_of(encoded) == "(\"APPLICATION\" \"OCTET-STREAM\" NIL NIL NIL \"BASE64\" 6)");
}

TEST_CASE("sections: the example of RFC 9051 6.4.5.1") {
  // The tree of the RFC: 1 text, 2 octet-stream, 3 message (3.1 text, 3.2 octet-stream), 4 multipart (4.1 image,
  // 4.2 message (4.2.1 text, 4.2.2 multipart (4.2.2.1 text, 4.2.2.2 rich))).
  const auto message = crlf(R"(Subject: top
Content-Type: multipart/mixed; boundary=a

--a
Content-Type: text/plain

1
--a
Content-Type: application/octet-stream

2
--a
Content-Type: message/rfc822

Subject: three
Content-Type: multipart/mixed; boundary=b

--b

3.1
--b
Content-Type: application/octet-stream

3.2
--b--
--a
Content-Type: multipart/mixed; boundary=c

--c
Content-Type: image/gif

4.1
--c
Content-Type: message/rfc822

Subject: four two
Content-Type: multipart/mixed; boundary=d

--d
Content-Type: text/plain

4.2.1
--d
Content-Type: multipart/alternative; boundary=e

--e
Content-Type: text/plain

4.2.2.1
--e
Content-Type: text/richtext

4.2.2.2
--e--
--d--
--c--
--a--
)");
  const summary s(message);
  using k = section_kind;
  const auto at = [&](std::vector<std::uint32_t> numbers, k kind = k::body) {
    return section(s, message, numbers, kind);
  };
  CHECK(at({}) == message);
  CHECK(at({}, k::header) == "Subject: top\r\nContent-Type: multipart/mixed; boundary=a\r\n\r\n");
  CHECK(at({}, k::text) == message.substr(message.find("--a")));
  CHECK(at({1}) == "1");
  CHECK(at({1}, k::mime) == "Content-Type: text/plain\r\n\r\n");
  CHECK(at({2}) == "2");
  CHECK(at({3}).starts_with("Subject: three"));
  CHECK(at({3}).ends_with("--b--"));
  CHECK(at({3}, k::header) == "Subject: three\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n");
  CHECK(at({3}, k::text).starts_with("--b"));
  CHECK(at({3}, k::mime) == "Content-Type: message/rfc822\r\n\r\n");
  CHECK(at({3, 1}) == "3.1");
  CHECK(at({3, 2}) == "3.2");
  CHECK(at({4}).starts_with("--c"));
  CHECK(at({4, 1}) == "4.1");
  CHECK(at({4, 1}, k::mime) == "Content-Type: image/gif\r\n\r\n");
  CHECK(at({4, 2}, k::header).starts_with("Subject: four two"));
  CHECK(at({4, 2}, k::text).starts_with("--d"));
  CHECK(at({4, 2, 1}) == "4.2.1");
  CHECK(at({4, 2, 2}).starts_with("--e"));
  CHECK(at({4, 2, 2, 1}) == "4.2.2.1");
  CHECK(at({4, 2, 2, 2}) == "4.2.2.2");
  for (const auto& none : std::vector<std::vector<std::uint32_t>>{
           {0}, {5}, {1, 1}, {3, 3}, {4, 3}, {4, 2, 2, 3}, {4, 2, 1, 1}, {3, 0}, {4'294'967'295}})
    CHECK(at(none) == "none");
  CHECK(at({1}, k::header) == "none");
  CHECK(at({4}, k::text) == "none");
  CHECK(at({}, k::mime) == "none");
  CHECK_FALSE(s.view.find_part({}).has_value());
}

TEST_CASE("sections of messages that are no multipart") {
  const auto plain = crlf(
      "Subject: x\nContent-Type: text/plain; charset=koi8-r\nContent-Transfer-Encoding: quoted-printable\n\nbody\n");
  const summary s(plain);
  CHECK(section(s, plain, {1}, section_kind::body) == "body\r\n");
  CHECK(section(s, plain, {1}, section_kind::mime) == plain.substr(0, plain.find("body")));
  CHECK(section(s, plain, {1, 1}, section_kind::body) == "none");
  CHECK(section(s, plain, {2}, section_kind::body) == "none");
  const std::uint32_t first = 1;
  const auto entry = s.view.find_part({&first, 1});
  REQUIRE(entry);
  CHECK(entry->charset == "koi8-r");
  CHECK(entry->encoding == transfer_encoding::quoted_printable);
  CHECK(entry->text);

  const auto nested = crlf("Content-Type: message/rfc822\n\nSubject: in\n\nbody\n");
  const summary n(nested);
  CHECK(section(n, nested, {1}, section_kind::body) == "Subject: in\r\n\r\nbody\r\n");
  CHECK(section(n, nested, {1}, section_kind::header) == "Subject: in\r\n\r\n");
  CHECK(section(n, nested, {1}, section_kind::text) == "body\r\n");
  CHECK(section(n, nested, {1, 1}, section_kind::body) == "body\r\n");
  CHECK(section(n, nested, {1, 1}, section_kind::header) == "none");
}

TEST_CASE("the parts that a search walks over are those of the tree") {
  for (const auto& sample : corpus()) {
    INFO(sample.path);
    const auto m = parse(sample.octets);
    std::vector<const part*> expected;
    const std::function<void(const part&)> collect = [&](const part& p) {
      expected.push_back(&p);
      for (const auto& c : p.children)
        collect(c);
    };
    collect(m.root);
    const auto octets = summarise(m);
    const auto view = summary_view::open(octets).value();
    std::size_t i = 0;
    view.for_each_part([&](const part_entry& e) {
      REQUIRE(i < expected.size());
      const auto& p = *expected[i++];
      CHECK(e.header == octet_range{p.header_begin, p.body_begin - p.header_begin});
      CHECK(e.body == octet_range{p.body_begin, p.body_octets()});
      CHECK(e.what == p.what);
      CHECK(e.encoding == p.encoding);
      CHECK(e.message_root == (p.values != nullptr));
      return true;
    });
    CHECK(i == expected.size());
    // BODY exists wherever BODYSTRUCTURE does, and both are one well-formed value.
    std::string body;
    view.append_body(body);
    for (const auto text : {view.envelope(), view.body_structure(), std::string_view(body)}) {
      imap_text_reader reader(text);
      CHECK(reader.take_value() == text);
    }
  }
}

TEST_CASE("values for search and sort") {
  const summary s(
      crlf("From: =?utf-8?q?J=C3=B6rg?= <joerg@example.org>, b@c\nTo: Group: x@y;\nSubject: =?utf-8?b?w6Q=?=\n"
           "Date: Fri, 21 Nov 1997 23:30:00 -0600\nIn-Reply-To: <parent@x>\nReferences: <root@x> <parent@x>\n"
           "Message-ID: <own@x>\n\n"));
  CHECK(s.view.subject() == "ä");
  CHECK(s.view.addresses(address_field::from) == "Jörg <joerg@example.org>, b@c");
  CHECK(s.view.addresses(address_field::to) == "Group, x@y");
  CHECK(s.view.addresses(address_field::bcc).empty());
  CHECK(s.view.sort_mailbox(address_field::from) == "joerg");
  CHECK(s.view.sort_mailbox(address_field::cc).empty());
  CHECK(s.view.sort_display(address_field::from) == "Jörg");
  CHECK(s.view.references() == "root@x parent@x");
  CHECK(s.view.in_reply_to() == "parent@x");
  CHECK(s.view.sent_utc() == 880176600);
  CHECK(s.view.sent_day() == 880070400 / 86400); // the 21st, whatever UTC says
  const summary early("Date: Thu, 13 Feb 1969 23:32 -0330\r\n\r\n");
  CHECK(early.view.sent_day() == -322);
  const summary none("Subject: x\r\n\r\n");
  CHECK_FALSE(none.view.sent_utc());
  CHECK_FALSE(none.view.sent_day());
}

TEST_CASE("messages of a thread have one key") {
  const auto key = [](std::string_view header) { return summary(std::string(header) + "\r\n").view.thread_key(); };
  const auto root = key("Message-ID: <root@x>\r\n");
  CHECK(root != 0);
  CHECK(key("Message-ID: <b@x>\r\nIn-Reply-To: <root@x>\r\n") == root);
  CHECK(key("Message-ID: <c@x>\r\nIn-Reply-To: <b@x>\r\nReferences: <root@x> <b@x>\r\n") == root);
  CHECK(key("Message-ID: <other@x>\r\n") != root);
  CHECK(key("") == 0);
}

TEST_CASE("attachments") {
  const auto has = [](std::string_view part_header) {
    return summary("Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\ntext\r\n--x\r\n"
                   + std::string(part_header) + "\r\n\r\nx\r\n--x--\r\n")
        .view.has_attachment();
  };
  CHECK(has("Content-Disposition: attachment"));
  CHECK(has("Content-Type: application/pdf; name=x.pdf"));
  CHECK(has("Content-Type: message/rfc822"));
  CHECK_FALSE(has("Content-Type: text/html"));
  CHECK_FALSE(has("Content-Type: image/png; name=x.png\r\nContent-ID: <a@b>"));
  CHECK_FALSE(has("Content-Type: application/pgp-signature"));
}

TEST_CASE("a hostile header makes no hostile summary") {
  std::string octets = "Subject: " + std::string(200'000, 'x') + "\r\nFrom: ";
  for (int i = 0; i < 120'000; ++i)
    octets += "a,";
  octets += "\r\n";
  for (int i = 0; i < 100; ++i)
    octets += "To: " + std::string(100'000, ',') + "a\r\nReferences: <a>\r\n";
  octets += "\r\n";
  const summary s(octets);
  CHECK(s.octets.size() < 4u << 20);
  CHECK(s.view.subject().size() == limits{}.search_octets);
}

TEST_CASE("an ordinary message has a small summary") {
  const auto octets =
      summarise(crlf("Received: from a by b; Fri, 21 Nov 1997 09:55:06 -0600\nFrom: John Doe <jdoe@machine.example>\n"
                     "To: Mary Smith <mary@example.net>\nSubject: Saying Hello to everybody\n"
                     "Date: Fri, 21 Nov 1997 09:55:06 -0600\nMessage-ID: <1234.5678.90abcdef@local.machine.example>\n"
                     "Content-Type: multipart/alternative; boundary=\"----=_Part_12345_67890.1234567890\"\n\n"
                     "------=_Part_12345_67890.1234567890\nContent-Type: text/plain; charset=utf-8\n\nhi\n"
                     "------=_Part_12345_67890.1234567890\nContent-Type: text/html; charset=utf-8\n\n<p>hi\n"
                     "------=_Part_12345_67890.1234567890--\n"));
  CHECK(octets.size() < 1'200);
}

TEST_CASE("damaged summaries are refused or read without harm") {
  const auto use = [](std::string_view octets) {
    const auto view = summary_view::open(octets);
    if (!view) {
      CHECK(view.error().code == merpati::errc::corrupted);
      return;
    }
    std::string body;
    view->append_body(body);
    view->has_attachment();
    view->sent_day();
    for (const auto field : {address_field::from, address_field::to, address_field::cc, address_field::bcc}) {
      view->sort_mailbox(field);
      view->sort_display(field);
    }
    std::size_t parts = 0;
    view->for_each_part([&](const part_entry& e) {
      CHECK(e.body.offset + e.body.length <= view->octets());
      return ++parts < 100'000;
    });
    for (std::uint32_t a = 0; a < 4; ++a)
      for (std::uint32_t b = 0; b < 4; ++b) {
        const std::array<std::uint32_t, 3> numbers{a, b, 1};
        for (std::size_t n = 0; n <= 3; ++n)
          for (const auto kind : {section_kind::body, section_kind::header, section_kind::text, section_kind::mime})
            if (const auto range = view->section(std::span(numbers).subspan(0, n), kind))
              CHECK(range->offset + range->length <= view->octets());
      }
  };
  numbers random(6);
  for (const auto& sample : corpus("mime-tools")) {
    const auto good = summarise(sample.octets);
    INFO(sample.path);
    for (std::size_t cut = 0; cut < good.size(); cut += 1 + good.size() / 40)
      CHECK_FALSE(summary_view::open(std::string_view(good).substr(0, cut)));
    for (int round = 0; round < 150; ++round) {
      auto bad = good;
      for (std::size_t n = 1 + random.below(3); n > 0; --n)
        bad[random.below(bad.size())] = static_cast<char>(random.below(256));
      use(bad);
    }
  }
  use("");
  use(std::string(40, '\xff'));
  use("\x02");
}
