// The Sender Rewriting Scheme (Wong, "SRS: Sender Rewriting Scheme", 2003): who passes mail on puts an address of its
// own into the envelope, so that the next server's SPF check fits, and can lead a bounce back to the first sender.
//
//   SRS0=tag=TT=first.example=user@forwarder       the sender's own address was rewritten
//   SRS1=tag=forwarder==tag=TT=first.example=user@second    an SRS0 address was passed on once more
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "protocols/smtp/address.hpp"

namespace merpati::smtp {

/// How long a bounce may take: RFC 5321 4.5.4.1 has mail tried for 4 to 5 days, and each hop may take as long.
inline constexpr int srs_valid_days = 21;

/// `sender` rewritten to an address at `domain`. errc::too_big when it would be longer than a local part may be
/// (RFC 5321 4.5.3.1.1); errc::invalid for an address literal.
result<mailbox> srs_forward(const mailbox& sender, std::string_view domain, std::string_view secret, timestamp now);

/// Whether `local_part` looks like one that srs_forward makes.
bool is_srs(std::string_view local_part) noexcept;

/// Whom a bounce to `local_part` is for. `secrets`: the current one and those before it. errc::invalid when the tag is
/// none of ours, errc::not_permitted when it is too old.
result<mailbox> srs_reverse(std::string_view local_part, std::span<const std::string> secrets, timestamp now);

} // namespace merpati::smtp
