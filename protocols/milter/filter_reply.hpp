// What a filter says, as values: verdicts, replies of its own, and changes of the message.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "protocols/milter/packet.hpp"
#include "protocols/smtp/reply.hpp"

namespace merpati::milter {

enum class verdict : std::uint8_t {
  proceed,
  accept,   ///< no more questions about this message (at connect and helo: about this client)
  reject,   ///< 5xx
  tempfail, ///< 4xx
  discard,  ///< tell the client yes and drop the message
  skip,     ///< no more body chunks; otherwise as proceed
  shutdown, ///< 421, and end the SMTP session
};

/// A change that a filter asks for at the end of the message.
struct modification {
  enum class kind : std::uint8_t {
    add_header,       ///< name, value
    insert_header,    ///< index is the place, 0 the first; name, value
    change_header,    ///< index is the occurrence of that name, from 1; an empty value deletes
    replace_body,     ///< value: the next piece of the new body
    add_recipient,    ///< name: the address as in RCPT TO, value: its parameters
    delete_recipient, ///< name: the address
    change_sender,    ///< name: the address as in MAIL FROM, value: its parameters
    quarantine,       ///< value: the reason
  };
  kind what = kind::add_header;
  std::uint32_t index = 0;
  std::string name;
  std::string value;
  bool operator==(const modification&) const = default;
};

struct filter_reply {
  enum class kind : std::uint8_t { verdict, modification, progress, connection_failed };
  kind what = kind::verdict;
  milter::verdict verdict = milter::verdict::proceed;
  std::optional<smtp::reply> reply; ///< with reject and tempfail: the filter's own words
  milter::modification change;
  bool operator==(const filter_reply&) const = default;
};

/// Lines and octets of a filter's own reply: libmilter has 32 lines, and a client is not made to read a novel.
inline constexpr std::size_t reply_lines = 32;
inline constexpr std::size_t reply_bytes = 8'192;

/// errc::invalid: no reply that version 6 knows, or one that is malformed.
result<filter_reply> parse_filter_reply(const packet& said);

/// "550 5.7.1 text", with more lines as in SMTP (RFC 5321 4.2.1): each with the code, '-' before all but the last.
/// Only 4xx and 5xx; a percent sign may be doubled, as sendmail wants it. An enhanced code that does not fit the code
/// is replaced (RFC 3463 2). errc::invalid, errc::too_big.
result<smtp::reply> parse_reply_text(std::string_view text);

} // namespace merpati::milter
