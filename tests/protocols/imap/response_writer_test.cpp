#include "protocols/imap/command_parser.hpp"
#include "protocols/imap/date_time.hpp"
#include "protocols/imap/reply.hpp"
#include "protocols/imap/response_writer.hpp"
#include "protocols/imap/search_program.hpp"
#include "tests/support/catch2.hpp"

using namespace merpati;
using namespace merpati::imap;
using namespace std::chrono;

namespace {

std::string quoted(std::string_view text, bool utf8 = false) {
  std::string out;
  write_string(text, utf8, out);
  return out;
}
std::string astring(std::string_view text) {
  std::string out;
  write_astring(text, false, out);
  return out;
}

} // namespace

TEST_CASE("strings in the form that their octets need") {
  CHECK(quoted("") == "\"\"");
  CHECK(quoted("a\"b\\c") == "\"a\\\"b\\\\c\"");
  CHECK(quoted("a\r\nb") == "{4}\r\na\r\nb");
  CHECK(quoted("ä") == "{2}\r\nä");
  CHECK(quoted("ä", true) == "\"ä\"");
  CHECK(quoted("\xff", true) == "{1}\r\n\xff");
  CHECK(quoted(std::string("a\0b", 3)) == "\"ab\"");
  CHECK(quoted(std::string(1001, 'a')).starts_with("{1001}\r\n"));
  CHECK(astring("INBOX") == "INBOX");
  CHECK(astring("a]b") == "a]b");
  CHECK(astring("") == "\"\"");
  CHECK(astring("NIL") == "\"NIL\"");
  for (auto text : {"a b", "a(b", "a%b", "a*b", "a{b"})
    CHECK(astring(text) == "\"" + std::string(text) + "\"");
}

TEST_CASE("what is written as a string is read back") {
  for (auto text : {"plain", "", "with space", "q\"u\\o", "line\r\nbreak", "ä", "NIL"}) {
    auto c = parse_command("a LOGIN x " + quoted(text), {}, limits{});
    REQUIRE(c);
    CHECK(std::get<commands::login>(c->body).password == text);
    c = parse_command("a LOGIN x " + astring(text), {}, limits{});
    REQUIRE(c);
    CHECK(std::get<commands::login>(c->body).password == text);
  }
}

TEST_CASE("dates are written and read") {
  auto t = timestamp(sys_days(1996y / July / 17) + 9h + 44min + 25s + 999999us);
  std::string out;
  write_date_time(t, out);
  CHECK(out == "\"17-Jul-1996 09:44:25 +0000\"");
  CHECK(parse_date_time("17-Jul-1996 02:44:25 -0700") == timestamp(sys_days(1996y / July / 17) + 9h + 44min + 25s));
  CHECK(parse_date_time(" 1-jan-2026 00:30:00 +0100") == timestamp(sys_days(2025y / December / 31) + 23h + 30min));
  for (auto text : {"1-Jan-2026 00:00:00 +0000", "31-Feb-2026 00:00:00 +0000", "01-Jan-2026 24:00:00 +0000",
                    "01-Jan-2026 00:00:00 0000", "01-Foo-2026 00:00:00 +0000", "01-Jan-2026 00:00:00 +00:0", ""})
    CHECK(!parse_date_time(text));
  CHECK(parse_date("29-Feb-2024"));
  CHECK(!parse_date("29-Feb-2025"));
  CHECK(!parse_date("001-Feb-2025"));
  out.clear();
  write_date_time(timestamp(sys_days(1969y / December / 31) + 23h + 59min + 59s), out);
  CHECK(out == "\"31-Dec-1969 23:59:59 +0000\"");
}

TEST_CASE("COPYUID keeps the order of copying") {
  std::vector<std::uint32_t> from = {304, 319, 320}, to = {3956, 3957, 3958};
  CHECK(copy_uid_code(38505, from, to) == "COPYUID 38505 304,319:320 3956:3958"); // RFC 9051 6.4.7
  std::vector<std::uint32_t> back = {3, 2, 1}, into = {10, 11, 12};
  CHECK(copy_uid_code(1, back, into) == "COPYUID 1 3,2,1 10:12");
  CHECK(copy_uid_code(1, {}, {}) == "");
}

TEST_CASE("every failure has its reply") {
  auto said = [](errc code) {
    std::string out;
    write_tagged("a", reply_for(error{code, "secret path /var"}), out);
    return out;
  };
  CHECK(said(errc::not_found) == "a NO [NONEXISTENT] secret path /var\r\n");
  CHECK(said(errc::disk_full) == "a NO [UNAVAILABLE] No space to store this now, try again later\r\n");
  CHECK(said(errc::over_quota) == "a NO [OVERQUOTA] Quota exceeded\r\n");
  CHECK(said(errc::internal) == "a NO [SERVERBUG] Internal error\r\n");
  CHECK(said(errc::auth_failed) == "a NO [AUTHENTICATIONFAILED] Authentication failed\r\n");
  CHECK(said(errc::in_use).starts_with("a NO [INUSE]"));
  CHECK(said(errc::too_big).starts_with("a NO [TOOBIG]"));
  CHECK(said(errc::too_many).starts_with("a NO [LIMIT]"));
  CHECK(said(errc::shutting_down).starts_with("a NO [UNAVAILABLE]"));
  CHECK(reply_for_target(error{errc::not_found, ""}).code == "TRYCREATE");
  std::string out;
  write_tagged("a", no("", "line\r\nx OK\x7fä"), out);
  CHECK(out == "a NO line??x OK???\r\n");
}

TEST_CASE("flags: every combination and keywords without a name") {
  std::string out;
  write_flags(0, 0, {}, out);
  write_flags(flag::all, 0, {}, out);
  write_flags(0, 6, {"a", "b"}, out);
  write_flags(flag::draft, 3, {"a", "b"}, out);
  CHECK(out == "()(\\Seen \\Answered \\Flagged \\Deleted \\Draft)(b)(\\Draft a b)");
  out.clear();
  write_flags_response(std::vector<std::string>(64, "k"), false, out);
  CHECK(out.find("\\*") == std::string::npos);
}

TEST_CASE("what $ means after SEARCH RETURN (SAVE)") { // RFC 5182 2.4
  auto uids = *sequence_set::parse("2,4:6,9", 10);
  auto saved = [&](std::uint8_t returns) {
    commands::search c;
    c.returns = returns | search_return::save;
    std::string out;
    saved_result(c, uids).write(out);
    return out;
  };
  CHECK(saved(0) == "2,4:6,9");
  CHECK(saved(search_return::min) == "2");
  CHECK(saved(search_return::max) == "9");
  CHECK(saved(search_return::min | search_return::max) == "2,9");
  CHECK(saved(search_return::min | search_return::count) == "2,4:6,9");
}
