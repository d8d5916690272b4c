// Every bound of the IMAP side in one place, each with its reason. Configuration may change them.
#pragma once

#include <cstddef>
#include <cstdint>

namespace merpati::imap {

struct limits {
  /// One line before login: a LOGIN with a long name and a SASL response fit; a stranger costs no more memory than
  /// this.
  std::size_t line_before_login = 8 * 1024;
  /// One line after login: RFC 7162 4 asks for at least 8 KiB; clients send UID sets of tens of KiB.
  std::size_t line_after_login = 64 * 1024;
  /// A whole command with its literals before login.
  std::size_t command_before_login = 8 * 1024;
  /// A whole command with its literals after login (the message of APPEND, which is streamed, is not counted).
  std::size_t command_after_login = 256 * 1024;
  /// Largest message of APPEND; refused with [TOOBIG] by its announced size.
  std::uint64_t append_bytes = 50ULL * 1024 * 1024;
  /// Messages of one APPEND (RFC 3502): each costs a file or a share of memory until all are there.
  unsigned append_messages = 128;
  /// Largest non-synchronising literal when only LITERAL- is offered (RFC 7888 5).
  std::uint64_t literal_minus = 4096;
  /// A refused non-synchronising literal is read and dropped up to this size; beyond it the connection ends.
  std::uint64_t swallow_bytes = 64ULL * 1024 * 1024;
  /// Answers to pipelined commands that the engine gives by itself pile up to here; then the caller must send.
  std::size_t output_bytes = 64 * 1024;
  /// Consecutive commands answered BAD before BYE: a program that doesn't speak IMAP goes away.
  unsigned bad_commands = 20;
  /// BAD commands before login before BYE: strangers get less patience.
  unsigned bad_commands_before_login = 3;
  /// Refused logins before BYE; the delay between them is the caller's.
  unsigned failed_logins = 5;
  /// Ranges in one sequence set, before merging: as many as a full line can carry.
  std::size_t set_ranges = 32 * 1024;
  /// Nesting of search keys: what a person could mean, far from the stack's end.
  std::size_t search_depth = 32;
  /// Keys of one SORT: there are nine.
  std::size_t sort_keys = 18;
  /// Keys in one SEARCH in all; each costs time for each message.
  std::size_t search_keys = 1024;
  /// Of these, keys that look for text: each reads the whole message anew.
  std::size_t search_text_keys = 64;
  /// Octets of all search strings of one command.
  std::size_t search_text = 16 * 1024;
  /// Items in one FETCH; each body item may cost a read of the message.
  std::size_t fetch_items = 128;
  /// Field names in one HEADER.FIELDS list.
  std::size_t header_fields = 256;
  /// Levels in a part number: what the MIME parser can produce.
  std::size_t part_depth = 100;
  /// Octets of a mailbox name, in UTF-8: an LMDB key holds 511 with its prefix, clients show less.
  std::size_t mailbox_name = 1000;
  /// Levels of a mailbox name.
  std::size_t mailbox_levels = 32;
  /// Patterns in one LIST and options in one list.
  std::size_t list_patterns = 64;
  /// Flags in one list, and octets in one keyword.
  std::size_t flags = 128;
  std::size_t keyword = 128;
  /// RFC 2971 3.3: 30 field-value pairs, names of 30 octets, values of 1,024.
  std::size_t id_pairs = 30;
  std::size_t id_name = 30;
  std::size_t id_value = 1024;
  /// Ranges kept by SEARCH RETURN (SAVE).
  std::size_t saved_ranges = 64 * 1024;
};

} // namespace merpati::imap
