#include "protocols/smtp/esmtp_parameters.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <span>

#include "base/ascii.hpp"
#include "protocols/text/utf8.hpp"

namespace merpati::smtp {

namespace {

using problem = std::optional<reply>;

/// esmtp-param (RFC 5321 4.1.2): keyword ["=" value].
struct parameter {
  std::string_view keyword;
  std::string_view value;
  bool has_value = false;
};

bool is_keyword(std::string_view text) noexcept {
  return !text.empty() && ascii::is_alnum(text.front())
         && std::all_of(text.begin(), text.end(), [](char c) { return ascii::is_alnum(c) || c == '-'; });
}

// RFC 6531 3.3 adds UTF-8 to the characters of esmtp-value.
bool is_value(std::string_view text) noexcept {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c > ' ' && c <= '~' && c != '=') || static_cast<unsigned char>(c) > 0x7f;
  });
}

reply malformed(std::string_view keyword) {
  return replies::bad_syntax("Malformed " + std::string(keyword));
}

// --- MAIL ---

// RFC 1870 5: up to 20 digits.
problem take_size(std::string_view value, const argument_context& context, mail_parameters& out) {
  const bool digits = !value.empty() && value.size() <= 20
                      && std::all_of(value.begin(), value.end(), [](char c) { return ascii::is_digit(c); });
  if (!digits)
    return malformed("SIZE");
  const auto size = ascii::parse_number<std::uint64_t>(value).value_or(std::numeric_limits<std::uint64_t>::max());
  if (size > context.message_bytes)
    return replies::message_too_big();
  out.size_bytes = size;
  return std::nullopt;
}

// RFC 6152 3, RFC 3030 3.
problem take_body(std::string_view value, const argument_context&, mail_parameters& out) {
  if (ascii::iequals(value, "8BITMIME"))
    out.body = body_type::eight_bit;
  else if (ascii::iequals(value, "BINARYMIME"))
    out.body = body_type::binary;
  else if (!ascii::iequals(value, "7BIT"))
    return replies::bad_parameter("BODY type not supported");
  return std::nullopt;
}

problem take_utf8(std::string_view, const argument_context&, mail_parameters& out) {
  out.utf8 = true;
  return std::nullopt;
}

// RFC 4954 5: "<>", or a mailbox in xtext.
problem take_auth(std::string_view value, const argument_context&, mail_parameters& out) {
  if (value == "<>") {
    out.auth = "";
    return std::nullopt;
  }
  auto decoded = decode_xtext(value);
  if (!decoded || !parse_mailbox(*decoded, {.utf8 = true}))
    return malformed("AUTH");
  out.auth = std::move(*decoded);
  return std::nullopt;
}

// RFC 3461 4.3.
problem take_ret(std::string_view value, const argument_context&, mail_parameters& out) {
  if (ascii::iequals(value, "FULL"))
    out.returned = returned_part::full;
  else if (ascii::iequals(value, "HDRS"))
    out.returned = returned_part::headers;
  else
    return malformed("RET");
  return std::nullopt;
}

// RFC 3461 4.4: the decoded text is printable ASCII and blanks.
problem take_envid(std::string_view value, const argument_context&, mail_parameters& out) {
  auto decoded = decode_xtext(value);
  const bool printable =
      decoded && std::all_of(decoded->begin(), decoded->end(), [](char c) { return c >= ' ' && c <= '~'; });
  if (value.size() > parameter_limits::envelope_id_bytes || !printable)
    return malformed("ENVID");
  out.envelope_id = std::move(*decoded);
  return std::nullopt;
}

// RFC 8689 4.
problem take_require_tls(std::string_view, const argument_context&, mail_parameters& out) {
  out.require_tls = true;
  return std::nullopt;
}

// RFC 6710 4.
problem take_priority(std::string_view value, const argument_context&, mail_parameters& out) {
  const bool negative = value.starts_with('-');
  const auto digits = value.substr(negative ? 1 : 0);
  if (digits.size() != 1 || !ascii::is_digit(digits.front()) || (negative && digits == "0"))
    return malformed("MT-PRIORITY");
  const int level = digits.front() - '0';
  out.priority = negative ? -level : level;
  return std::nullopt;
}

// RFC 2852 4: [+|-]1*9DIGIT ";" ("N" / "R") ["T"]; with R the time is above zero.
problem take_deliver_by(std::string_view value, const argument_context&, mail_parameters& out) {
  const auto semicolon = value.find(';');
  if (semicolon == std::string_view::npos)
    return malformed("BY");
  auto digits = value.substr(0, semicolon);
  const bool negative = digits.starts_with('-');
  if (negative || digits.starts_with('+'))
    digits.remove_prefix(1);
  const auto seconds = ascii::parse_number<std::uint32_t>(digits);
  const auto mode = value.substr(semicolon + 1);
  const bool known_mode = ascii::iequals(mode, "N") || ascii::iequals(mode, "NT") || ascii::iequals(mode, "R")
                          || ascii::iequals(mode, "RT");
  if (!seconds || *seconds > parameter_limits::deliver_by_seconds || !known_mode)
    return malformed("BY");
  smtp::deliver_by by;
  by.within = std::chrono::seconds(negative ? -std::int64_t{*seconds} : std::int64_t{*seconds});
  by.return_late = ascii::to_lower(mode.front()) == 'r';
  by.trace = mode.size() == 2;
  if (by.return_late && by.within.count() <= 0)
    return malformed("BY");
  out.deliver = by;
  return std::nullopt;
}

