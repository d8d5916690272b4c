// The arguments of MAIL, RCPT, BDAT and EHLO: text to value, or the reply that refuses it.
#pragma once

#include <cstdint>
#include <string_view>

#include <tl/expected.hpp>

#include "protocols/smtp/address.hpp"
#include "protocols/smtp/esmtp_parameters.hpp"
#include "protocols/smtp/reply.hpp"
#include "protocols/smtp/server_steps.hpp"

namespace merpati::smtp {

/// "FROM:<...> [parameters]", case-insensitive, with spaces after the colon borne. An address outside ASCII without the
/// parameter SMTPUTF8 is refused.
tl::expected<mail_from, reply> parse_mail_arguments(std::string_view text, const argument_context& context);

/// "TO:<...> [parameters]".
tl::expected<rcpt_to, reply> parse_rcpt_arguments(std::string_view text, const argument_context& context);

/// RFC 3030 2.
struct chunk_arguments {
  std::uint64_t size_bytes = 0;
  bool last = false;
};

/// "size [LAST]".
tl::expected<chunk_arguments, reply> parse_chunk_arguments(std::string_view text);

/// The name that a client may give itself: Domain or address literal (RFC 5321 4.1.1.1), and what wrongly configured
/// clients send though it is neither: underscores, addresses without brackets. Always fit for a header.
bool is_acceptable_helo(std::string_view text) noexcept;

} // namespace merpati::smtp
