#include "protocols/imap/date_time.hpp"

#include <algorithm>

#include "base/ascii.hpp"

namespace merpati::imap {
namespace {

constexpr std::string_view months = "JanFebMarAprMayJunJulAugSepOctNovDec";

/// `count` digits at `text[at]`.
std::optional<unsigned> digits(std::string_view text, std::size_t at, std::size_t count) noexcept {
  if (text.size() < at + count)
    return std::nullopt;
  unsigned value = 0;
  for (auto c : text.substr(at, count)) {
    if (!ascii::is_digit(c))
      return std::nullopt;
    value = value * 10 + static_cast<unsigned>(c - '0');
  }
  return value;
}

std::optional<unsigned> month_number(std::string_view name) noexcept {
  for (unsigned m = 0; m < 12; ++m)
    if (ascii::iequals(months.substr(m * 3, 3), name))
      return m + 1;
  return std::nullopt;
}

/// "-Mon-yyyy" at `text[at]` with the day put in front.
std::optional<std::chrono::sys_days> finish_date(unsigned day, std::string_view text, std::size_t at) noexcept {
  if (text.size() < at + 9 || text[at] != '-' || text[at + 4] != '-')
    return std::nullopt;
  auto month = month_number(text.substr(at + 1, 3));
  auto year = digits(text, at + 5, 4);
  if (!month || !year)
    return std::nullopt;
  std::chrono::year_month_day date{std::chrono::year(static_cast<int>(*year)), std::chrono::month(*month),
                                   std::chrono::day(day)};
  if (!date.ok())
    return std::nullopt;
  return std::chrono::sys_days(date);
}

void put(unsigned value, std::size_t width, std::string& out) {
  auto start = out.size();
  out.resize(start + width);
  for (auto at = start + width; at-- > start; value /= 10)
    out[at] = static_cast<char>('0' + value % 10);
}

} // namespace

std::optional<std::chrono::sys_days> parse_date(std::string_view text) noexcept {
  std::size_t width = text.size() == 11 ? 2 : 1;
  auto day = digits(text, 0, width);
  if (!day || text.size() != width + 9)
    return std::nullopt;
  return finish_date(*day, text, width);
}

std::optional<timestamp> parse_date_time(std::string_view text) noexcept {
  // dd-Mon-yyyy hh:mm:ss +zzzz
  if (text.size() != 26 || text[11] != ' ' || text[14] != ':' || text[17] != ':' || text[20] != ' ')
    return std::nullopt;
  auto day = text[0] == ' ' ? digits(text, 1, 1) : digits(text, 0, 2);
  auto hour = digits(text, 12, 2);
  auto minute = digits(text, 15, 2);
  auto second = digits(text, 18, 2);
  auto zone_hours = digits(text, 22, 2);
  auto zone_minutes = digits(text, 24, 2);
  if (!day || !hour || !minute || !second || !zone_hours || !zone_minutes)
    return std::nullopt;
  if (*hour > 23 || *minute > 59 || *second > 60 || *zone_hours > 23 || *zone_minutes > 59)
    return std::nullopt;
  if (text[21] != '+' && text[21] != '-')
    return std::nullopt;
  auto date = finish_date(*day, text, 2);
  if (!date)
    return std::nullopt;
  auto local = *date + std::chrono::hours(*hour) + std::chrono::minutes(*minute) + std::chrono::seconds(*second);
  auto east = std::chrono::hours(*zone_hours) + std::chrono::minutes(*zone_minutes);
  return timestamp(text[21] == '+' ? local - east : local + east);
}

void write_date_time_text(timestamp t, std::string& out) {
  auto day = std::chrono::floor<std::chrono::days>(t);
  std::chrono::year_month_day date(day);
  auto time = std::chrono::floor<std::chrono::seconds>(t - day).count();
  put(static_cast<unsigned>(date.day()), 2, out);
  out += '-';
  out += months.substr((static_cast<unsigned>(date.month()) - 1) * 3, 3);
  out += '-';
  put(static_cast<unsigned>(std::clamp(static_cast<int>(date.year()), 0, 9999)), 4, out);
  out += ' ';
  put(static_cast<unsigned>(time / 3600), 2, out);
  out += ':';
  put(static_cast<unsigned>(time / 60 % 60), 2, out);
  out += ':';
  put(static_cast<unsigned>(time % 60), 2, out);
  out += " +0000";
}

} // namespace merpati::imap
