// write_changes(): the difference between two snapshots as untagged responses.
#include "protocols/imap/mailbox_snapshot.hpp"
#include "protocols/imap/response_writer.hpp"

namespace merpati::imap {
namespace {

/// A place in a snapshot that moves from message to message, or over a whole chunk.
class cursor {
public:
  explicit cursor(const mailbox_snapshot& box) : box_(box) {}

  bool at_end() const noexcept { return chunk_ == box_.chunks().size(); }
  bool at_chunk_start() const noexcept { return item_ == 0; }
  const mailbox_snapshot::chunk_ptr& chunk() const noexcept { return box_.chunks()[chunk_]; }
  const message_item& item() const noexcept { return (*chunk())[item_]; }
  std::uint32_t sequence() const noexcept { return box_.first_sequence(chunk_) + static_cast<std::uint32_t>(item_); }
  void next() noexcept {
    if (++item_ == chunk()->size())
      skip_chunk();
  }
  void skip_chunk() noexcept {
    ++chunk_;
    item_ = 0;
  }

private:
  const mailbox_snapshot& box_;
  std::size_t chunk_ = 0;
  std::size_t item_ = 0;
};

struct changed_message {
  std::uint32_t old_sequence;
  std::uint32_t new_sequence;
  const message_item* now;
};

struct difference {
  std::vector<std::uint32_t> removed; ///< old sequence numbers, ascending
  sequence_set removed_uids;          ///< of the same
  std::vector<changed_message> changed;
  std::uint32_t first_added = 0; ///< new sequence number; 0: none
};

difference compare(const mailbox_snapshot& before, const mailbox_snapshot& now, bool with_modseq) {
  difference d;
  cursor a(before), b(now);
  while (!a.at_end() && !b.at_end()) {
    if (a.at_chunk_start() && b.at_chunk_start() && a.chunk() == b.chunk()) {
      a.skip_chunk();
      b.skip_chunk();
      continue;
    }
    const auto& x = a.item();
    const auto& y = b.item();
    if (x.id < y.id) {
      d.removed.push_back(a.sequence());
      d.removed_uids.add(x.id.value);
      a.next();
      continue;
    }
    if (y.id < x.id) { // a message can't come to life in the middle; nothing to tell that a client would understand
      b.next();
      continue;
    }
    if (x.flags != y.flags || x.keywords != y.keywords || (with_modseq && x.changed != y.changed))
      d.changed.push_back({a.sequence(), b.sequence(), &y});
    a.next();
    b.next();
  }
  for (; !a.at_end(); a.next()) {
    d.removed.push_back(a.sequence());
    d.removed_uids.add(a.item().id.value);
  }
  if (!b.at_end())
    d.first_added = b.sequence();
  return d;
}

/// What a client knows that may not hear of removals yet: the old messages as they are now, then the new ones.
snapshot_ptr without_removals(const mailbox_snapshot& before, const mailbox_snapshot& now, const difference& d) {
  std::vector<message_item> changed, added;
  for (const auto& c : d.changed)
    changed.push_back(*c.now);
  if (d.first_added != 0)
    now.for_range(d.first_added, now.size(), [&](std::uint32_t, const message_item& item) { added.push_back(item); });
  return before.with_changed(changed, now.state())->with_appended(added, now.state());
}

} // namespace

snapshot_ptr write_changes(const snapshot_ptr& view, const snapshot_ptr& current, const change_rules& rules,
                           std::string& out) {
  if (view == current)
    return current;
  auto d = compare(*view, *current, rules.with_modseq);
  bool withhold = !rules.expunge_allowed && !d.removed.empty();
  // A client that comes back with the mod-sequence of a change would never hear of removals before it: all waits.
  if (withhold && rules.vanished)
    return view;
  auto known = withhold ? without_removals(*view, *current, d) : current;
  if (!withhold && rules.vanished)
    write_vanished(d.removed_uids, false, out);
  else if (!withhold)
    for (auto at = d.removed.size(); at-- > 0;) { // from the top down, each number is still the client's own
      out += "* ";
      write_number(d.removed[at], out);
      out += " EXPUNGE\r\n";
    }
  if (d.first_added != 0)
    write_exists(known->size(), out);
  if (current->keywords().size() > view->keywords().size())
    write_flags_response(current->keywords(), rules.read_only, out);
  for (const auto& c : d.changed) {
    out += "* ";
    write_number(withhold ? c.old_sequence : c.new_sequence, out);
    out += " FETCH (";
    if (rules.with_uid) {
      out += "UID ";
      write_number(c.now->id.value, out);
      out += ' ';
    }
    out += "FLAGS ";
    write_flags(c.now->flags, c.now->keywords, current->keywords(), out);
    if (rules.with_modseq) {
      out += " MODSEQ (";
      write_number(c.now->changed.value, out);
      out += ')';
    }
    out += ")\r\n";
  }
  return known;
}

} // namespace merpati::imap
