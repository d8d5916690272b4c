#include "protocols/smtp/command_arguments.hpp"

#include <algorithm>
#include <limits>

#include "base/ascii.hpp"

namespace merpati::smtp {

namespace {

using refusal = tl::unexpected<reply>;

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

bool is_value(std::string_view text) noexcept {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c <= '~' && c != '='; });
}

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
    return refusal(replies::bad_syntax("Malformed parameter"));
  return out;
}

// RFC 1870 5: up to 20 digits.
std::optional<reply> take_size(const parameter& p, const argument_context& context, mail_parameters& out) {
  const bool digits = !p.value.empty() && p.value.size() <= 20
                      && std::all_of(p.value.begin(), p.value.end(), [](char c) { return ascii::is_digit(c); });
  if (!digits)
    return replies::bad_syntax("Malformed SIZE");
  if (out.size_bytes)
    return replies::bad_syntax("SIZE given twice");
  const auto size = ascii::parse_number<std::uint64_t>(p.value).value_or(std::numeric_limits<std::uint64_t>::max());
  if (size > context.message_bytes)
    return replies::message_too_big();
  out.size_bytes = size;
  return std::nullopt;
}

// RFC 6152 3.
std::optional<reply> take_body(const parameter& p, bool& seen, mail_parameters& out) {
  if (!p.has_value)
    return replies::bad_syntax("Malformed BODY");
  if (std::exchange(seen, true))
    return replies::bad_syntax("BODY given twice");
  if (ascii::iequals(p.value, "8BITMIME"))
    out.body_8bit = true;
  else if (!ascii::iequals(p.value, "7BIT"))
    return replies::bad_parameter("BODY type not supported");
  return std::nullopt;
}

// RFC 4954 5: "<>", or a mailbox in xtext.
std::optional<reply> take_auth(const parameter& p, mail_parameters& out) {
  if (out.auth)
    return replies::bad_syntax("AUTH given twice");
  if (p.value == "<>") {
    out.auth = "";
    return std::nullopt;
  }
  auto decoded = decode_xtext(p.value);
  if (!decoded || !parse_mailbox(*decoded, {.utf8 = true}))
    return replies::bad_syntax("Malformed AUTH");
  out.auth = std::move(*decoded);
  return std::nullopt;
}

// What stands behind "FROM:" or "TO:".
std::optional<std::string_view> after_keyword(std::string_view text, std::string_view keyword) {
  if (!ascii::istarts_with(text, keyword))
    return std::nullopt;
  text.remove_prefix(keyword.size());
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  return text;
}

} // namespace

tl::expected<mail_from, reply> parse_mail_arguments(std::string_view text, const argument_context& context) {
  const auto argument = after_keyword(text, "FROM:");
  if (!argument)
    return refusal(replies::bad_syntax("Syntax: MAIL FROM:<address>"));
  auto path = parse_reverse_path(*argument);
  if (!path)
    return refusal(replies::bad_sender_syntax());
  mail_from out{std::move(path->path), {}};
  auto rest = path->rest;
  for (bool body_seen = false;;) {
    auto p = next_parameter(rest);
    if (!p)
      return refusal(p.error());
    if (!*p)
      return out;
    const auto& parameter = **p;
    std::optional<reply> problem = replies::bad_parameter("Parameter not supported");
    if (!context.extended)
      problem = replies::bad_parameter("Parameters need EHLO");
    else if (ascii::iequals(parameter.keyword, "SIZE"))
      problem = take_size(parameter, context, out.parameters);
    else if (ascii::iequals(parameter.keyword, "BODY"))
      problem = take_body(parameter, body_seen, out.parameters);
    else if (context.auth_parameter && ascii::iequals(parameter.keyword, "AUTH"))
      problem = take_auth(parameter, out.parameters);
    if (problem)
      return refusal(std::move(*problem));
  }
}

tl::expected<rcpt_to, reply> parse_rcpt_arguments(std::string_view text, const argument_context& context) {
  const auto argument = after_keyword(text, "TO:");
  if (!argument)
    return refusal(replies::bad_syntax("Syntax: RCPT TO:<address>"));
  auto path = parse_forward_path(*argument);
  if (!path)
    return refusal(replies::bad_recipient_syntax());
  auto rest = path->rest;
  auto p = next_parameter(rest);
  if (!p)
    return refusal(p.error());
  if (*p)
    return refusal(replies::bad_parameter(context.extended ? "Parameter not supported" : "Parameters need EHLO"));
  return rcpt_to{std::move(path->path)};
}

bool is_acceptable_helo(std::string_view text) noexcept {
  if (text.empty() || text.size() > address_limits::domain_bytes)
    return false;
  return is_address_literal(text) || std::all_of(text.begin(), text.end(), [](char c) {
           return ascii::is_alnum(c) || c == '-' || c == '.' || c == '_' || c == ':';
         });
}

} // namespace merpati::smtp
