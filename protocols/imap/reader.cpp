#include "protocols/imap/reader.hpp"

#include <utility>

#include <algorithm>
#include <array>

#include "base/ascii.hpp"
#include "protocols/imap/date_time.hpp"
#include "protocols/imap/mailbox_name.hpp"

namespace merpati::imap {
namespace {

constexpr auto atom_chars = [] {
  std::array<bool, 256> table{};
  for (unsigned c = 0x21; c < 0x7f; ++c)
    table[c] = true;
  for (unsigned char c : {'(', ')', '{', '%', '*', '"', '\\', ']'})
    table[c] = false;
  return table;
}();

struct system_flag {
  std::string_view name;
  std::uint8_t bit;
};
constexpr system_flag system_flags[] = {
    {"\\Seen", flag::seen},   {"\\Answered", flag::answered}, {"\\Flagged", flag::flagged},
    {"\\Draft", flag::draft}, {"\\Deleted", flag::deleted},   {"\\Recent", 0}, // RFC 3501 2.3.2: can't be altered
};

} // namespace

bool is_atom_char(char c) noexcept {
  return atom_chars[static_cast<unsigned char>(c)];
}

void reader::fail(errc code, std::string what) {
  if (!error_)
    error_ = error{code, std::move(what)};
}

void reader::expected(std::string_view what) {
  fail(errc::invalid, "Expected " + std::string(what));
}

bool reader::accept(char c) noexcept {
  if (peek() != c || at_end())
    return false;
  ++position_;
  return true;
}

bool reader::accept_word(std::string_view word) noexcept {
  if (!ok() || !ascii::istarts_with(rest(), word))
    return false;
  auto after = position_ + word.size();
  if (after < text_.size() && is_atom_char(text_[after]))
    return false;
  position_ = after;
  return true;
}

void reader::expect(char c) {
  if (!accept(c))
    expected(c == ' ' ? std::string_view("a space") : std::string_view(&c, 1));
}

void reader::end() {
  if (ok() && !at_end())
    expected("the end of the command");
}

std::string_view reader::atom(std::string_view what) {
  return take_while(is_atom_char, what);
}

std::string reader::astring(std::string_view what) {
  if (at_string())
    return string(what);
  return std::string(take_while(is_astring_char, what));
}

std::string reader::string(std::string_view what) {
  if (peek() == '"')
    return quoted();
  if (peek() == '{')
    return literal();
  expected(what);
  return {};
}

std::optional<std::string> reader::nstring(std::string_view what) {
  if (accept_word("NIL"))
    return std::nullopt;
  return string(what);
}

std::string reader::quoted() {
  std::string value;
  ++position_;
  while (position_ < text_.size()) {
    auto stop = text_.find_first_of(std::string_view("\"\\\r\n\0", 5), position_);
    if (stop == std::string_view::npos)
      break;
    value.append(text_, position_, stop - position_);
    position_ = stop + 1;
    if (text_[stop] == '"')
      return value;
    if (text_[stop] != '\\') {
      expected("a quoted string without CR, LF or NUL");
      return {};
    }
    if (position_ >= text_.size() || (text_[position_] != '"' && text_[position_] != '\\')) {
      expected("\" or \\ after \\ in a quoted string");
      return {};
    }
    value += text_[position_++];
  }
  expected("a closing quote");
  return {};
}

std::string reader::literal() {
  auto close = text_.find("}\r\n", position_);
  auto mark =
      close == std::string_view::npos ? std::nullopt : literal_at_end(text_.substr(position_, close + 1 - position_));
  if (!mark || mark->text_length != close + 1 - position_ || mark->binary) {
    expected("a literal such as {5}");
    return {};
  }
  auto start = close + 3;
  if (mark->size_bytes > text_.size() - start) {
    expected("the octets of a literal");
    return {};
  }
  auto octets = text_.substr(start, static_cast<std::size_t>(mark->size_bytes));
  if (octets.find('\0') != std::string_view::npos) { // RFC 9051 9: CHAR8 has no NUL
    expected("a literal without NUL");
    return {};
  }
  position_ = start + octets.size();
  return std::string(octets);
}

std::uint64_t reader::number64(std::string_view what) {
  auto digits = take_while(ascii::is_digit, what);
  auto value = ascii::parse_number<std::uint64_t>(digits);
  // RFC 9051 9: number64 has 63 bits
  if (!value || *value > 0x7fffffffffffffffULL) {
    expected(what);
    return 0;
  }
  return *value;
}

std::uint32_t reader::nz_number(std::string_view what) {
  auto value = ascii::parse_number<std::uint32_t>(take_while(ascii::is_digit, what));
  if (!value || *value == 0) {
    expected(what);
    return 0;
  }
  return *value;
}

result_range reader::partial_range() {
  result_range range;
  range.from_end = accept('-');
  range.first = nz_number("a number of a result");
  expect(':');
  if (range.from_end)
    expect('-');
  range.last = nz_number("a number of a result");
  if (range.first > range.last)
    std::swap(range.first, range.last);
  return range;
}

sequence_set reader::set() {
  auto text = take_while([](char c) { return ascii::is_digit(c) || c == ':' || c == ',' || c == '*' || c == '$'; },
                         "a sequence set");
  if (!ok())
    return {};
  auto parsed = sequence_set::parse(text, bounds_.set_ranges);
  if (!parsed) {
    fail(parsed.error().code, parsed.error().what);
    return {};
  }
  return *std::move(parsed);
}

std::string reader::mailbox() {
  auto wire = astring("a mailbox name");
  if (!ok())
    return {};
  auto name = canonical_mailbox_name(wire, mode_.utf8, bounds_);
  if (!name) {
    fail(name.error().code, name.error().what);
    return {};
  }
  return *std::move(name);
}

flag_list reader::flags() {
  flag_list list;
  expect('(');
  if (accept(')'))
    return list;
  for (std::size_t count = 1; ok(); ++count) {
    if (count > bounds_.flags) {
      fail(errc::too_many, "Too many flags");
      break;
    }
    flag_into(list);
    if (accept(')'))
      break;
    space();
  }
  return list;
}

void reader::flag_into(flag_list& into) {
  if (accept('\\')) {
    auto name = atom("a flag");
    for (const auto& known : system_flags)
      if (ascii::iequals(known.name.substr(1), name)) {
        into.system |= known.bit;
        return;
      }
    expected("a system flag of RFC 9051 2.3.2");
    return;
  }
  auto keyword = atom("a flag");
  if (keyword.size() > bounds_.keyword) {
    fail(errc::too_big, "Keyword too long");
    return;
  }
  auto same = [&](const std::string& known) { return ascii::iequals(known, keyword); };
  if (ok() && std::none_of(into.keywords.begin(), into.keywords.end(), same))
    into.keywords.emplace_back(keyword);
}

timestamp reader::date_time() {
  expect('"');
  auto text = take_while([](char c) { return c != '"'; }, "a date and time");
  expect('"');
  auto value = parse_date_time(text);
  if (ok() && !value)
    expected("a date and time such as \"17-Jul-1996 02:44:25 -0700\"");
  return value.value_or(timestamp{});
}

std::chrono::sys_days reader::date() {
  bool in_quotes = accept('"');
  auto text = take_while([](char c) { return ascii::is_alnum(c) || c == '-'; }, "a date");
  if (in_quotes)
    expect('"');
  auto value = parse_date(text);
  if (ok() && !value)
    expected("a date such as 1-Feb-1994");
  return value.value_or(std::chrono::sys_days{});
}

} // namespace merpati::imap
