#include "protocols/imap/list_pattern.hpp"

#include <algorithm>
#include <map>

#include "base/ascii.hpp"

namespace merpati::imap {
namespace {

/// A mailbox, or a name that exists only because something lies below it.
struct node {
  bool exists = false;
  bool subscribed = false;
  std::uint32_t special_use = 0;
  bool has_children = false;   ///< a mailbox lies below
  bool child_selected = false; ///< one that the selection options want lies below
  bool child_left_out = false; ///< ... and the patterns don't name it
};

struct inbox_first {
  bool operator()(const std::string& a, const std::string& b) const {
    bool a_inbox = a == "INBOX", b_inbox = b == "INBOX";
    return a_inbox != b_inbox ? a_inbox : a < b;
  }
};

using tree = std::map<std::string, node, inbox_first>;

template <class F>
void for_each_parent(const std::string& name, F&& f) {
  for (auto slash = name.rfind('/'); slash != std::string::npos && slash > 0; slash = name.rfind('/', slash - 1))
    f(name.substr(0, slash));
}

tree make_tree(const std::vector<listed_mailbox>& mailboxes) {
  tree names;
  for (const auto& box : mailboxes) {
    auto& entry = names[box.name];
    entry.exists = entry.exists || box.exists;
    entry.subscribed = entry.subscribed || box.subscribed;
    entry.special_use |= box.special_use;
    for_each_parent(box.name, [&](const std::string& parent) {
      auto& above = names[parent];
      above.has_children = above.has_children || box.exists;
    });
  }
  return names;
}

/// Marks the parents of every name that `wanted` holds for.
template <class Wanted, class Named>
void mark_parents(tree& names, Wanted&& wanted, Named&& named) {
  for (auto& [name, entry] : names) {
    if (!wanted(entry))
      continue;
    bool left_out = !named(name);
    for_each_parent(name, [&](const std::string& parent) {
      auto above = names.find(parent);
      if (above == names.end())
        return;
      above->second.child_selected = true;
      above->second.child_left_out = above->second.child_left_out || left_out;
    });
  }
}

list_entry entry_of(const std::string& name, const node& n) {
  list_entry entry;
  entry.name = name;
  entry.exists = n.exists;
  entry.has_children = n.has_children;
  entry.subscribed = n.subscribed;
  entry.special_use = n.special_use;
  return entry;
}

} // namespace

list_pattern::list_pattern(std::string_view reference, std::string_view pattern) {
  std::string whole;
  // One of several wildcards side by side says it all, and without neighbours each closes in a single step.
  for (auto part : {reference, pattern})
    for (auto c : part) {
      bool wild = c == '*' || c == '%';
      if (wild && !whole.empty() && (whole.back() == '*' || whole.back() == '%')) {
        if (c == '*')
          whole.back() = '*';
      } else {
        whole += c;
      }
    }
  if (ascii::istarts_with(whole, "INBOX") && (whole.size() == 5 || whole[5] == '/'))
    whole.replace(0, 5, "INBOX");
  length_ = whole.size();
  words_ = length_ / 64 + 1;
  literal_.resize(256 * words_);
  star_.resize(words_);
  percent_.resize(words_);
  for (std::size_t at = 0; at < whole.size(); ++at) {
    auto c = static_cast<unsigned char>(whole[at]);
    auto* set = c == '*' ? star_.data() : c == '%' ? percent_.data() : literal_.data() + c * words_;
    set[at / 64] |= word{1} << at % 64;
  }
}

void list_pattern::close(std::vector<word>& states) const {
  word carry = 0;
  for (std::size_t w = 0; w < words_; ++w) {
    auto wild = states[w] & (star_[w] | percent_[w]);
    states[w] |= wild << 1 | carry;
    carry = wild >> 63;
  }
}

void list_pattern::step(std::vector<word>& states, unsigned char c, bool any_case) const {
  const auto* here = literal_.data() + c * words_;
  const auto* other = any_case ? literal_.data() + static_cast<unsigned char>(c | 0x20) * words_ : here;
  word carry = 0;
  for (std::size_t w = 0; w < words_; ++w) {
    auto moved = states[w] & (here[w] | other[w]);
    auto stay = states[w] & star_[w];
    if (c != '/')
      stay |= states[w] & percent_[w];
    states[w] = moved << 1 | carry | stay;
    carry = moved >> 63;
  }
  close(states);
}

bool list_pattern::matches(std::string_view name) const {
  std::vector<word> states(words_);
  states[0] = 1;
  close(states);
  bool any_case = name == "INBOX"; // RFC 9051 5.1
  for (auto c : name) {
    step(states, static_cast<unsigned char>(c), any_case);
    if (std::all_of(states.begin(), states.end(), [](word w) { return w == 0; }))
      return false;
  }
  return (states[length_ / 64] >> length_ % 64 & 1U) != 0;
}

std::vector<list_entry> select_list(const commands::list& what, const std::vector<listed_mailbox>& mailboxes) {
  std::vector<list_pattern> patterns;
  for (const auto& pattern : what.patterns)
    patterns.emplace_back(what.reference, pattern);
  auto named = [&](const std::string& name) {
    return std::any_of(patterns.begin(), patterns.end(), [&](const list_pattern& p) { return p.matches(name); });
  };
  bool want_subscribed = (what.select & list_select::subscribed) != 0;
  bool want_special_use = (what.select & list_select::special_use) != 0;
  bool selective = want_subscribed || want_special_use;
  auto wanted = [&](const node& n) {
    return (!want_subscribed || n.subscribed) && (!want_special_use || n.special_use != 0);
  };
  auto names = make_tree(mailboxes);
  bool recursive = selective && (what.select & list_select::recursive_match) != 0;
  if (recursive)
    mark_parents(names, wanted, named);

  std::vector<list_entry> entries;
  for (const auto& [name, n] : names) {
    bool itself = selective ? wanted(n) : n.exists || n.has_children;
    // RFC 5258 3.5: a parent is told for its children's sake only when one of those is not told itself
    if ((!itself && !(recursive && n.child_left_out)) || !named(name))
      continue;
    entries.push_back(entry_of(name, n));
    entries.back().child_subscribed = recursive && want_subscribed && n.child_selected;
  }
  return entries;
}

std::vector<list_entry> select_lsub(const commands::lsub& what, const std::vector<listed_mailbox>& mailboxes) {
  list_pattern pattern(what.reference, what.pattern);
  auto named = [&](const std::string& name) { return pattern.matches(name); };
  auto names = make_tree(mailboxes);
  auto wanted = [](const node& n) { return n.subscribed; };
  mark_parents(names, wanted, named);
  std::vector<list_entry> entries;
  for (const auto& [name, n] : names) {
    if ((!n.subscribed && !n.child_left_out) || !named(name))
      continue;
    entries.push_back(entry_of(name, n));
    entries.back().has_children.reset();
    // RFC 3501 6.3.9: a name that is only the parent of a subscribed one is told with \Noselect
    entries.back().selectable = n.subscribed;
  }
  return entries;
}

list_style style_of(const commands::list& what, bool utf8) {
  list_style style;
  style.utf8 = utf8;
  style.tell_subscribed = (what.returns & list_return::subscribed) != 0 || (what.select & list_select::subscribed) != 0;
  return style;
}

} // namespace merpati::imap
