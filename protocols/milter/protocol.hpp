// Numbers and letters of the milter protocol, version 6, as libmilter and Postfix use them on the wire.
#pragma once

#include <cstddef>
#include <cstdint>

namespace merpati::milter {

/// The version that is offered, and the oldest one that is spoken: 3 brought unknown commands, 4 DATA, 6 skip, stages
/// without replies and lists of macros.
inline constexpr std::uint32_t newest_version = 6;
inline constexpr std::uint32_t oldest_version = 2;

/// libmilter ends the connection at a packet with more data than this; it is the largest body chunk too.
inline constexpr std::size_t data_max_bytes = 65'535;

/// What the server says; the first octet of a packet.
enum class command : char {
  abort = 'A',
  body = 'B',
  connect = 'C',
  macro = 'D',
  end_of_message = 'E',
  helo = 'H',
  quit_new_connection = 'K',
  header = 'L',
  mail = 'M',
  end_of_headers = 'N',
  negotiate = 'O',
  quit = 'Q',
  rcpt = 'R',
  data = 'T',
  unknown = 'U',
};

/// What the filter says.
enum class response : char {
  add_recipient = '+',
  delete_recipient = '-',
  add_recipient_with_parameters = '2',
  shutdown = '4',
  accept = 'a',
  replace_body = 'b',
  proceed = 'c',
  discard = 'd',
  change_sender = 'e',
  connection_failed = 'f',
  add_header = 'h',
  insert_header = 'i',
  change_header = 'm',
  negotiate = 'O',
  progress = 'p',
  quarantine = 'q',
  reject = 'r',
  skip = 's',
  tempfail = 't',
  reply_code = 'y',
};

/// What a filter may do at the end of the message (SMFIF_*).
namespace action {
inline constexpr std::uint32_t add_headers = 0x1;
inline constexpr std::uint32_t change_body = 0x2;
inline constexpr std::uint32_t add_recipients = 0x4;
inline constexpr std::uint32_t delete_recipients = 0x8;
inline constexpr std::uint32_t change_headers = 0x10;
inline constexpr std::uint32_t quarantine = 0x20;
inline constexpr std::uint32_t change_sender = 0x40;
inline constexpr std::uint32_t add_recipients_with_parameters = 0x80;
inline constexpr std::uint32_t set_macro_lists = 0x100;
inline constexpr std::uint32_t all = 0x1ff;
inline constexpr std::uint32_t of_version_2 = 0x3f;
} // namespace action

/// Steps that a filter does not want, or does not answer (SMFIP_*).
namespace protocol {
inline constexpr std::uint32_t no_connect = 0x1;
inline constexpr std::uint32_t no_helo = 0x2;
inline constexpr std::uint32_t no_mail = 0x4;
inline constexpr std::uint32_t no_rcpt = 0x8;
inline constexpr std::uint32_t no_body = 0x10;
inline constexpr std::uint32_t no_headers = 0x20;
inline constexpr std::uint32_t no_end_of_headers = 0x40;
inline constexpr std::uint32_t no_reply_header = 0x80;
inline constexpr std::uint32_t no_unknown = 0x100;
inline constexpr std::uint32_t no_data = 0x200;
inline constexpr std::uint32_t skip = 0x400;
inline constexpr std::uint32_t no_reply_connect = 0x1000;
inline constexpr std::uint32_t no_reply_helo = 0x2000;
inline constexpr std::uint32_t no_reply_mail = 0x4000;
inline constexpr std::uint32_t no_reply_rcpt = 0x8000;
inline constexpr std::uint32_t no_reply_data = 0x1'0000;
inline constexpr std::uint32_t no_reply_unknown = 0x2'0000;
inline constexpr std::uint32_t no_reply_end_of_headers = 0x4'0000;
inline constexpr std::uint32_t no_reply_body = 0x8'0000;
inline constexpr std::uint32_t header_leading_space = 0x10'0000;
/// All of the above. Rejected recipients (0x800) and larger packets are not offered.
inline constexpr std::uint32_t offered = 0x1f'f7ff;
inline constexpr std::uint32_t of_version_2 = 0x7f;
} // namespace protocol

} // namespace merpati::milter
