// Dates of the header: RFC 5322 3.3, the obsolete forms of 4.3, asctime(), and the usual mistakes. Tokens are taken for
// what they look like, in whichever order they come.
#include <array>
#include <chrono>

#include "base/ascii.hpp"
#include "protocols/mime/fields.hpp"
#include "protocols/mime/lexer.hpp"

namespace merpati::mime {
namespace {

constexpr std::array<std::string_view, 12> months{"jan", "feb", "mar", "apr", "may", "jun",
                                                  "jul", "aug", "sep", "oct", "nov", "dec"};

struct zone_name {
  std::string_view name;
  int minutes;
};
// RFC 5322 4.3; then those of Europe that are met. Others, the military letters among them, count as UTC.
constexpr std::array zones{
    zone_name{"edt", -240}, zone_name{"est", -300}, zone_name{"cdt", -300}, zone_name{"cst", -360},
    zone_name{"mdt", -360}, zone_name{"mst", -420}, zone_name{"pdt", -420}, zone_name{"pst", -480},
    zone_name{"bst", 60},   zone_name{"cet", 60},   zone_name{"met", 60},   zone_name{"mez", 60},
    zone_name{"cest", 120}, zone_name{"mest", 120}, zone_name{"eet", 120},  zone_name{"eest", 180},
    zone_name{"msk", 180},  zone_name{"jst", 540},
};

struct date_parts {
  std::optional<unsigned> day, month;
  std::optional<int> year;
  std::optional<int> seconds; // of the day
  std::optional<int> zone;
  bool afternoon = false, morning = false;
};

bool take_zone(std::string_view token, date_parts& d) {
  const int sign = token.front() == '-' ? -1 : 1;
  std::string digits;
  for (const char c : token.substr(1))
    if (c != ':')
      digits += c;
  const auto number = ascii::parse_number<std::uint16_t>(digits);
  if (!number || digits.size() > 4)
    return false;
  const int minutes = digits.size() <= 2 ? *number * 60 : *number / 100 * 60 + *number % 100;
  d.zone = minutes < 24 * 60 ? sign * minutes : 0;
  return true;
}

bool take_time(std::string_view token, date_parts& d) {
  std::array<unsigned, 3> value{};
  std::size_t count = 0;
  while (count < 3 && !token.empty() && ascii::is_digit(token.front())) {
    std::size_t digits = 0;
    for (; digits < token.size() && ascii::is_digit(token[digits]); ++digits) {
    }
    const auto number = ascii::parse_number<std::uint8_t>(token.substr(0, digits));
    if (!number || digits > 2)
      return false;
    value[count++] = *number;
    token.remove_prefix(digits);
    if (token.empty() || (token.front() != ':' && token.front() != '.'))
      break;
    if (token.front() == '.' && count == 3) { // a fraction of a second
      token.remove_prefix(std::min(token.find_first_not_of("0123456789", 1), token.size()));
      break;
    }
    token.remove_prefix(1);
  }
  if (count < 2 || value[0] > 24 || value[1] > 59 || value[2] > 60)
    return false;
  d.seconds = static_cast<int>(value[0] * 3600 + value[1] * 60 + std::min(value[2], 59u));
  if (!token.empty() && (token.front() == '+' || token.front() == '-'))
    take_zone(token, d);
  return true;
}

bool take_word(std::string_view token, date_parts& d) {
  const auto word = ascii::lower(token.substr(0, 16));
  if (word == "am" || word == "pm") {
    (word == "pm" ? d.afternoon : d.morning) = true;
    return true;
  }
  for (unsigned m = 0; m < months.size() && !d.month; ++m)
    if (word.starts_with(months[m])) {
      d.month = m + 1;
      return true;
    }
  // A zone stands behind the time; a word before it is the day of the week.
  if (d.seconds && !d.zone)
    for (const auto& z : zones)
      if (word == z.name)
        d.zone = z.minutes;
  return true;
}

bool take_number(std::string_view token, date_parts& d) {
  const auto number = ascii::parse_number<std::uint16_t>(token);
  if (!number)
    return false;
  if (token.size() <= 2 && !d.day) {
    d.day = *number;
  } else if (!d.year) {
    // RFC 5322 4.3: two digits mean 1950 to 2049, three are counted from 1900.
    const int base = token.size() >= 4 ? 0 : token.size() == 3 || *number >= 50 ? 1900 : 2000;
    d.year = *number + base;
  }
  return true;
}

// "2024-05-31" and "31-May-2024", with what may follow a "T".
bool take_dashed(std::string_view token, date_parts& d) {
  const auto first = token.find('-');
  const auto second = token.find('-', first + 1);
  if (second == std::string_view::npos)
    return false;
  const auto a = token.substr(0, first);
  const auto b = token.substr(first + 1, second - first - 1);
  auto c = token.substr(second + 1);
  if (a.size() == 4 && !b.empty() && ascii::is_digit(b.front())) {
    const auto month = ascii::parse_number<std::uint8_t>(b);
    const auto time = c.find_first_of("Tt");
    const auto day = ascii::parse_number<std::uint8_t>(c.substr(0, time));
    if (!month || !day)
      return false;
    d.month = *month;
    d.day = *day;
    return take_number(a, d) && (time == std::string_view::npos || take_time(c.substr(time + 1), d));
  }
  return !a.empty() && !b.empty() && !c.empty() && ascii::is_alpha(b.front()) && take_number(a, d) && take_word(b, d)
         && take_number(c, d);
}

// Also without white space around the colons of the time (RFC 5322 4.3).
std::string without_comments(std::string_view value) {
  std::string out;
  lexer in(value);
  while (!in.empty()) {
    if (is_white(in.peek()) || in.peek() == '(') {
      in.skip_cfws();
      if (in.peek() != ':' && !out.ends_with(':'))
        out += ' ';
    } else {
      out += in.take_until(char_set(" \t\r\n("));
    }
  }
  return out;
}

bool take_token(std::string_view token, date_parts& d) {
  const char c = token.front();
  if ((c == '+' || c == '-') && token.size() > 1)
    return d.zone.has_value() || take_zone(token, d);
  if (ascii::is_alpha(c))
    return take_word(token, d);
  if (!ascii::is_digit(c))
    return true;
  if (token.find('-') != std::string_view::npos && (token.find(':') == std::string_view::npos || token.size() > 4)
      && take_dashed(token, d))
    return true;
  if (token.find(':') != std::string_view::npos)
    return d.seconds.has_value() || take_time(token, d);
  return take_number(token, d);
}

} // namespace

std::optional<sent_date> parse_date(std::string_view value) {
  const auto text = without_comments(value.substr(0, 256)); // the longest real one is below 50
  date_parts d;
  lexer in(text);
  for (in.skip_white(); !in.empty(); in.skip_white()) {
    const auto token = in.take_until(char_set(" ,;"));
    if (token.empty()) {
      in.skip();
      continue;
    }
    if (!take_token(token, d))
      return std::nullopt;
  }
  if (!d.day || !d.month || !d.year || *d.year < 1900 || *d.year > 9999)
    return std::nullopt;
  const auto day = std::chrono::year(*d.year) / std::chrono::month(*d.month) / std::chrono::day(*d.day);
  if (!day.ok())
    return std::nullopt;
  int seconds = d.seconds.value_or(0);
  if (d.afternoon && seconds < 12 * 3600)
    seconds += 12 * 3600;
  else if (d.morning && seconds >= 12 * 3600 && seconds < 13 * 3600)
    seconds -= 12 * 3600;
  const int zone = d.zone.value_or(0);
  const std::int64_t days = std::chrono::sys_days(day).time_since_epoch().count();
  return sent_date{days * 86'400 + seconds - zone * 60, zone};
}

} // namespace merpati::mime
