// The arguments of MAIL, RCPT and EHLO: text to value, or the reply that refuses it.
#pragma once

#include <string_view>

#include <tl/expected.hpp>

#include "protocols/smtp/address.hpp"
#include "protocols/smtp/reply.hpp"
#include "protocols/smtp/server_engine.hpp"

namespace merpati::smtp {

/// What the session allows in the arguments.
struct argument_context {
  bool extended = true;        ///< EHLO was said: parameters are allowed at all
  bool auth_parameter = false; ///< AUTH is among our extensions
  std::uint64_t message_bytes = 0;
};

/// "FROM:<...> [parameters]", case-insensitive, with spaces after the colon borne.
tl::expected<mail_from, reply> parse_mail_arguments(std::string_view text, const argument_context& context);

/// "TO:<...> [parameters]".
tl::expected<rcpt_to, reply> parse_rcpt_arguments(std::string_view text, const argument_context& context);

/// The name that a client may give itself: Domain or address literal (RFC 5321 4.1.1.1), and what wrongly configured
/// clients send though it is neither: underscores, addresses without brackets. Always fit for a header.
bool is_acceptable_helo(std::string_view text) noexcept;

} // namespace merpati::smtp
