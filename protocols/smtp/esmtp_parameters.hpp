// The parameters behind the path of MAIL and RCPT (esmtp-param, RFC 5321 4.1.2): which there are, who may use them, and
// how their values are read.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

#include <tl/expected.hpp>

#include "protocols/smtp/envelope.hpp"
#include "protocols/smtp/reply.hpp"

namespace merpati::smtp {

/// Extensions that a session offers or not. SIZE, 8BITMIME, SMTPUTF8, CHUNKING, BINARYMIME, DSN, PIPELINING and
/// ENHANCEDSTATUSCODES are always there.
enum extension_bit : std::uint16_t {
  offers_auth = 1,
  offers_starttls = 2,
  offers_require_tls = 4,     ///< RFC 8689 4: on TLS only
  offers_priority = 8,        ///< RFC 6710
  offers_deliver_by = 16,     ///< RFC 2852
  offers_future_release = 32, ///< RFC 4865
};
using extension_set = std::uint16_t;

/// What the session allows in the arguments.
struct argument_context {
  bool extended = true;      ///< EHLO was said: parameters are allowed at all
  extension_set offered = 0; ///< extension_bit values
  std::uint64_t message_bytes = 0;
  bool utf8 = false;                    ///< RCPT: MAIL said SMTPUTF8
  std::chrono::seconds longest_hold{0}; ///< of HOLDFOR
};

struct parameter_limits {
  static constexpr std::size_t envelope_id_bytes = 100;            ///< RFC 3461 4.4, before decoding
  static constexpr std::size_t original_bytes = 500;               ///< RFC 3461 4.2, before decoding
  static constexpr std::uint32_t deliver_by_seconds = 999'999'999; ///< RFC 2852 4: nine digits
};

/// Reads what follows the path of MAIL into `out`; the reply that refuses it, if any: 555 5.5.4 for a parameter that is
/// not offered, 501 5.5.4 for one that is malformed or comes twice, 552 5.3.4 for a SIZE above the limit.
std::optional<reply> read_parameters(std::string_view text, const argument_context& context, mail_parameters& out);

/// The same for RCPT.
std::optional<reply> read_parameters(std::string_view text, const argument_context& context, rcpt_parameters& out);

} // namespace merpati::smtp
