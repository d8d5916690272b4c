#include "protocols/mime/fields.hpp"
#include "protocols/mime/imap_text.hpp"
#include "protocols/mime/summary.hpp"
#include "protocols/mime/summary_format.hpp"

namespace merpati::mime {
namespace {

// A part of the map with how many children follow it.
struct map_node {
  part_entry entry;
  std::uint64_t children = 0;
  std::uint64_t end() const noexcept { return entry.body.offset + entry.body.length; }
};

class map_reader {
public:
  map_reader(std::string_view map, std::uint64_t octets) noexcept : in_(map), octets_(octets) {}

  /// The next part; `cursor` is the end of what is before its header. Nothing at the end of the map or if it's damaged.
  std::optional<map_node> next(std::uint64_t cursor) noexcept {
    const auto flags = in_.octet();
    const auto gap = in_.number();
    const auto header = in_.number();
    const auto body = in_.number();
    if (!flags || !gap || !header || !body)
      return std::nullopt;
    map_node node;
    auto& e = node.entry;
    if ((*flags & 3) > static_cast<unsigned>(part::kind::message)
        || (*flags >> 2 & 7) > static_cast<unsigned>(transfer_encoding::other))
      return std::nullopt;
    e.what = static_cast<part::kind>(*flags & 3);
    e.encoding = static_cast<transfer_encoding>(*flags >> 2 & 7);
    e.text = (*flags & part_text) != 0;
    e.message_root = (*flags & part_message_root) != 0;
    // Each step stays inside of the message, so that no sum overflows.
    auto left = octets_ - std::min(octets_, cursor);
    for (const auto n : {*gap, *header, *body}) {
      if (n > left)
        return std::nullopt;
      left -= n;
    }
    e.header = {cursor + *gap, *header};
    e.body = {e.header.offset + *header, *body};
    if (e.what == part::kind::multipart) {
      const auto count = in_.number();
      if (!count || *count == 0)
        return std::nullopt;
      node.children = *count;
    } else if (e.what == part::kind::message) {
      node.children = 1;
    }
    if ((*flags & part_charset) != 0) {
      const auto charset = in_.string();
      if (!charset)
        return std::nullopt;
      e.charset = *charset;
    }
    return node;
  }

  /// Passes over everything inside of a part that was read.
  bool skip_inside(const map_node& node) noexcept {
    for (auto waiting = node.children; waiting > 0; --waiting) {
      const auto inner = next(0);
      if (!inner || inner->children > octets_)
        return false;
      waiting += inner->children;
    }
    return true;
  }

private:
  summary_reader in_;
  std::uint64_t octets_;
};

// Follows part numbers. What it stops at is in `node`, and the reader stands right behind it.
struct part_finder {
  map_reader reader;
  map_node node{};
  bool numbered = false; // `node` was reached by a number; else it is the root of a message

  bool start() noexcept {
    const auto root = reader.next(0);
    if (root)
      node = *root;
    return root.has_value();
  }

  bool enter_message() noexcept {
    const auto inner = reader.next(node.entry.body.offset);
    if (inner)
      node = *inner;
    numbered = false;
    return inner.has_value();
  }

