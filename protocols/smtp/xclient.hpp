// XCLIENT (Postfix's XCLIENT_README): a filter or proxy that is trusted with it says whom it speaks for. Text to value;
// who may say it, and what follows of it, is decided elsewhere.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <tl/expected.hpp>

#include "protocols/smtp/reply.hpp"

namespace merpati::smtp {

/// What the answer to EHLO says behind "XCLIENT " where the command is allowed.
inline constexpr std::string_view xclient_attributes = "NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT";

/// A text attribute.
struct xclient_text {
  enum class status : std::uint8_t {
    given,
    unavailable, ///< [UNAVAILABLE]: there is none
    temporary,   ///< [TEMPUNAVAIL]: the look-up failed, there may be one
  };
  status state = status::given;
  std::string value; ///< empty unless given
  bool operator==(const xclient_text&) const = default;
};

/// Attributes that were not named are empty and stay as they were.
struct xclient {
  std::optional<xclient_text> name;     ///< host name from DNS
  std::optional<xclient_text> addr;     ///< numeric IPv4 or IPv6 without its prefix "IPV6:"
  std::optional<xclient_text> helo;     ///< fit for a header
  std::optional<xclient_text> login;    ///< unavailable: nobody is logged in
  std::optional<xclient_text> destaddr; ///< as addr
  std::optional<std::uint16_t> port;    ///< 0: unavailable
  std::optional<std::uint16_t> destport;
  std::optional<bool> extended; ///< PROTO: ESMTP, else SMTP
  bool operator==(const xclient&) const = default;
};

/// The argument of XCLIENT: one attribute=value or more, values in xtext (RFC 3461 4). 501 5.5.4 for an unknown or
/// repeated attribute and for a value that is malformed.
tl::expected<xclient, reply> parse_xclient(std::string_view arguments);

/// The same as arguments again, attributes in the order of xclient_attributes.
std::string write_xclient(const xclient& value);

} // namespace merpati::smtp
