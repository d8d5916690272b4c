#include "protocols/smtp/reply.hpp"
#include "protocols/smtp/trace_writer.hpp"
#include "protocols/text/dot_stuffing_writer.hpp"
#include "protocols/text/line_reader.hpp"
#include "protocols/text/utf8.hpp"
#include "tests/support/catch2.hpp"

using namespace merpati;

namespace {

std::string written(const smtp::reply& r) {
  std::string out;
  smtp::write_reply(r, out);
  return out;
}

std::string stuffed(std::string_view message, text::bare_newlines how, std::size_t cut) {
  text::dot_stuffing_writer writer(how);
  std::string out;
  for (; !message.empty(); message.remove_prefix(std::min(cut, message.size())))
    writer.write(message.substr(0, cut), out);
  writer.finish(out);
  return out;
}

} // namespace

TEST_CASE("replies on the wire") {
  CHECK(written({250, "2.0.0", "Ok"}) == "250 2.0.0 Ok\r\n");
  CHECK(written({354, "", "Go"}) == "354 Go\r\n");
  CHECK(written({250, "", "a\nb\nc"}) == "250-a\r\n250-b\r\n250 c\r\n");
  CHECK(written({550, "5.1.1", "evil\r250 ok\x01"}) == "550 5.1.1 evil?250 ok?\r\n");
  CHECK(written({550, "5.1.1", "a\n"}) == "550-5.1.1 a\r\n550 5.1.1 \r\n");
  const auto longest = written({550, "5.1.1", std::string(1200, 'x')});
  std::size_t lines = 0;
  for (std::size_t at = 0; at != longest.size(); ++lines) {
    const auto end = longest.find("\r\n", at) + 2;
    CHECK(end - at <= smtp::reply_line_bytes);
    CHECK(longest[at + 3] == (end == longest.size() ? ' ' : '-'));
    at = end;
  }
  CHECK(lines == 3);
}

TEST_CASE("no temporary failure of ours becomes a 5xx") {
  for (auto code : {errc::disk_full, errc::unavailable, errc::in_use, errc::corrupted, errc::shutting_down,
                    errc::internal, errc::already_exists, errc::over_quota})
    CHECK(smtp::reply_for(code).code < 500);
  CHECK(smtp::reply_for(errc::disk_full) == smtp::replies::storage_full());
  CHECK(smtp::reply_for(errc::not_found).enhanced == "5.1.1");
}

TEST_CASE("the Received field") {
  smtp::trace_info info;
  info.helo = "client.example";
  info.remote_name = "host.client.example";
  info.remote_address = "192.0.2.1";
  info.by = "mail.example.org";
  info.id = "4711abc";
  info.tls = true;
  info.tls_version = "TLSv1.3";
  info.tls_cipher = "TLS_AES_256_GCM_SHA384";
  info.recipient = smtp::mailbox{"alice", "example.org"};
  info.when = timestamp(std::chrono::seconds(1795444262));
  CHECK(smtp::write_received(info)
        == "Received: from client.example (host.client.example [192.0.2.1])\r\n"
           "\tby mail.example.org with ESMTPS (TLSv1.3 TLS_AES_256_GCM_SHA384)\r\n"
           "\tid 4711abc for <alice@example.org>; Mon, 23 Nov 2026 14:31:02 +0000\r\n");
  info.helo = "bad\r\nX-Evil: 1";
  info.remote_name = "a)\r\n(b";
  info.remote_address = "2001:db8::1";
  info.tls = false;
  info.recipient.reset();
  CHECK(smtp::write_received(info)
        == "Received: from unknown (a____b [IPv6:2001:db8::1]) by mail.example.org\r\n"
           "\twith ESMTP id 4711abc; Mon, 23 Nov 2026 14:31:02 +0000\r\n");
}

TEST_CASE("with clauses of RFC 3848") {
  auto with = [](bool extended, bool tls, bool auth) {
    smtp::trace_info info;
    info.extended = extended;
    info.tls = tls;
    info.authenticated = auth;
    return smtp::with_protocol(info);
  };
  CHECK(with(false, false, false) == "SMTP");
  CHECK(with(true, false, false) == "ESMTP");
  CHECK(with(true, true, false) == "ESMTPS");
  CHECK(with(true, false, true) == "ESMTPA");
  CHECK(with(true, true, true) == "ESMTPSA");
  smtp::trace_info info;
  info.lmtp = info.tls = true;
  CHECK(smtp::with_protocol(info) == "LMTPS");
  info.utf8 = true;
  CHECK(smtp::with_protocol(info) == "UTF8LMTPS");
}

