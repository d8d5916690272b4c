// What the SMTP engine asks of whoever runs it (see server_engine.hpp).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "protocols/smtp/envelope.hpp"
#include "protocols/smtp/message_findings.hpp"
#include "protocols/smtp/xclient.hpp"

namespace merpati::smtp {

/// Everything fed was consumed: send the output, then feed() more.
struct need_input {};
/// The 220 is in the output. Send it, run the TLS handshake, then tls_started(); close when the handshake fails.
struct start_tls {};
/// Check a password. Answer with authenticated(). Values are SASLprepped; authzid is empty when the client sent none.
struct authenticate {
  std::string authzid;
  std::string authcid;
  std::string password;
};
/// The keys of this user are wanted (SCRAM). Answer with scram_keys(), or authenticated() when there are none to be
/// had.
struct scram_lookup {
  std::string authzid;
  std::string username;
};
/// The client proved that it knows the password. Answer with authenticated().
struct scram_proven {
  std::string authzid;
  std::string username;
};
/// XCLIENT: the peer says for whom it speaks. Answer with speaks_for() or refuse().
struct client_claim {
  xclient claim;
};
/// May this sender begin a message? Answer with accept() or refuse().
struct mail_from {
  reverse_path sender;
  mail_parameters parameters;
};
/// May the message go to this recipient? Answer with accept() or refuse(). A bare postmaster has an empty domain.
struct rcpt_to {
  mailbox recipient;
  rcpt_parameters parameters;
};
/// DATA or the first BDAT was said, with at least one recipient. accept() goes on (354 to DATA); refuse() leaves the
/// envelope as it is.
struct data_begin {
  const smtp::envelope* envelope; ///< valid until the message ends
};
/// The next octets of the message, decoded. A view into the fed input, valid until the next call of the engine.
struct data_chunk {
  std::string_view octets;
};
/// The message is complete. Make it durable, then accept("queued as ...") or refuse(); over LMTP also answer_each().
struct data_end {
  message_findings found;
  const smtp::envelope* envelope; ///< valid until the answer
};
/// Drop what came of the message: it is too big, has a bare CR or LF, was reset, or the session ends. No answer; the
/// engine swallows the rest and replies by itself.
struct data_aborted {};
/// A command that the engine does not know; asked only where options say so. accept(): it is refused as such;
/// refuse(): in these words.
struct unknown_command {
  std::string line;
};
/// Send the output, then close the connection. Every further next() says so again.
struct close {};

using step = std::variant<need_input, start_tls, authenticate, scram_lookup, scram_proven, client_claim, mail_from,
                          rcpt_to, data_begin, data_chunk, data_end, data_aborted, unknown_command, close>;

enum class auth_outcome : std::uint8_t {
  success,
  failure,   ///< 535 5.7.8
  temporary, ///< 454 4.7.0
};

} // namespace merpati::smtp
