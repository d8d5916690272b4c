// SORT (RFC 5256, RFC 5957): the messages that a search found, in the order that the client asks for.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "protocols/imap/command.hpp"
#include "protocols/imap/mailbox_snapshot.hpp"
#include "protocols/mime/summary.hpp"

namespace merpati::imap {

/// The Date field, or where that says nothing the internal date (RFC 5256 2.2); seconds since 1970.
std::int64_t sent_date(const message_item& item, const mime::summary_view& summary);
/// Texts are compared in this form: without regard to case in all scripts (RFC 5256 names i;unicode-casemap).
std::string collation_key(std::string_view utf8);

class message_sorter {
public:
  /// `program` is what the client asked for, at least one key.
  explicit message_sorter(std::vector<sort_key> program) : program_(std::move(program)) {}

  /// False: add() looks at the row alone.
  bool needs_summary() const noexcept;
  /// `number` is what is told of the message: sequence number or UID. Messages come in the order of the mailbox.
  void add(std::uint32_t number, const message_item& item, const mime::summary_view& summary);
  /// All numbers in order. Messages that are alike stay in the order of the mailbox (RFC 5256 3).
  std::vector<std::uint32_t> sorted() &&;

private:
  struct entry {
    std::uint32_t number = 0;
    std::vector<std::int64_t> numbers; ///< of the keys that are numbers and dates, in their order
    std::vector<std::string> texts;    ///< of the others
  };
  bool before(const entry& a, const entry& b) const;

  std::vector<sort_key> program_;
  std::vector<entry> entries_;
};

/// What SORT answers: "* SORT 2 84 882", or ESEARCH with its ALL in that order (RFC 5267 3). `highest_modseq` is told
/// where the search has a MODSEQ key (RFC 7162 3.1.6).
void write_sort_result(std::string_view tag, const commands::sort& command, const std::vector<std::uint32_t>& sorted,
                       std::uint64_t highest_modseq, std::string& out);

} // namespace merpati::imap
