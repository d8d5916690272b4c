// The header fields that a server puts before a message: Received (RFC 5321 4.4, RFC 3848) and Return-Path.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "protocols/smtp/address.hpp"

namespace merpati::smtp {

struct trace_info {
  std::string helo;           ///< as the client said it; anything unfit for a header becomes "unknown"
  std::string remote_name;    ///< verified reverse name, or empty
  std::string remote_address; ///< numeric IPv4 or IPv6
  std::string by;             ///< our host name
  std::string id;             ///< our name for the message, an atom
  bool extended = true;       ///< EHLO rather than HELO
  bool tls = false;
  bool authenticated = false;
  bool lmtp = false;
  bool utf8 = false;                ///< SMTPUTF8 was used (RFC 6531 4.3)
  std::string tls_version;          ///< "TLSv1.3"
  std::string tls_cipher;           ///< "TLS_AES_256_GCM_SHA384"
  std::optional<mailbox> recipient; ///< only when there is exactly one (RFC 5321 7.2: others stay hidden)
  timestamp when;
  std::chrono::minutes utc_offset{0};
};

/// "SMTP", "ESMTP", "ESMTPS", "ESMTPA", "ESMTPSA", "LMTP...", "UTF8SMTP..." (RFC 3848, RFC 6531).
std::string with_protocol(const trace_info& info);

/// The whole field with its CRLF, folded below 78 columns where the parts allow; pure ASCII unless `utf8`.
std::string write_received(const trace_info& info);

/// "Return-Path: <...>" CRLF; the null reverse-path is written "<>".
std::string write_return_path(const reverse_path& sender);

/// RFC 5322 3.3 date-time, e.g. "Mon, 23 Nov 2026 14:31:02 +0000".
std::string write_date(timestamp when, std::chrono::minutes utc_offset = std::chrono::minutes{0});

/// RFC 3339 5.6 in UTC, e.g. "2026-11-23T14:31:02Z".
std::string write_internet_time(timestamp when);

} // namespace merpati::smtp
