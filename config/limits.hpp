// Every limit that an administrator may change, with its default and the reason for it. config fills the struct,
// main hands the values to the engines and actors that keep them.
#pragma once

#include <chrono>
#include <cstdint>

namespace merpati::config {

struct smtp_limits {
  std::uint64_t recipients = 1'000; ///< twice what RFC 5321 4.5.3.1.8 asks for; beyond it 452 4.5.3
  std::uint64_t line_bytes = 2'048; ///< a command line; room for long AUTH responses, RFC 5321 4.5.3.1.4 asks for 512
  std::uint64_t errors = 20;        ///< wrong commands in a session before 421: no honest program needs as many
  std::uint64_t hops = 50;          ///< Received fields of a message: more is a loop (RFC 5321 6.3)
  std::chrono::seconds idle{300};   ///< RFC 5321 4.5.3.2.7: at least 5 minutes
  std::uint64_t data_octets_per_second = 100; ///< inside a message, averaged over a minute: a modem sends 30 times that
};

struct imap_limits {
  std::uint64_t line_before_login_bytes = 8'192; ///< all that a stranger can make us hold, literals included
  std::uint64_t line_bytes = 1'048'576;          ///< a command after login, without literals of messages; long UID sets
  std::uint64_t bad_commands_before_login = 3;   ///< a stranger who speaks no IMAP is let go at once
  std::uint64_t bad_commands = 20;               ///< a broken client in a loop costs little
  std::chrono::seconds idle{1'800};              ///< RFC 9051 5.4: at least 30 minutes
  std::chrono::seconds idle_before_login{60};    ///< strangers don't keep connections open
  std::uint64_t mailbox_name_bytes = 1'000;      ///< longer than any client shows
  std::uint64_t mailbox_levels = 32;             ///< deeper trees are mistakes
};

struct pop3_limits {
  std::uint64_t line_bytes = 255;   ///< RFC 2449 4
  std::uint64_t errors = 20;        ///< as for SMTP
  std::chrono::seconds idle{600};   ///< RFC 1939 3: at least 10 minutes
  std::uint64_t messages = 100'000; ///< in one maildrop listing; older mail stays visible over IMAP
};

struct mime_limits {
  std::uint64_t depth = 100;               ///< nested multiparts; real mail stays below 10
  std::uint64_t parts = 10'000;            ///< digests of mailing lists reach hundreds
  std::uint64_t header_bytes = 10'485'760; ///< all header fields of one message
  std::uint64_t parameters = 128;          ///< of one field; RFC 2231 continuations count one by one
};

struct login_limits {
  std::uint64_t failures_per_minute = 10; ///< of one client network and of one login name; then each try waits
  std::chrono::seconds longest_delay{30}; ///< a try that would wait longer is refused at once (LIMIT, LOGIN-DELAY)
  std::uint64_t hashing_threads = 2;      ///< each takes one core for 20 ms and 19 MiB a password
  std::uint64_t queue = 256;              ///< tries that wait for a thread: 2.5 s of work for 2 threads
  std::chrono::seconds remembered{60};    ///< a password that was right costs no hashing for so long; 0: never
};

struct limits {
  std::uint64_t message_bytes = 52'428'800;        ///< 50 MiB, announced in SIZE; the usual ceiling of large providers
  std::uint64_t message_in_memory_bytes = 262'144; ///< larger bodies go to a file while they arrive
  std::uint64_t connections = 20'000;              ///< all listeners together; at 40 KB each 800 MB
  std::uint64_t connections_per_address = 50;      ///< of one IPv4 address or IPv6 /64; a household with many clients
  smtp_limits smtp;
  imap_limits imap;
  pop3_limits pop3;
  mime_limits mime;
  login_limits login;
};

} // namespace merpati::config