// RFC 4865 4: 1*9DIGIT, not more than what EHLO told.
problem take_hold_for(std::string_view value, const argument_context& context, mail_parameters& out) {
  const auto seconds = value.size() <= 9 ? ascii::parse_number<std::uint32_t>(value) : std::nullopt;
  if (!seconds || *seconds == 0)
    return malformed("HOLDFOR");
  if (out.hold_until || std::chrono::seconds(*seconds) > context.longest_hold)
    return replies::bad_syntax(out.hold_until ? "HOLDFOR and HOLDUNTIL" : "HOLDFOR is longer than what is offered");
  out.hold_for = std::chrono::seconds(*seconds);
  return std::nullopt;
}

/// A number of exactly so many digits at the front, which is taken away.
std::optional<int> take_digits(std::string_view& text, std::size_t count, int least, int most) {
  if (text.size() < count)
    return std::nullopt;
  const auto number = ascii::parse_number<std::uint16_t>(text.substr(0, count));
  text.remove_prefix(count);
  if (!number || *number < least || *number > most)
    return std::nullopt;
  return *number;
}

bool take_letter(std::string_view& text, std::string_view any_of) {
  const bool there = !text.empty() && any_of.find(text.front()) != std::string_view::npos;
  text.remove_prefix(there ? 1 : 0);
  return there;
}

