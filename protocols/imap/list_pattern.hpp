// LIST's patterns (RFC 9051 6.3.9): '*' matches anything, '%' anything but the hierarchy delimiter '/'.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "protocols/imap/command.hpp"
#include "protocols/imap/response_writer.hpp"

namespace merpati::imap {

/// A pattern with its reference put in front. INBOX matches in any case.
class list_pattern {
public:
  list_pattern(std::string_view reference, std::string_view pattern);
  /// O(name x pattern / 64), whatever both are.
  bool matches(std::string_view name) const;

private:
  using word = std::uint64_t;
  void step(std::vector<word>& states, unsigned char c, bool any_case) const;
  void close(std::vector<word>& states) const;

  // A set of positions in the pattern, one bit each, moves through the name (a nondeterministic automaton in bits).
  std::size_t length_ = 0; ///< positions 0..length_
  std::size_t words_ = 1;
  std::vector<word> literal_; ///< per octet: the positions where it stands
  std::vector<word> star_;    ///< positions of *
  std::vector<word> percent_; ///< positions of %
};

/// A mailbox as LIST needs to know it.
struct listed_mailbox {
  std::string name;   ///< UTF-8
  bool exists = true; ///< false: only subscribed
  bool subscribed = false;
  std::uint32_t special_use = 0;
};

/// The responses of LIST `what` over all mailboxes of an account (in any order): parents without a mailbox of their
/// own are made up, options and attributes are worked out. STATUS is the caller's: it is owed for each entry that is
/// selectable when what.returns has list_return::status. Sorted by name, INBOX first.
std::vector<list_entry> select_list(const commands::list& what, const std::vector<listed_mailbox>& mailboxes);

/// The same for LSUB (RFC 3501 6.3.9).
std::vector<list_entry> select_lsub(const commands::lsub& what, const std::vector<listed_mailbox>& mailboxes);

/// How the entries of `what` are to be written.
list_style style_of(const commands::list& what, bool utf8);

} // namespace merpati::imap
