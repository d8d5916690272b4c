#include "protocols/imap/mailbox_snapshot.hpp"

#include <algorithm>
#include <stdexcept>

#include "base/ascii.hpp"

namespace merpati::imap {
namespace {

constexpr auto by_uid = [](const message_item& a, uid b) { return a.id < b; };

/// Neighbours that hold no more than this together become one, so that a mailbox that is thinned out doesn't end as
/// many tiny chunks.
constexpr std::size_t merged_chunk = mailbox_snapshot::chunk_messages / 2;

void require_ascending(std::span<const message_item> items, uid above) {
  for (const auto& item : items) {
    if (item.id <= above)
      throw std::logic_error("mailbox_snapshot: UIDs not ascending");
    above = item.id;
  }
}

} // namespace

snapshot_ptr mailbox_snapshot::make(mailbox_state state, std::vector<message_item> items) {
  require_ascending(items, uid{});
  if (!state.keywords)
    state.keywords = std::make_shared<const std::vector<std::string>>();
  std::shared_ptr<mailbox_snapshot> made(new mailbox_snapshot(std::move(state)));
  made->push_items(items);
  return made;
}

std::size_t mailbox_snapshot::chunk_of(std::uint32_t sequence) const noexcept {
  auto after = std::upper_bound(first_.begin(), first_.end(), sequence);
  return static_cast<std::size_t>(after - first_.begin()) - 1;
}

void mailbox_snapshot::push_chunk(chunk_ptr c) {
  first_.push_back(size_ + 1);
  size_ += static_cast<std::uint32_t>(c->size());
  chunks_.push_back(std::move(c));
}

void mailbox_snapshot::pop_chunk() {
  size_ = first_.back() - 1;
  first_.pop_back();
  chunks_.pop_back();
}

void mailbox_snapshot::push_items(std::span<const message_item> items) {
  while (!items.empty()) {
    auto part = items.first(std::min(items.size(), chunk_messages));
    push_chunk(std::make_shared<const chunk>(part.begin(), part.end()));
    items = items.subspan(part.size());
  }
}

const message_item& mailbox_snapshot::at(std::uint32_t sequence) const {
  if (sequence == 0 || sequence > size_)
    throw std::out_of_range("mailbox_snapshot: no such sequence number");
  auto index = chunk_of(sequence);
  return (*chunks_[index])[sequence - first_[index]];
}

uid mailbox_snapshot::last_uid() const noexcept {
  return chunks_.empty() ? uid{} : chunks_.back()->back().id;
}

std::uint32_t mailbox_snapshot::lower_bound(uid id) const noexcept {
  auto in = std::lower_bound(chunks_.begin(), chunks_.end(), id,
                             [](const chunk_ptr& c, uid wanted) { return c->back().id < wanted; });
  if (in == chunks_.end())
    return size_ + 1;
  auto at = std::lower_bound((*in)->begin(), (*in)->end(), id, by_uid);
  return first_[static_cast<std::size_t>(in - chunks_.begin())] + static_cast<std::uint32_t>(at - (*in)->begin());
}

std::optional<std::uint32_t> mailbox_snapshot::find(uid id) const noexcept {
  auto sequence = lower_bound(id);
  if (sequence > size_ || at(sequence).id != id)
    return std::nullopt;
  return sequence;
}

std::uint32_t mailbox_snapshot::first_unseen() const noexcept {
  constexpr std::uint8_t seen = 1;
  for (std::size_t index = 0; index < chunks_.size(); ++index) {
    const auto& items = *chunks_[index];
    for (std::size_t at = 0; at < items.size(); ++at)
      if ((items[at].flags & seen) == 0)
        return first_[index] + static_cast<std::uint32_t>(at);
  }
  return 0;
}

std::uint64_t mailbox_snapshot::keyword_mask(std::string_view name) const noexcept {
  const auto& names = keywords();
  for (std::size_t bit = 0; bit < names.size() && bit < 64; ++bit)
    if (ascii::iequals(names[bit], name))
      return std::uint64_t{1} << bit;
  return 0;
}

snapshot_ptr mailbox_snapshot::with_appended(std::span<const message_item> items, mailbox_state state) const {
  require_ascending(items, last_uid());
  if (!state.keywords)
    state.keywords = state_.keywords;
  std::shared_ptr<mailbox_snapshot> made(new mailbox_snapshot(std::move(state)));
  made->chunks_ = chunks_;
  made->first_ = first_;
  made->size_ = size_;
  if (items.empty())
    return made;
  if (!chunks_.empty() && chunks_.back()->size() < chunk_messages) {
    auto room = std::min(items.size(), chunk_messages - chunks_.back()->size());
    auto grown = std::make_shared<chunk>();
    grown->reserve(chunks_.back()->size() + room);
    *grown = *chunks_.back();
    grown->insert(grown->end(), items.begin(), items.begin() + static_cast<std::ptrdiff_t>(room));
    made->chunks_.back() = std::move(grown);
    made->size_ += static_cast<std::uint32_t>(room);
    items = items.subspan(room);
  }
  made->push_items(items);
  return made;
}

snapshot_ptr mailbox_snapshot::with_changed(std::span<const message_item> items, mailbox_state state) const {
  require_ascending(items, uid{});
  if (!state.keywords)
    state.keywords = state_.keywords;
  std::shared_ptr<mailbox_snapshot> made(new mailbox_snapshot(std::move(state)));
  made->chunks_ = chunks_;
  made->first_ = first_;
  made->size_ = size_;
  for (std::size_t index = 0; index < chunks_.size() && !items.empty(); ++index) {
    const auto& old = *chunks_[index];
    std::shared_ptr<chunk> copy;
    for (; !items.empty() && items.front().id <= old.back().id; items = items.subspan(1)) {
      auto at = std::lower_bound(old.begin(), old.end(), items.front().id, by_uid);
      if (at->id != items.front().id)
        continue;
      if (!copy)
        copy = std::make_shared<chunk>(old);
      (*copy)[static_cast<std::size_t>(at - old.begin())] = items.front();
    }
    if (copy)
      made->chunks_[index] = std::move(copy);
  }
  return made;
}

snapshot_ptr mailbox_snapshot::with_removed(std::span<const uid> ids, mailbox_state state) const {
  if (!std::is_sorted(ids.begin(), ids.end()))
    throw std::logic_error("mailbox_snapshot: UIDs not ascending");
  if (!state.keywords)
    state.keywords = state_.keywords;
  std::shared_ptr<mailbox_snapshot> made(new mailbox_snapshot(std::move(state)));
  for (const auto& old : chunks_) {
    while (!ids.empty() && ids.front() < old->front().id)
      ids = ids.subspan(1);
    if (ids.empty() || ids.front() > old->back().id) {
      made->push_chunk(old);
      continue;
    }
    chunk kept;
    kept.reserve(old->size());
    for (const auto& item : *old) {
      while (!ids.empty() && ids.front() < item.id)
        ids = ids.subspan(1);
      if (ids.empty() || ids.front() != item.id)
        kept.push_back(item);
    }
    if (!made->chunks_.empty() && made->chunks_.back()->size() + kept.size() <= merged_chunk) {
      kept.insert(kept.begin(), made->chunks_.back()->begin(), made->chunks_.back()->end());
      made->pop_chunk();
    }
    if (!kept.empty())
      made->push_chunk(std::make_shared<const chunk>(std::move(kept)));
  }
  return made;
}

} // namespace merpati::imap