/// RFC 3339 5.6, the form that RFC 4865 asks for.
std::optional<timestamp> parse_internet_time(std::string_view text) {
  const auto year = take_digits(text, 4, 1970, 9999);
  const bool after_year = take_letter(text, "-");
  const auto month = take_digits(text, 2, 1, 12);
  const bool after_month = take_letter(text, "-");
  const auto day = take_digits(text, 2, 1, 31);
  const bool after_day = take_letter(text, "Tt");
  const auto hour = take_digits(text, 2, 0, 23);
  const bool after_hour = take_letter(text, ":");
  const auto minute = take_digits(text, 2, 0, 59);
  const bool after_minute = take_letter(text, ":");
  const auto second = take_digits(text, 2, 0, 60);
  if (!year || !month || !day || !hour || !minute || !second || !after_year || !after_month || !after_day || !after_hour
      || !after_minute)
    return std::nullopt;
  if (take_letter(text, "."))
    text.remove_prefix(std::min(text.find_first_not_of("0123456789"), text.size()));
  std::chrono::minutes offset{0};
  if (!take_letter(text, "Zz")) {
    const bool west = text.starts_with('-');
    const bool sign = take_letter(text, "+-");
    const auto hours = take_digits(text, 2, 0, 23);
    const bool colon = take_letter(text, ":");
    const auto minutes = take_digits(text, 2, 0, 59);
    if (!sign || !hours || !colon || !minutes)
      return std::nullopt;
    offset = std::chrono::minutes(*hours * 60 + *minutes) * (west ? -1 : 1);
  }
  const std::chrono::year_month_day date{std::chrono::year(*year), std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  if (!text.empty() || !date.ok())
    return std::nullopt;
  return timestamp(std::chrono::sys_days(date)) + std::chrono::hours(*hour) + std::chrono::minutes(*minute)
         + std::chrono::seconds(*second) - offset;
}

problem take_hold_until(std::string_view value, const argument_context&, mail_parameters& out) {
  out.hold_until = parse_internet_time(value);
  if (!out.hold_until)
    return malformed("HOLDUNTIL");
  if (out.hold_for)
    return replies::bad_syntax("HOLDFOR and HOLDUNTIL");
  return std::nullopt;
}

// --- RCPT ---

// RFC 3461 4.1: NEVER alone, or any of the others.
problem take_notify(std::string_view value, const argument_context&, rcpt_parameters& out) {
  while (true) {
    const auto comma = value.find(',');
    const auto word = value.substr(0, comma);
    if (ascii::iequals(word, "NEVER"))
      out.notify |= notify_never;
    else if (ascii::iequals(word, "SUCCESS"))
      out.notify |= notify_success;
    else if (ascii::iequals(word, "FAILURE"))
      out.notify |= notify_failure;
    else if (ascii::iequals(word, "DELAY"))
      out.notify |= notify_delay;
    else
      return malformed("NOTIFY");
    if (comma == std::string_view::npos)
      break;
    value.remove_prefix(comma + 1);
  }
  if ((out.notify & notify_never) != 0 && out.notify != notify_never)
    return malformed("NOTIFY");
  return std::nullopt;
}

// RFC 3461 4.2: atom ";" xtext. For the type utf-8 (RFC 6533 3) the text is kept as it was written: its own encoding,
// \x{...}, is not xtext's.
problem take_orcpt(std::string_view value, const argument_context& context, rcpt_parameters& out) {
  const auto semicolon = value.find(';');
  const auto type = value.substr(0, semicolon);
  if (value.size() > parameter_limits::original_bytes || semicolon == std::string_view::npos || !is_keyword(type))
    return malformed("ORCPT");
  const auto address = value.substr(semicolon + 1);
  out.original_type = type;
  if (ascii::iequals(type, "utf-8")) {
    if (address.empty() || !text::is_utf8(address) || (!context.utf8 && !text::is_ascii(address)))
      return malformed("ORCPT");
    out.original_recipient = address;
    return std::nullopt;
  }
  auto decoded = decode_xtext(address);
  const bool clean =
      decoded && std::none_of(decoded->begin(), decoded->end(), [](char c) { return c < ' ' || c == '\x7f'; });
  if (!clean || decoded->empty())
    return malformed("ORCPT");
  out.original_recipient = std::move(*decoded);
  return std::nullopt;
}

// --- the tables ---

enum class has_value : std::uint8_t { yes, no };

template <class Out>
struct known_parameter {
  std::string_view keyword;
  has_value form;
  extension_set needs; ///< extension_bit; 0: always offered
  problem (*take)(std::string_view value, const argument_context&, Out&);
};

constexpr std::array<known_parameter<mail_parameters>, 11> of_mail{{
    {"SIZE", has_value::yes, 0, take_size},
    {"BODY", has_value::yes, 0, take_body},
    {"SMTPUTF8", has_value::no, 0, take_utf8},
    {"AUTH", has_value::yes, offers_auth, take_auth},
    {"RET", has_value::yes, 0, take_ret},
    {"ENVID", has_value::yes, 0, take_envid},
    {"REQUIRETLS", has_value::no, offers_require_tls, take_require_tls},
    {"MT-PRIORITY", has_value::yes, offers_priority, take_priority},
    {"BY", has_value::yes, offers_deliver_by, take_deliver_by},
    {"HOLDFOR", has_value::yes, offers_future_release, take_hold_for},
    {"HOLDUNTIL", has_value::yes, offers_future_release, take_hold_until},
}};

constexpr std::array<known_parameter<rcpt_parameters>, 2> of_rcpt{{
    {"NOTIFY", has_value::yes, 0, take_notify},
    {"ORCPT", has_value::yes, 0, take_orcpt},
}};

// The next parameter of `rest`; nothing at its end.
tl::expected<std::optional<parameter>, reply> next_parameter(std::string_view& rest) {
  rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
  if (rest.empty())
    return std::nullopt;
  const auto word = rest.substr(0, rest.find(' '));
  rest.remove_prefix(word.size());
  const auto equals = word.find('=');
  parameter out{word.substr(0, equals), {}, equals != std::string_view::npos};
  if (out.has_value)
    out.value = word.substr(equals + 1);
  if (!is_keyword(out.keyword) || (out.has_value && !is_value(out.value)))
    return tl::make_unexpected(replies::bad_syntax("Malformed parameter"));
  return out;
}

template <class Out>
problem read(std::string_view text, const argument_context& context, std::span<const known_parameter<Out>> table,
             Out& out) {
  std::uint32_t seen = 0;
  for (;;) {
    auto next = next_parameter(text);
    if (!next)
      return next.error();
    if (!*next)
      return std::nullopt;
    if (!context.extended)
      return replies::bad_parameter("Parameters need EHLO");
    const auto& given = **next;
    const auto at = std::find_if(table.begin(), table.end(),
                                 [&](const auto& known) { return ascii::iequals(known.keyword, given.keyword); });
    if (at == table.end() || (at->needs & context.offered) != at->needs)
      return replies::bad_parameter("Parameter not supported");
    if (given.has_value != (at->form == has_value::yes))
      return malformed(at->keyword);
    const auto bit = 1u << static_cast<unsigned>(at - table.begin());
    if ((seen & bit) != 0)
      return replies::bad_syntax(std::string(at->keyword) + " given twice");
    seen |= bit;
    if (auto refused = at->take(given.value, context, out))
      return refused;
  }
}

} // namespace

std::optional<reply> read_parameters(std::string_view text, const argument_context& context, mail_parameters& out) {
  return read<mail_parameters>(text, context, of_mail, out);
}

std::optional<reply> read_parameters(std::string_view text, const argument_context& context, rcpt_parameters& out) {
  return read<rcpt_parameters>(text, context, of_rcpt, out);
}

} // namespace merpati::smtp
