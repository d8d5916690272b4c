// An open mailbox as an immutable picture. Its actor makes a new one for each change, sharing all chunks that did not
// change; each session keeps the one that it last told its client about and writes the difference.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/ids.hpp"

namespace merpati::imap {

/// A message as a list of messages knows it. Field for field what storage keeps in its row.
struct message_item {
  uid id;
  std::uint8_t flags = 0;     ///< bits of namespace flag
  std::uint64_t keywords = 0; ///< bit n: mailbox_state::keywords[n]
  modseq changed;
  body_id body;
  std::uint64_t size_bytes = 0;
  timestamp internal_date;
  timestamp save_date;
  std::uint64_t email = 0;
  std::uint64_t thread = 0;
  bool operator==(const message_item&) const = default;
};

/// What belongs to the mailbox rather than to a message.
struct mailbox_state {
  mailbox_id id;
  std::uint32_t uid_validity = 0;
  uid uid_next{1};
  modseq highest_modseq{1};
  /// Names of the keyword bits; only ever grows. Never null in a snapshot.
  std::shared_ptr<const std::vector<std::string>> keywords;
};

class mailbox_snapshot;
using snapshot_ptr = std::shared_ptr<const mailbox_snapshot>;

class mailbox_snapshot {
public:
  static constexpr std::size_t chunk_messages = 1024; ///< a change copies at most this many items (80 KiB)

  /// A run of consecutive messages, shared between snapshots; never empty.
  using chunk = std::vector<message_item>;
  using chunk_ptr = std::shared_ptr<const chunk>;

  /// `items` ascending by UID without repeats (an assertion otherwise: they come from our own index).
  static snapshot_ptr make(mailbox_state state, std::vector<message_item> items);

  const mailbox_state& state() const noexcept { return state_; }
  const std::vector<std::string>& keywords() const noexcept { return *state_.keywords; }

  /// How many messages there are.
  std::uint32_t size() const noexcept { return size_; }
  /// The message of sequence number 1..size(). O(log chunks).
  const message_item& at(std::uint32_t sequence) const;
  /// The UID of the last message; none in an empty mailbox.
  uid last_uid() const noexcept;
  /// Sequence number of the message with this UID, or nothing.
  std::optional<std::uint32_t> find(uid id) const noexcept;
  /// Sequence number of the first message with this UID or a higher one; size() + 1 when there is none.
  std::uint32_t lower_bound(uid id) const noexcept;
  /// Sequence number of the first message without \Seen; 0 when all are seen.
  std::uint32_t first_unseen() const noexcept;
  /// The bit numbers' mask of a keyword (names equal but for case), or 0 when no message can have it.
  std::uint64_t keyword_mask(std::string_view name) const noexcept;

  /// The chunks, and the sequence number of the first message of each; for walks over all messages.
  const std::vector<chunk_ptr>& chunks() const noexcept { return chunks_; }
  std::uint32_t first_sequence(std::size_t chunk_index) const { return first_[chunk_index]; }

  /// Calls f(sequence, item) for the messages first..last that exist, walking chunks without a search for each.
  template <class F>
  void for_range(std::uint32_t first, std::uint32_t last, F&& f) const {
    if (first == 0)
      first = 1;
    if (last > size_)
      last = size_;
    if (first > last)
      return;
    for (auto index = chunk_of(first); index < chunks_.size() && first <= last; ++index) {
      const auto& items = *chunks_[index];
      for (auto at = first - first_[index]; at < items.size() && first <= last; ++at)
        f(first++, items[at]);
    }
  }

  /// With messages after the last one. `items` ascending by UID, all above last_uid(). Copies the last chunk at most.
  snapshot_ptr with_appended(std::span<const message_item> items, mailbox_state state) const;
  /// With these messages in the place of those with the same UID; UIDs that aren't there are left out. Ascending.
  snapshot_ptr with_changed(std::span<const message_item> items, mailbox_state state) const;
  /// Without these messages; UIDs that aren't there are left out. Ascending.
  snapshot_ptr with_removed(std::span<const uid> ids, mailbox_state state) const;

private:
  explicit mailbox_snapshot(mailbox_state state) : state_(std::move(state)) {}
  std::size_t chunk_of(std::uint32_t sequence) const noexcept;
  void push_chunk(chunk_ptr c);
  void pop_chunk();
  void push_items(std::span<const message_item> items);

  mailbox_state state_;
  std::vector<chunk_ptr> chunks_;
  std::vector<std::uint32_t> first_;
  std::uint32_t size_ = 0;
};

/// What write_changes() may tell.
struct change_rules {
  /// False while FETCH, STORE or SEARCH (without UID) runs or nothing runs at all: sequence numbers must stay
  /// (RFC 9051 7.5.1, RFC 3501 7.4.1).
  bool expunge_allowed = true;
  bool with_uid = false;    ///< UID in each FETCH (RFC 9051 6.4.9; harmless otherwise)
  bool with_modseq = false; ///< CONDSTORE is on (RFC 7162 3.2)
  bool vanished = false;    ///< QRESYNC is on: VANISHED in place of EXPUNGE (RFC 7162 3.2.10)
  bool read_only = false;   ///< opened with EXAMINE: PERMANENTFLAGS stays empty
};

/// Appends what the client of `view` must hear so that it knows `current`: EXPUNGE from the highest number down or
/// VANISHED, then EXISTS, FLAGS when keywords were added, then FETCH (FLAGS) for each change. Time: the chunks that
/// differ. Returns what the client knows afterwards, the caller's next view: `current` itself, unless removals were
/// withheld.
snapshot_ptr write_changes(const snapshot_ptr& view, const snapshot_ptr& current, const change_rules& rules,
                           std::string& out);

} // namespace merpati::imap