  // RFC 9051 6.4.5.1: a message that is no multipart has one part, 1, its own body.
  bool go(std::uint32_t number) noexcept {
    if (number == 0)
      return false;
    if (numbered && node.entry.what == part::kind::leaf)
      return false;
    if (numbered && node.entry.what == part::kind::message && !enter_message())
      return false;
    if (node.entry.what != part::kind::multipart) {
      numbered = true;
      return number == 1;
    }
    if (number > node.children)
      return false;
    auto cursor = node.entry.body.offset;
    for (; number > 1; --number) {
      const auto sibling = reader.next(cursor);
      if (!sibling || !reader.skip_inside(*sibling))
        return false;
      cursor = sibling->end();
    }
    const auto child = reader.next(cursor);
    if (!child)
      return false;
    node = *child;
    numbered = true;
    return true;
  }
};

std::size_t envelope_index(address_field which) noexcept {
  switch (which) {
  case address_field::from: return 2;
  case address_field::to: return 5;
  case address_field::cc: return 6;
  case address_field::bcc: return 7;
  }
  return 2;
}

struct first_address {
  std::string name, local, domain;
};

std::optional<first_address> find_first_address(std::string_view envelope, address_field which) {
  imap_text_reader in(envelope);
  if (!in.take('('))
    return std::nullopt;
  for (std::size_t i = 0; i < envelope_index(which); ++i)
    if (!in.take_value() || !in.take(' '))
      return std::nullopt;
  if (!in.take('(') || !in.take('('))
    return std::nullopt;
  first_address a;
  a.name = in.take_string().value_or("");
  if (!in.take(' ') || !in.take_value() || !in.take(' '))
    return std::nullopt;
  a.local = in.take_string().value_or("");
  if (!in.take(' '))
    return std::nullopt;
  a.domain = in.take_string().value_or("");
  return a;
}

} // namespace

result<summary_view> summary_view::open(std::string_view octets) {
  const auto damaged = [] { return fail(errc::corrupted, "the summary of a message is damaged"); };
  summary_reader in(octets);
  const auto version = in.octet();
  if (!version || *version != summary_version)
    return fail(errc::corrupted, "the summary of a message is of an unknown version");
  const auto flags = in.octet();
  const auto key = in.octets(8);
  const auto size = in.number();
  const auto header = in.number();
  const auto lines = in.number();
  if (!flags || !key || !size || !header || !lines || *header > *size || *lines > *size)
    return damaged();
  summary_view view;
  view.flags_ = *flags;
  for (unsigned i = 0; i < 8; ++i)
    view.thread_key_ |= static_cast<std::uint64_t>(static_cast<std::uint8_t>((*key)[i])) << (8 * i);
  view.octets_ = *size;
  view.header_octets_ = *header;
  view.lines_ = *lines;
  if ((*flags & flag_date) != 0) {
    const auto utc = in.number();
    const auto zone = in.number();
    constexpr std::int64_t farthest = 400'000'000'000; // years below 10000 end before
    if (!utc || !zone || *zone > 2 * 1'440 || unzigzag(*utc) > farthest || unzigzag(*utc) < -farthest)
      return damaged();
    view.sent_utc_ = unzigzag(*utc);
    view.sent_zone_minutes_ = static_cast<std::int32_t>(unzigzag(*zone));
  }
  for (auto* text : {&view.envelope_, &view.structure_, &view.map_, &view.subject_, &view.from_, &view.to_, &view.cc_,
                     &view.bcc_, &view.message_id_, &view.in_reply_to_, &view.references_}) {
    const auto found = in.string();
    if (!found)
      return damaged();
    *text = *found;
  }
  if (!in.empty())
    return damaged();
  return view;
}

void summary_view::append_body(std::string& out) const {
  append_body_without_extensions(out, structure_);
}

bool summary_view::has_attachment() const noexcept {
  return (flags_ & flag_attachment) != 0;
}

bool summary_view::degraded() const noexcept {
  return (flags_ & flag_degraded) != 0;
}

std::optional<std::int64_t> summary_view::sent_utc() const noexcept {
  return (flags_ & flag_date) != 0 ? std::optional(sent_utc_) : std::nullopt;
}

std::optional<std::int64_t> summary_view::sent_day() const noexcept {
  if ((flags_ & flag_date) == 0)
    return std::nullopt;
  constexpr std::int64_t day = 86'400;
  const auto local = sent_utc_ + std::int64_t{sent_zone_minutes_} * 60;
  return (local - (local % day + day) % day) / day;
}

std::string_view summary_view::addresses(address_field which) const noexcept {
  switch (which) {
  case address_field::from: return from_;
  case address_field::to: return to_;
  case address_field::cc: return cc_;
  case address_field::bcc: return bcc_;
  }
  return {};
}

std::string summary_view::sort_mailbox(address_field which) const {
  auto a = find_first_address(envelope_, which);
  return a ? std::move(a->local) : std::string();
}

std::string summary_view::sort_display(address_field which) const {
  const auto a = find_first_address(envelope_, which);
  if (!a)
    return {};
  if (!a->name.empty())
    return decode_words(a->name);
  return to_utf8({}, a->domain.empty() ? a->local : a->local + '@' + a->domain);
}

std::optional<octet_range> summary_view::section(std::span<const std::uint32_t> numbers, section_kind kind) const {
  if (numbers.empty() && kind == section_kind::body)
    return octet_range{0, octets_};
  part_finder finder{map_reader(map_, octets_)};
  if (!finder.start() || (numbers.empty() && kind == section_kind::mime))
    return std::nullopt;
  for (const auto number : numbers)
    if (!finder.go(number))
      return std::nullopt;
  if (kind == section_kind::body)
    return finder.node.entry.body;
  if (kind == section_kind::mime)
    return finder.node.entry.header;
  if (!numbers.empty() && (finder.node.entry.what != part::kind::message || !finder.enter_message()))
    return std::nullopt;
  return kind == section_kind::header ? finder.node.entry.header : finder.node.entry.body;
}

std::optional<part_entry> summary_view::find_part(std::span<const std::uint32_t> numbers) const {
  part_finder finder{map_reader(map_, octets_)};
  if (numbers.empty() || !finder.start())
    return std::nullopt;
  for (const auto number : numbers)
    if (!finder.go(number))
      return std::nullopt;
  return finder.node.entry;
}

void summary_view::for_each_part(const std::function<bool(const part_entry&)>& each) const {
  struct level {
    std::uint64_t waiting; // children still to come
    std::uint64_t end;     // of the part itself
  };
  constexpr std::size_t deepest = 400;
  map_reader reader(map_, octets_);
  std::vector<level> open{{1, octets_}};
  std::uint64_t cursor = 0;
  while (!open.empty()) {
    if (open.back().waiting == 0) {
      cursor = open.back().end;
      open.pop_back();
      continue;
    }
    --open.back().waiting;
    const auto node = reader.next(cursor);
    if (!node || open.size() > deepest || !each(node->entry))
      return;
    open.push_back({node->children, node->end()});
    cursor = node->children > 0 ? node->entry.body.offset : node->end();
  }
}

} // namespace merpati::mime
