#include "protocols/smtp/xclient.hpp"

#include <algorithm>

#include "base/ascii.hpp"
#include "base/ip_address.hpp"
#include "protocols/smtp/address.hpp"
#include "protocols/smtp/command_arguments.hpp"

namespace merpati::smtp {

namespace {

/// Postfix's own bound for one attribute; a host name has 255 octets.
constexpr std::size_t value_bytes = 255;
constexpr std::string_view unavailable = "[UNAVAILABLE]";
constexpr std::string_view temporarily_unavailable = "[TEMPUNAVAIL]";
constexpr std::string_view six_prefix = "IPV6:";

using status = xclient_text::status;

/// The two words in brackets, or the xtext decoded; nothing where it is malformed, too long, or not for a log line.
std::optional<xclient_text> text_of(std::string_view raw) {
  if (ascii::iequals(raw, unavailable))
    return xclient_text{status::unavailable, {}};
  if (ascii::iequals(raw, temporarily_unavailable))
    return xclient_text{status::temporary, {}};
  auto decoded = decode_xtext(raw);
  if (!decoded || decoded->empty() || decoded->size() > value_bytes)
    return std::nullopt;
  for (const char c : *decoded)
    if (static_cast<unsigned char>(c) < ' ' || c == '\x7f')
      return std::nullopt;
  return xclient_text{status::given, std::move(*decoded)};
}

std::optional<xclient_text> host_of(std::string_view raw) {
  auto text = text_of(raw);
  if (text && text->state == status::given && !is_acceptable_helo(text->value))
    return std::nullopt;
  return text;
}

std::optional<xclient_text> address_of(std::string_view raw) {
  auto text = text_of(raw);
  if (!text || text->state != status::given)
    return text;
  std::string_view numeric = text->value;
  if (ascii::istarts_with(numeric, six_prefix))
    numeric.remove_prefix(six_prefix.size());
  const auto address = ip_address::parse(numeric);
  if (!address)
    return std::nullopt;
  text->value = address->to_string();
  return text;
}

std::optional<std::uint16_t> port_of(std::string_view raw) {
  const auto text = text_of(raw);
  if (!text)
    return std::nullopt;
  return text->state == status::given ? ascii::parse_number<std::uint16_t>(text->value) : std::uint16_t{0};
}

std::optional<bool> protocol_of(std::string_view raw) {
  if (ascii::iequals(raw, "ESMTP"))
    return true;
  return ascii::iequals(raw, "SMTP") ? std::optional(false) : std::nullopt;
}

/// Takes the value into the member where it belongs; what is wrong, else an empty text.
template <class T>
std::string_view take(std::optional<T>& member, std::optional<T> value) {
  if (member)
    return "an attribute of XCLIENT is repeated";
  if (!value)
    return "a value of XCLIENT is malformed";
  member = std::move(value);
  return {};
}

std::string_view take_attribute(xclient& into, std::string_view name, std::string_view raw) {
  if (ascii::iequals(name, "NAME"))
    return take(into.name, host_of(raw));
  if (ascii::iequals(name, "ADDR"))
    return take(into.addr, address_of(raw));
  if (ascii::iequals(name, "PORT"))
    return take(into.port, port_of(raw));
  if (ascii::iequals(name, "PROTO"))
    return take(into.extended, protocol_of(raw));
  if (ascii::iequals(name, "HELO"))
    return take(into.helo, host_of(raw));
  if (ascii::iequals(name, "LOGIN"))
    return take(into.login, text_of(raw));
  if (ascii::iequals(name, "DESTADDR"))
    return take(into.destaddr, address_of(raw));
  if (ascii::iequals(name, "DESTPORT"))
    return take(into.destport, port_of(raw));
  return "an attribute of XCLIENT is unknown";
}

void write(std::string& out, std::string_view name, const std::string& value) {
  out += (out.empty() ? "" : " ") + std::string(name) + "=" + value;
}

void write(std::string& out, std::string_view name, const std::optional<xclient_text>& text) {
  if (!text)
    return;
  if (text->state == status::given)
    write(out, name, encode_xtext(text->value));
  else
    write(out, name, std::string(text->state == status::temporary ? temporarily_unavailable : unavailable));
}

void write_address(std::string& out, std::string_view name, std::optional<xclient_text> text) {
  if (text && text->value.find(':') != std::string::npos)
    text->value.insert(0, six_prefix);
  write(out, name, text);
}

} // namespace

tl::expected<xclient, reply> parse_xclient(std::string_view arguments) {
  xclient out;
  std::size_t found = 0;
  while (!(arguments = ascii::trim(arguments)).empty()) {
    const auto end = std::min(arguments.find(' '), arguments.size());
    const auto word = arguments.substr(0, end);
    arguments.remove_prefix(end);
    const auto equals = word.find('=');
    if (equals == std::string_view::npos)
      return tl::unexpected(replies::bad_syntax("XCLIENT takes attribute=value"));
    const auto wrong = take_attribute(out, word.substr(0, equals), word.substr(equals + 1));
    if (!wrong.empty())
      return tl::unexpected(replies::bad_syntax(wrong));
    ++found;
  }
  if (found == 0)
    return tl::unexpected(replies::bad_syntax("XCLIENT takes attribute=value"));
  return out;
}

std::string write_xclient(const xclient& value) {
  std::string out;
  write(out, "NAME", value.name);
  write_address(out, "ADDR", value.addr);
  if (value.port)
    write(out, "PORT", std::to_string(*value.port));
  if (value.extended)
    write(out, "PROTO", *value.extended ? "ESMTP" : "SMTP");
  write(out, "HELO", value.helo);
  write(out, "LOGIN", value.login);
  write_address(out, "DESTADDR", value.destaddr);
  if (value.destport)
    write(out, "DESTPORT", std::to_string(*value.destport));
  return out;
}

} // namespace merpati::smtp
