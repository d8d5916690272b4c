#include "protocols/imap/message_threads.hpp"

#include <algorithm>
#include <utility>

#include "protocols/imap/message_sort.hpp"
#include "protocols/imap/response_writer.hpp"
#include "protocols/mime/fields.hpp"

namespace merpati::imap {

namespace {

/// A reference that would make a longer chain of answers is not followed: no conversation is so deep, and to look for
/// circles costs a step for each level.
constexpr std::size_t deepest = 1'000;

template <class F>
void for_each_word(std::string_view words, F&& each) {
  while (!words.empty()) {
    const auto end = std::min(words.find(' '), words.size());
    if (end != 0)
      each(words.substr(0, end));
    words.remove_prefix(std::min(end + 1, words.size()));
  }
}

} // namespace

message_threads::index message_threads::place_of(std::string_view message_id) {
  const auto [at, is_new] = by_id_.try_emplace(std::string(message_id), static_cast<index>(nodes_.size()));
  if (is_new)
    nodes_.emplace_back();
  return at->second;
}

bool message_threads::is_above(index upper, index lower) const {
  std::size_t steps = 0;
  for (auto at = lower; at != nobody; at = nodes_[at].parent)
    if (at == upper || ++steps > deepest)
      return true;
  return false;
}

void message_threads::link(index parent, index child) {
  if (parent == child || (nodes_[child].below != 0 && is_above(child, parent)))
    return;
  nodes_[child].parent = parent;
  ++nodes_[parent].below;
}

void message_threads::unlink(index child) {
  const auto parent = std::exchange(nodes_[child].parent, nobody);
  if (parent != nobody)
    --nodes_[parent].below;
}

// Step 1 of REFERENCES; for ORDEREDSUBJECT every message is by itself.
void message_threads::add(std::uint32_t number, const message_item& item, const mime::summary_view& summary) {
  index self = nobody;
  const bool by_references = how_ == thread_algorithm::references;
  if (by_references && !summary.message_id().empty()) {
    self = place_of(summary.message_id());
    if (!nodes_[self].is_dummy()) // of two messages with one Message-ID the second has none (step 1)
      self = nobody;
  }
  if (self == nobody) {
    self = static_cast<index>(nodes_.size());
    nodes_.emplace_back();
  }
  {
    auto& n = nodes_[self];
    n.number = number;
    n.sent = sent_date(item, summary);
    auto subject = mime::parse_base_subject(summary.subject());
    n.subject = collation_key(subject.text);
    n.is_reply = subject.is_reply;
  }
  if (!by_references)
    return;
  // Step 1 (A): each reference is the parent of the next one, where nothing else is known.
  index last = nobody;
  const auto follow = [&](std::string_view id) {
    const auto place = place_of(id);
    if (last != nobody && nodes_[place].parent == nobody)
      link(last, place);
    last = place;
  };
  if (!summary.references().empty())
    for_each_word(summary.references(), follow);
  else if (!summary.in_reply_to().empty())
    follow(summary.in_reply_to().substr(0, summary.in_reply_to().find(' ')));
  // Step 1 (B): what a message says of itself counts more than what others say of it.
  if (last == nobody || last == self)
    return;
  unlink(self);
  link(last, self);
}

void message_threads::grow_down() {
  for (index i = 0; i != nodes_.size(); ++i)
    (nodes_[i].parent == nobody ? roots_ : nodes_[nodes_[i].parent].children).push_back(i);
}

// Step 3, for one set of siblings whose own children are done.
void message_threads::prune(std::vector<index>& siblings, bool at_root) {
  std::vector<index> kept;
  for (auto i : siblings) {
    auto& children = nodes_[i].children;
    if (!nodes_[i].is_dummy() || (at_root && children.size() > 1))
      kept.push_back(i);
    else
      kept.insert(kept.end(), children.begin(), children.end()); // none, or those that take its place
  }
  siblings = std::move(kept);
}

/// Below first, without recursion: how deep it goes is the senders' choice.
void message_threads::prune_all() {
  std::vector<index> order(roots_); // each before those below it
  for (std::size_t at = 0; at != order.size(); ++at)
    order.insert(order.end(), nodes_[order[at]].children.begin(), nodes_[order[at]].children.end());
  for (auto i = order.rbegin(); i != order.rend(); ++i)
    prune(nodes_[*i].children, false);
  prune(roots_, true);
}

std::int64_t message_threads::date_of(index i) const {
  return first_message(i).sent;
}

const message_threads::node& message_threads::first_message(index i) const {
  while (nodes_[i].is_dummy() && !nodes_[i].children.empty())
    i = nodes_[i].children.front();
  return nodes_[i];
}

void message_threads::sort_siblings(std::vector<index>& siblings) {
  std::stable_sort(siblings.begin(), siblings.end(), [this](index a, index b) {
    const auto& first = first_message(a);
    const auto& second = first_message(b);
    return first.sent != second.sent ? first.sent < second.sent : first.number < second.number;
  });
}

// Steps 4 and 6.
void message_threads::sort_all() {
  std::vector<index> order(roots_);
  for (std::size_t at = 0; at != order.size(); ++at)
    order.insert(order.end(), nodes_[order[at]].children.begin(), nodes_[order[at]].children.end());
  for (auto i = order.rbegin(); i != order.rend(); ++i)
    sort_siblings(nodes_[*i].children);
  sort_siblings(roots_);
}

// Step 5: threads whose first messages have one subject become one thread.
void message_threads::merge_by_subject() {
  std::unordered_map<std::string, std::size_t> table; // base subject to a place in roots_
  for (std::size_t at = 0; at != roots_.size(); ++at) {
    const auto& first = first_message(roots_[at]);
    if (first.subject.empty())
      continue;
    const auto [found, is_new] = table.try_emplace(first.subject, at);
    if (is_new)
      continue;
    const auto known = roots_[found->second];
    const bool dummy_now = nodes_[roots_[at]].is_dummy() && !nodes_[known].is_dummy();
    const bool original_now = first_message(known).is_reply && !first.is_reply && !nodes_[known].is_dummy();
    if (dummy_now || original_now)
      found->second = at;
  }
  for (std::size_t at = 0; at != roots_.size(); ++at) {
    const auto& first = first_message(roots_[at]);
    const auto found = first.subject.empty() ? table.end() : table.find(first.subject);
    if (found == table.end() || found->second == at)
      continue;
    merge(roots_[found->second], roots_[at], found->second);
    roots_[at] = nobody;
  }
  std::erase(roots_, nobody);
}

// Step 5 (C). Takes numbers, since new nodes may move the others.
void message_threads::merge(index into, index from, std::size_t root_of_into) {
  const auto adopt = [this](index parent, index child) {
    nodes_[child].parent = parent;
    nodes_[parent].children.push_back(child);
  };
  if (nodes_[into].is_dummy()) {
    if (!nodes_[from].is_dummy())
      return adopt(into, from);
    for (auto child : std::exchange(nodes_[from].children, {}))
      adopt(into, child);
    return;
  }
  if (first_message(from).is_reply && !nodes_[into].is_reply)
    return adopt(into, from);
  const auto above = static_cast<index>(nodes_.size());
  nodes_.emplace_back();
  adopt(above, into);
  adopt(above, from);
  roots_[root_of_into] = above;
}

// ORDEREDSUBJECT: the first message with a subject, and all others below it.
void message_threads::group_by_subject() {
  std::stable_sort(roots_.begin(), roots_.end(), [this](index a, index b) {
    const auto& first = nodes_[a];
    const auto& second = nodes_[b];
    return first.subject != second.subject ? first.subject < second.subject : first.sent < second.sent;
  });
  std::vector<index> threads;
  for (auto i : roots_)
    if (threads.empty() || nodes_[threads.back()].subject != nodes_[i].subject)
      threads.push_back(i);
    else
      nodes_[threads.back()].children.push_back(i);
  roots_ = std::move(threads);
  std::stable_sort(roots_.begin(), roots_.end(), [this](index a, index b) { return nodes_[a].sent < nodes_[b].sent; });
}

void message_threads::write(std::string& out) && {
  grow_down();
  if (how_ == thread_algorithm::references) {
    prune_all();
    sort_all();
    merge_by_subject();
    sort_all();
  } else {
    group_by_subject();
  }
  out += "* THREAD";
  if (!roots_.empty())
    out += ' ';
  for (auto root : roots_)
    write_thread(root, out);
  out += "\r\n";
}

// RFC 5256 5: thread-members, then nested threads where more than one go on. Without recursion.
void message_threads::write_thread(index root, std::string& out) const {
  std::vector<index> waiting{root}; // nobody: a closing parenthesis
  bool opens = true;
  while (!waiting.empty()) {
    const auto i = waiting.back();
    waiting.pop_back();
    if (i == nobody) {
      out += ')';
      opens = true;
      continue;
    }
    const auto& n = nodes_[i];
    if (opens) {
      out += '(';
      waiting.push_back(nobody);
    } else {
      out += ' ';
    }
    if (!n.is_dummy())
      write_number(n.number, out);
    opens = n.children.size() > 1;
    if (opens && !n.is_dummy())
      out += ' ';
    for (auto child = n.children.rbegin(); child != n.children.rend(); ++child)
      waiting.push_back(*child);
  }
}

} // namespace merpati::imap
