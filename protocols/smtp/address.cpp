#include "protocols/smtp/address.hpp"

#include <arpa/inet.h>
#include <memory>

#include <idn2.h>
#include <unicode/normalizer2.h>
#include <unicode/unistr.h>

#include "base/ascii.hpp"
#include "protocols/smtp/address_characters.hpp"
#include "protocols/text/utf8.hpp"

namespace merpati::smtp {

namespace {

bool is_dot_string(std::string_view text) noexcept {
  bool atom_empty = true;
  for (char c : text) {
    if (c == '.' ? atom_empty : !is_atom_character(c, true))
      return false;
    atom_empty = c == '.';
  }
  return !atom_empty;
}

struct idn2_free_deleter {
  void operator()(char* text) const noexcept { idn2_free(text); }
};
using idn2_text = std::unique_ptr<char, idn2_free_deleter>;

std::string canonical_literal(std::string_view literal) {
  const auto content = literal.substr(1, literal.size() - 2);
  if (ascii::istarts_with(content, "IPv6:")) {
    in6_addr address;
    char text[INET6_ADDRSTRLEN];
    if (inet_pton(AF_INET6, std::string(content.substr(5)).c_str(), &address) == 1
        && inet_ntop(AF_INET6, &address, text, sizeof text))
      return "[ipv6:" + std::string(text) + "]";
  }
  if (content.find(':') != std::string_view::npos)
    return ascii::lower(literal);
  std::string out = "[";
  bool leading = true; // Snum may have leading zeros
  for (std::size_t i = 0; i != content.size(); ++i) {
    const bool last_digit = i + 1 == content.size() || content[i + 1] == '.';
    if (content[i] == '.')
      leading = true;
    else if (leading && content[i] == '0' && !last_digit)
      continue;
    else
      leading = false;
    out += content[i];
  }
  return out + "]";
}

} // namespace

std::string write_local_part(std::string_view local_part) {
  if (is_dot_string(local_part))
    return std::string(local_part);
  std::string out = "\"";
  for (char c : local_part) {
    if (c == '"' || c == '\\')
      out += '\\';
    out += c;
  }
  return out + '"';
}

std::string write_mailbox(const mailbox& value) {
  if (value.is_bare_postmaster())
    return value.local_part;
  return write_local_part(value.local_part) + '@' + value.domain;
}

std::string write_path(const mailbox& value) {
  return '<' + write_mailbox(value) + '>';
}

std::string write_path(const reverse_path& value) {
  return value ? write_path(*value) : "<>";
}

result<std::string> canonical_domain(std::string_view domain) {
  if (is_address_literal(domain))
    return canonical_literal(domain);
  if (!is_domain(domain, {.utf8 = true}))
    return fail(errc::invalid, "the domain is malformed");
  if (text::is_ascii(domain))
    return ascii::lower(domain);
  if (!text::is_utf8(domain))
    return fail(errc::invalid, "the domain is no UTF-8");
  std::uint8_t* found = nullptr;
  const std::string terminated(domain);
  const int status = idn2_lookup_u8(reinterpret_cast<const std::uint8_t*>(terminated.c_str()), &found,
                                    IDN2_NONTRANSITIONAL | IDN2_NFC_INPUT);
  const idn2_text owned(reinterpret_cast<char*>(found));
  if (status != IDN2_OK)
    return fail(errc::invalid, std::string("the domain has no A-label form: ") + idn2_strerror(status));
  auto out = ascii::lower(owned.get());
  if (!is_domain(out))
    return fail(errc::invalid, "the domain's A-label form is malformed");
  return out;
}

std::string display_domain(std::string_view domain) {
  char* found = nullptr;
  const std::string terminated(domain);
  const int status = idn2_to_unicode_8z8z(terminated.c_str(), &found, 0);
  const idn2_text owned(found);
  return status == IDN2_OK ? std::string(owned.get()) : terminated;
}

std::string local_part_key(std::string_view local_part) {
  if (text::is_ascii(local_part))
    return ascii::lower(local_part);
  UErrorCode status = U_ZERO_ERROR;
  const auto* nfc = icu::Normalizer2::getNFCInstance(status);
  auto folded =
      icu::UnicodeString::fromUTF8(icu::StringPiece(local_part.data(), static_cast<std::int32_t>(local_part.size())));
  folded.foldCase();
  std::string out;
  if (U_FAILURE(status))
    return folded.toUTF8String(out);
  const auto normal = nfc->normalize(folded, status);
  return (U_FAILURE(status) ? folded : normal).toUTF8String(out);
}

result<std::string> canonical_address(const mailbox& value) {
  auto local = local_part_key(value.local_part);
  if (value.is_bare_postmaster())
    return local;
  auto domain = canonical_domain(value.domain);
  if (!domain)
    return domain;
  return write_local_part(local) + '@' + *domain;
}

result<std::string> decode_xtext(std::string_view text) {
  auto hex = [](char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1; };
  std::string out;
  for (std::size_t i = 0; i != text.size(); ++i) {
    const char c = text[i];
    if (c != '+') {
      if (c <= ' ' || c > '~' || c == '=')
        return fail(errc::invalid, "xtext has a character that is not allowed");
      out += c;
      continue;
    }
    const int high = i + 2 < text.size() ? hex(text[i + 1]) : -1;
    const int low = high < 0 ? -1 : hex(text[i + 2]);
    if (low < 0)
      return fail(errc::invalid, "xtext has a malformed hexadecimal pair");
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

std::string encode_xtext(std::string_view value) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string out;
  for (char c : value) {
    if (c > ' ' && c <= '~' && c != '+' && c != '=') {
      out += c;
    } else {
      const auto octet = static_cast<unsigned char>(c);
      out += '+';
      out += digits[octet >> 4u];
      out += digits[octet & 15u];
    }
  }
  return out;
}

} // namespace merpati::smtp
