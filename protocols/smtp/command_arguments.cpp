#include "protocols/smtp/command_arguments.hpp"

#include <algorithm>

#include "base/ascii.hpp"
#include "protocols/text/utf8.hpp"

namespace merpati::smtp {

namespace {

using refusal = tl::unexpected<reply>;

// What stands behind "FROM:" or "TO:".
std::optional<std::string_view> after_keyword(std::string_view text, std::string_view keyword) {
  if (!ascii::istarts_with(text, keyword))
    return std::nullopt;
  text.remove_prefix(keyword.size());
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  return text;
}

bool is_ascii(const mailbox& box) noexcept {
  return text::is_ascii(box.local_part) && text::is_ascii(box.domain);
}

} // namespace

tl::expected<mail_from, reply> parse_mail_arguments(std::string_view text, const argument_context& context) {
  const auto argument = after_keyword(text, "FROM:");
  if (!argument)
    return refusal(replies::bad_syntax("Syntax: MAIL FROM:<address>"));
  // The parameter that allows UTF-8 comes behind the address.
  auto path = parse_reverse_path(*argument, {.utf8 = true});
  if (!path)
    return refusal(replies::bad_sender_syntax());
  mail_from out{std::move(path->path), {}};
  if (auto problem = read_parameters(path->rest, context, out.parameters))
    return refusal(std::move(*problem));
  if (out.sender && !out.parameters.utf8 && !is_ascii(*out.sender))
    return refusal(reply{550, "5.6.7", "Non-ASCII addresses need SMTPUTF8"}); // RFC 6531 3.5
  return out;
}

tl::expected<rcpt_to, reply> parse_rcpt_arguments(std::string_view text, const argument_context& context) {
  const auto argument = after_keyword(text, "TO:");
  if (!argument)
    return refusal(replies::bad_syntax("Syntax: RCPT TO:<address>"));
  auto path = parse_forward_path(*argument, {.utf8 = true});
  if (!path)
    return refusal(replies::bad_recipient_syntax());
  rcpt_to out{std::move(path->path), {}};
  if (auto problem = read_parameters(path->rest, context, out.parameters))
    return refusal(std::move(*problem));
  if (!context.utf8 && !is_ascii(out.recipient))
    return refusal(reply{553, "5.6.7", "Non-ASCII addresses need SMTPUTF8"}); // RFC 6531 3.5
  return out;
}

tl::expected<chunk_arguments, reply> parse_chunk_arguments(std::string_view text) {
  const auto space = text.find(' ');
  const auto digits = text.substr(0, space);
  auto rest = space == std::string_view::npos ? std::string_view() : text.substr(space);
  rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
  const auto size = ascii::parse_number<std::uint64_t>(digits);
  const bool last = ascii::iequals(rest, "LAST");
  if (!size || (!rest.empty() && !last))
    return refusal(replies::bad_syntax("Syntax: BDAT size [LAST]"));
  return chunk_arguments{*size, last};
}

bool is_acceptable_helo(std::string_view text) noexcept {
  if (text.empty() || text.size() > address_limits::domain_bytes)
    return false;
  return is_address_literal(text) || std::all_of(text.begin(), text.end(), [](char c) {
           return ascii::is_alnum(c) || c == '-' || c == '.' || c == '_' || c == ':';
         });
}

} // namespace merpati::smtp
