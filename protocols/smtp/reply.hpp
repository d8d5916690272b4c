// SMTP replies as values, the fixed ones of Merpati, and the one table from errc to reply.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace merpati::smtp {

struct reply {
  std::uint16_t code = 250;
  std::string enhanced; ///< "5.1.1" (RFC 3463), or empty: greeting, EHLO, 334 and 354 have none (RFC 2034 4)
  std::string text;     ///< '\n' separates the lines of a multi-line reply; other control characters are written as '?'

  bool is_positive() const noexcept { return code < 400; }
  /// 421: the session ends after it (RFC 5321 3.8).
  bool closes() const noexcept { return code == 421; }
  bool operator==(const reply&) const = default;
};

/// RFC 5321 4.5.3.1.5: a reply line with its CRLF; longer texts go on in a further line of the same reply.
inline constexpr std::size_t reply_line_bytes = 512;

/// Appends the reply with its line ends.
void write_reply(const reply& value, std::string& out);

/// The reply for a failure of ours or of the directory. Temporary failures never become 5xx.
reply reply_for(errc code);

/// Fixed replies; each function is one row of the table of conditions in docs.
namespace replies {
reply storage_full();                       ///< 452 4.3.1
reply shutting_down();                      ///< 421 4.3.2
reply overloaded();                         ///< 421 4.3.2
reply part_unavailable();                   ///< 451 4.3.0
reply network_unavailable();                ///< 451 4.4.3 (DNS, peer)
reply idle_timeout();                       ///< 421 4.4.2
reply message_too_big();                    ///< 552 5.3.4
reply mailbox_over_quota();                 ///< 452 4.2.2
reply too_many_recipients();                ///< 452 4.5.3
reply bare_newline();                       ///< 550 5.5.2
reply illegal_pipelining();                 ///< 554 5.5.0, close
reply relay_refused();                      ///< 550 5.7.1
reply unknown_user();                       ///< 550 5.1.1
reply authentication_needed();              ///< 530 5.7.0
reply encryption_needed();                  ///< 538 5.7.11
reply bad_credentials();                    ///< 535 5.7.8
reply credentials_unavailable();            ///< 454 4.7.0
reply limit_exceeded();                     ///< 421 4.7.0, close
reply mail_loop();                          ///< 554 5.4.6
reply bad_syntax(std::string_view what);    ///< 501 5.5.4
reply bad_sender_syntax();                  ///< 501 5.1.7
reply bad_recipient_syntax();               ///< 501 5.1.3
reply unknown_command();                    ///< 500 5.5.2
reply line_too_long();                      ///< 500 5.5.2
reply not_implemented();                    ///< 502 5.5.1
reply out_of_order(std::string_view what);  ///< 503 5.5.1
reply bad_parameter(std::string_view what); ///< 555 5.5.4
} // namespace replies

} // namespace merpati::smtp