TEST_CASE("dates and Return-Path") {
  CHECK(smtp::write_date(timestamp(std::chrono::seconds(0))) == "Thu, 1 Jan 1970 00:00:00 +0000");
  CHECK(smtp::write_date(timestamp(std::chrono::seconds(951782400)), std::chrono::minutes(-570))
        == "Mon, 28 Feb 2000 14:30:00 -0930");
  CHECK(smtp::write_date(timestamp(std::chrono::seconds(951782400)), std::chrono::minutes(345))
        == "Tue, 29 Feb 2000 05:45:00 +0545");
  CHECK(smtp::write_return_path({}) == "Return-Path: <>\r\n");
  CHECK(smtp::write_return_path(smtp::mailbox{"a b", "c"}) == "Return-Path: <\"a b\"@c>\r\n");
}

TEST_CASE("dot stuffing, however the message is cut") {
  using text::bare_newlines;
  for (std::size_t cut : {1u, 2u, 3u, 100u}) {
    CHECK(stuffed("", bare_newlines::to_crlf, cut) == ".\r\n");
    CHECK(stuffed(".", bare_newlines::to_crlf, cut) == "..\r\n.\r\n");
    CHECK(stuffed("a\r\n.b\r\n..\r\nc", bare_newlines::to_crlf, cut) == "a\r\n..b\r\n...\r\nc\r\n.\r\n");
    CHECK(stuffed("a\n.b\r.c\r\r\n.\n\n", bare_newlines::to_crlf, cut) == "a\r\n..b\r\n..c\r\n\r\n..\r\n\r\n.\r\n");
    CHECK(stuffed("a\r", bare_newlines::to_crlf, cut) == "a\r\n.\r\n");
    CHECK(stuffed("a\n.b\r.c\r\n.d", bare_newlines::keep, cut) == "a\n.b\r.c\r\n..d\r\n.\r\n");
    CHECK(stuffed("a\r", bare_newlines::keep, cut) == "a\r\n.\r\n");
  }
}

TEST_CASE("lines, however the input is cut") {
  using text::line_status;
  text::line_reader reader;
  auto next = [&](std::size_t limit = 10) { return reader.next_line(limit); };
  reader.feed("one\r\ntw");
  CHECK(next().text == "one");
  CHECK(next().status == line_status::none);
  CHECK(reader.line_start(5) == "tw");
  CHECK_FALSE(reader.empty());
  reader.feed("o\r");
  CHECK(next().status == line_status::none);
  reader.feed("\nthree\n1234567890\r\n12345678\r\na\rb\r\n\r\n");
  CHECK(next().text == "two");
  CHECK(reader.line_start(5) == "three");
  CHECK(next().status == line_status::bare_cr_lf);
  CHECK(next().status == line_status::too_long);
  CHECK(next().text == "12345678");
  CHECK(next().status == line_status::bare_cr_lf);
  CHECK(next().text.empty());
  CHECK(reader.empty());
  // What was not read is kept in front of new input, whose predecessor may be gone.
  {
    std::string gone = "a\r\nb\r\n";
    reader.feed(gone);
    CHECK(next().text == "a");
    reader.feed("c\r\n");
    gone.assign(gone.size(), '#');
  }
  CHECK(next().text == "b");
  CHECK(next().text == "c");
  reader.feed("12345");
  CHECK(next().status == line_status::none);
  reader.feed("67890123");
  CHECK(next().status == line_status::none);
  reader.feed("x\r\nok\r\n");
  CHECK(next().status == line_status::too_long);
  CHECK(next().text == "ok");
  const std::string endless(text::endless_line_bytes, 'x');
  reader.feed(endless);
  CHECK(next().status == line_status::none);
  reader.feed("yyyyyyyyyyy");
  CHECK(next().status == line_status::endless);
  reader.clear();
  CHECK(reader.empty());
}

TEST_CASE("UTF-8 or not") {
  CHECK(text::is_utf8("plain"));
  CHECK(text::is_utf8("\xf0\x9f\x95\x8a"));
  for (std::string_view bad : {"\x80", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xc3"})
    CHECK_FALSE(text::is_utf8(bad));
  for (std::size_t length = 1; length != 200; ++length) {
    std::string long_text(length, 'a');
    CHECK(text::is_ascii(long_text));
    long_text[length * 7 % length] = '\x80';
    CHECK_FALSE(text::is_ascii(long_text));
    long_text.assign(length, 'a').back() = '\xff';
    CHECK_FALSE(text::is_ascii(long_text));
  }
}
