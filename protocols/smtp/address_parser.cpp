// The grammar of RFC 5321 4.1.2 and 4.1.3, by hand: one pass, no allocation but for the values.
#include <algorithm>
#include <arpa/inet.h>

#include "base/ascii.hpp"
#include "protocols/smtp/address.hpp"
#include "protocols/smtp/address_characters.hpp"
#include "protocols/text/utf8.hpp"

namespace merpati::smtp {

namespace {

/// A text and a place in it.
struct cursor {
  std::string_view text;
  std::size_t at = 0;
  address_syntax syntax;

  bool done() const noexcept { return at == text.size(); }
  char peek() const noexcept { return done() ? '\0' : text[at]; }
  bool take(char c) noexcept {
    if (done() || text[at] != c)
      return false;
    ++at;
    return true;
  }
};

// Dot-string, or as much of the text as looks like one.
result<std::string> parse_dot_string(cursor& in) {
  const auto begin = in.at;
  do {
    const auto atom = in.at;
    while (!in.done() && is_atom_character(in.peek(), in.syntax.utf8))
      ++in.at;
    if (in.at == atom)
      return fail(errc::invalid, "the local part has an empty or unquoted atom");
  } while (in.take('.'));
  return std::string(in.text.substr(begin, in.at - begin));
}

result<std::string> parse_quoted_string(cursor& in) {
  std::string content;
  in.take('"');
  while (!in.take('"')) {
    if (in.done())
      return fail(errc::invalid, "a quoted local part has no closing quote");
    const bool escaped = in.take('\\');
    const char c = in.peek();
    const bool printable = !in.done() && c >= ' ' && c <= '~';
    if (!printable && (escaped || !in.syntax.utf8 || !is_high(c)))
      return fail(errc::invalid, "a quoted local part has a character that is not allowed");
    content += c;
    ++in.at;
  }
  return content;
}

// Domain or address-literal: the longest run of their characters, checked afterwards.
result<std::string> parse_domain(cursor& in) {
  const auto begin = in.at;
  if (in.take('[')) {
    const auto close = in.text.find(']', in.at);
    if (close == std::string_view::npos)
      return fail(errc::invalid, "an address literal has no closing bracket");
    in.at = close + 1;
  } else {
    while (!in.done() && is_domain_character(in.peek(), in.syntax.utf8))
      ++in.at;
  }
  const auto domain = in.text.substr(begin, in.at - begin);
  if (domain.size() > address_limits::domain_bytes)
    return fail(errc::too_big, "the domain is longer than 255 octets");
  if (domain.starts_with('[') ? !is_address_literal(domain) : !is_domain(domain, in.syntax))
    return fail(errc::invalid, "the domain is malformed");
  return std::string(domain);
}

result<std::string> parse_local_part(cursor& in) {
  const auto begin = in.at;
  auto local = in.peek() == '"' ? parse_quoted_string(in) : parse_dot_string(in);
  if (local && in.at - begin > address_limits::local_part_bytes) // RFC 5321 4.5.3.1.1
    return fail(errc::too_big, "the local part is longer than 64 octets");
  return local;
}

result<mailbox> parse_mailbox_at(cursor& in) {
  auto local = parse_local_part(in);
  if (!local)
    return tl::unexpected(local.error());
  if (!in.take('@'))
    return fail(errc::invalid, "the address has no @");
  auto domain = parse_domain(in);
  if (!domain)
    return tl::unexpected(domain.error());
  return mailbox{std::move(*local), std::move(*domain)};
}

// A-d-l ":", RFC 5321 appendix C: accepted, never used.
result<void> skip_source_route(cursor& in) {
  const auto begin = in.at;
  do {
    if (!in.take('@'))
      return fail(errc::invalid, "the source route is malformed");
    if (auto domain = parse_domain(in); !domain)
      return tl::unexpected(domain.error());
    if (in.at - begin > address_limits::source_route_bytes)
      return fail(errc::too_big, "the source route is too long");
  } while (in.take(','));
  if (!in.take(':'))
    return fail(errc::invalid, "the source route has no colon");
  return {};
}

// What stands between the angle brackets, the closing one included.
result<mailbox> parse_path_content(cursor& in) {
  if (in.peek() == '@')
    if (auto skipped = skip_source_route(in); !skipped)
      return tl::unexpected(skipped.error());
  const auto begin = in.at;
  auto box = parse_mailbox_at(in);
  if (!box)
    return box;
  if (!in.take('>'))
    return fail(errc::invalid, "the path has no closing bracket");
  if (in.at - begin + 1 > address_limits::path_bytes) // RFC 5321 4.5.3.1.3
    return fail(errc::too_big, "the path is longer than 256 octets");
  return box;
}

result<std::string_view> rest_of(const cursor& in) {
  if (!in.done() && in.peek() != ' ')
    return fail(errc::invalid, "the path is followed by something that is no parameter");
  return in.text.substr(in.at);
}

// UTF-8 is checked once, for everything up to the end of the text.
result<cursor> start(std::string_view text, address_syntax syntax) {
  if (syntax.utf8 && !text::is_utf8(text))
    return fail(errc::invalid, "the address is no UTF-8");
  return cursor{text, 0, syntax};
}

bool is_ipv4(std::string_view text) noexcept {
  for (int field = 0; field != 4; ++field) {
    const auto dot = std::min(text.find('.'), text.size());
    const auto number = text.substr(0, dot);
    if (number.size() > 3 || ascii::parse_number<unsigned>(number).value_or(256) > 255)
      return false;
    if ((dot == text.size()) != (field == 3))
      return false;
    text.remove_prefix(std::min(dot + 1, text.size()));
  }
  return true;
}

// inet_pton knows the grammar of RFC 4291; no socket is involved.
bool is_ipv6(std::string_view text) {
  if (text.find('\0') != std::string_view::npos)
    return false;
  in6_addr address;
  return text.size() < INET6_ADDRSTRLEN && inet_pton(AF_INET6, std::string(text).c_str(), &address) == 1;
}

// sub-domain = Let-dig [Ldh-str]; with UTF-8 also U-label.
bool is_label(std::string_view label, bool utf8) noexcept {
  if (label.empty() || label.front() == '-' || label.back() == '-')
    return false;
  const bool plain = std::all_of(label.begin(), label.end(), [](char c) { return ascii::is_alnum(c) || c == '-'; });
  if (plain)
    return label.size() <= address_limits::label_bytes;
  return utf8 && std::all_of(label.begin(), label.end(), [](char c) { return is_domain_character(c, true); });
}

} // namespace

bool is_domain(std::string_view text, address_syntax syntax) noexcept {
  if (text.size() > address_limits::domain_bytes)
    return false;
  for (;;) {
    const auto dot = text.find('.');
    if (!is_label(text.substr(0, dot), syntax.utf8))
      return false;
    if (dot == std::string_view::npos)
      return true;
    text.remove_prefix(dot + 1);
  }
}

bool is_address_literal(std::string_view text) noexcept {
  if (text.size() < 3 || text.size() > address_limits::domain_bytes || text.front() != '[' || text.back() != ']')
    return false;
  text = text.substr(1, text.size() - 2);
  const auto colon = text.find(':');
  if (colon == std::string_view::npos)
    return is_ipv4(text);
  const auto tag = text.substr(0, colon);
  const auto content = text.substr(colon + 1);
  if (ascii::iequals(tag, "IPv6"))
    return is_ipv6(content);
  // General-address-literal: Ldh-str ":" 1*dcontent
  return !content.empty() && !tag.empty() && tag.back() != '-'
         && std::all_of(tag.begin(), tag.end(), [](char c) { return ascii::is_alnum(c) || c == '-'; })
         && std::all_of(content.begin(), content.end(),
                        [](char c) { return c > ' ' && c <= '~' && c != '[' && c != '\\' && c != ']'; });
}

result<mailbox> parse_mailbox(std::string_view text, address_syntax syntax) {
  auto in = start(text, syntax);
  if (!in)
    return tl::unexpected(in.error());
  auto box = parse_mailbox_at(*in);
  if (box && !in->done())
    return fail(errc::invalid, "the address is followed by something else");
  return box;
}

result<parsed_path<reverse_path>> parse_reverse_path(std::string_view text, address_syntax syntax) {
  auto in = start(text, syntax);
  if (!in)
    return tl::unexpected(in.error());
  if (!in->take('<'))
    return fail(errc::invalid, "the path has no opening bracket");
  parsed_path<reverse_path> out;
  if (!in->take('>')) {
    auto box = parse_path_content(*in);
    if (!box)
      return tl::unexpected(box.error());
    out.path = std::move(*box);
  }
  auto rest = rest_of(*in);
  if (!rest)
    return tl::unexpected(rest.error());
  out.rest = *rest;
  return out;
}

result<parsed_path<mailbox>> parse_forward_path(std::string_view text, address_syntax syntax) {
  auto in = start(text, syntax);
  if (!in)
    return tl::unexpected(in.error());
  if (!in->take('<'))
    return fail(errc::invalid, "the path has no opening bracket");
  constexpr std::string_view postmaster = "postmaster>";
  parsed_path<mailbox> out;
  if (ascii::istarts_with(text.substr(1), postmaster)) { // RFC 5321 4.1.1.3
    in->at += postmaster.size();
    out.path.local_part = std::string(text.substr(1, postmaster.size() - 1));
  } else {
    auto box = parse_path_content(*in);
    if (!box)
      return tl::unexpected(box.error());
    out.path = std::move(*box);
  }
  auto rest = rest_of(*in);
  if (!rest)
    return tl::unexpected(rest.error());
  out.rest = *rest;
  return out;
}

} // namespace merpati::smtp
