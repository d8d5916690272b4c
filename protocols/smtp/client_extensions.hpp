// What another SMTP server offers in its answer to EHLO or LHLO (RFC 5321 4.1.1.1).
#pragma once

#include <cstddef>
#include <cstdint>

#include "protocols/smtp/client_reply.hpp"

namespace merpati::smtp {

/// What the answer to EHLO offers.
struct client_extensions {
  bool pipelining = false;
  bool eight_bit_mime = false;
  bool smtputf8 = false;
  bool chunking = false;
  bool binary_mime = false;
  bool dsn = false;
  bool starttls = false;
  bool require_tls = false;
  bool priority = false;
  bool size = false;
  std::uint64_t size_limit = 0;     ///< of SIZE; 0: none is told
  std::size_t recipients_limit = 0; ///< of LIMITS RCPTMAX; 0: none is told
  std::size_t messages_limit = 0;   ///< of LIMITS MAILMAX; 0: none is told
  bool auth_plain = false;
  bool auth_login = false;
};

/// Keywords in any case; what is not known here is passed over.
client_extensions read_extensions(const client_reply& reply);

} // namespace merpati::smtp
