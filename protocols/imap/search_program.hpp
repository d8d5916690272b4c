// SEARCH: a search key compiled against an open mailbox, evaluated message by message. The row decides what it can,
// then the stored summary, and only what is left needs the message's octets.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "protocols/imap/command.hpp"
#include "protocols/imap/mailbox_snapshot.hpp"
#include "protocols/mime/summary.hpp"

namespace merpati::imap {

/// What is known about one message so far.
enum class search_verdict : std::uint8_t {
  no,
  yes,
  needs_summary, ///< evaluate() again with the stored summary
  needs_body,    ///< make a body_search and feed it the message's octets
};

/// What a search key's numbers and times refer to.
struct search_context {
  snapshot_ptr view;         ///< sequence numbers, '*' and keywords are of this snapshot
  timestamp now;             ///< for OLDER and YOUNGER
  sequence_set saved_result; ///< UIDs for "$" (RFC 9051 6.4.4.1)
};

class search_program {
public:
  /// errc::invalid: a sequence number that isn't there (tagged BAD).
  static result<search_program> compile(const search_key& key, const search_context& context);

  search_program(search_program&&) noexcept;
  search_program& operator=(search_program&&) noexcept;
  ~search_program();

  /// What the row alone, or row and summary, say. Never needs_summary when `summary` is given.
  /// For a summary that can't be read pass mime::summary_view{}: a message without fields and parts. Not for two
  /// threads at once.
  search_verdict evaluate(std::uint32_t sequence, const message_item& item, const mime::summary_view* summary) const;

  /// Whether some key looks into summary or body, so that the caller can read ahead.
  bool may_need_summary() const noexcept;
  bool may_need_body() const noexcept;

private:
  friend class body_search;
  struct impl;
  explicit search_program(std::unique_ptr<impl> p);
  std::unique_ptr<impl> impl_;
};

/// Looks through one message's octets for the keys that evaluate() left open. Holds a header (up to
/// 1 MiB of it) and a few KiB, never the message.
class body_search {
public:
  /// `program` and `summary`'s octets must outlive it.
  body_search(const search_program& program, std::uint32_t sequence, const message_item& item,
              const mime::summary_view& summary);
  ~body_search();
  body_search(body_search&&) noexcept;
  body_search& operator=(body_search&&) noexcept;

  /// The message's octets in order, from the first. False: the answer is known, no more are needed.
  bool feed(std::string_view octets);
  /// The answer; call it after the last octets or when feed() said false.
  bool finish();

private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

/// The messages found, in ascending order, as they were added.
struct search_result {
  sequence_set numbers;             ///< UIDs or sequence numbers, as the command asks
  std::uint64_t highest_modseq = 0; ///< of the messages found; told when the search had a MODSEQ key (RFC 7162 3.1.5)
};

/// Appends the untagged SEARCH or ESEARCH response for `command`.
void write_search_result(std::string_view tag, const commands::search& command, const search_result& found,
                         std::string& out);

/// The UIDs that "$" means after this search (RFC 9051 6.4.4.1): all that was found, or only the lowest and highest
/// when MIN or MAX alone were asked for. `uids` are the UIDs of all messages found, ascending.
sequence_set saved_result(const commands::search& command, const sequence_set& uids);

/// Whether `key` asks for MODSEQ anywhere, which makes the command one that turns CONDSTORE on.
bool uses_modseq(const search_key& key);

} // namespace merpati::imap
