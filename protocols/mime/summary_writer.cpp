#include "base/crypto.hpp"
#include "protocols/mime/fields.hpp"
#include "protocols/mime/imap_text.hpp"
#include "protocols/mime/parser.hpp"
#include "protocols/mime/summary.hpp"
#include "protocols/mime/summary_format.hpp"

namespace merpati::mime {
namespace {

constexpr std::size_t longest_charset = 64; // names are shorter; more is hostile

// A part that a reader would call an attachment: named as one, or neither text nor shown as part of the text.
bool has_attachment(const part& node) {
  if (node.what == part::kind::multipart) {
    for (const auto& child : node.children)
      if (has_attachment(child))
        return true;
    return false;
  }
  if (node.disposition.type == "attachment")
    return true;
  if (node.values && node.header_begin == 0 && node.type == "text")
    return false;
  const bool named = find(node.disposition.params, "filename") != nullptr || find(node.params, "name") != nullptr;
  const bool shown_inside = node.disposition.type == "inline" || !node.id.empty();
  return node.what == part::kind::message || (named && !(shown_inside && node.type != "application"));
}

void append_part(std::string& out, const part& node, std::uint64_t& cursor) {
  const auto* charset = find(node.params, "charset");
  const bool text = node.opaque ? node.readable : node.type == "text";
  const bool with_charset = text && charset != nullptr;
  unsigned flags = static_cast<unsigned>(node.what) | static_cast<unsigned>(node.encoding) << 2;
  flags |= text ? part_text : 0u;
  flags |= with_charset ? part_charset : 0u;
  flags |= node.values ? part_message_root : 0u;
  out += static_cast<char>(flags);
  append_varint(out, node.header_begin - cursor);
  append_varint(out, node.body_begin - node.header_begin);
  append_varint(out, node.body_octets());
  if (node.what == part::kind::multipart)
    append_varint(out, node.children.size());
  if (with_charset) {
    const auto name = std::string_view(charset->value).substr(0, longest_charset);
    append_varint(out, name.size());
    out += name;
  }
  cursor = node.body_begin;
  for (const auto& child : node.children)
    append_part(out, child, cursor);
  cursor = node.body_end;
}

// As much of `text` as fits, not cut inside of a character.
std::string_view cut(std::string_view text, std::size_t most) {
  if (text.size() <= most)
    return text;
  while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xC0) == 0x80)
    --most;
  return text.substr(0, most);
}

void append_counted(std::string& out, std::string_view text) {
  append_varint(out, text.size());
  out += text;
}

void append_readable_addresses(std::string& out, const std::vector<address>& list, const limits& bounds) {
  std::string text;
  for (const auto& a : list) {
    if (a.what == address::kind::group_end || text.size() > bounds.search_octets)
      continue;
    if (!text.empty())
      text += ", ";
    const bool bare = a.local.empty() && a.domain.empty();
    if (!a.name.empty()) {
      text += decode_words(a.name);
      text += bare ? "" : " ";
    }
    if (bare)
      continue;
    text += a.name.empty() ? "" : "<";
    text += to_utf8({}, a.local);
    if (!a.domain.empty()) {
      text += '@';
      text += to_utf8({}, a.domain);
    }
    text += a.name.empty() ? "" : ">";
  }
  append_counted(out, cut(text, bounds.search_octets));
}

void append_ids(std::string& out, const std::vector<std::string>& ids, const limits& bounds) {
  std::string text;
  for (const auto& id : ids) {
    if (text.size() + id.size() > bounds.search_octets)
      break;
    if (!text.empty())
      text += ' ';
    text += id;
  }
  append_counted(out, text);
}

std::uint64_t hash_of(std::string_view id) noexcept {
  const auto key = crypto::checksum(id);
  return key == 0 ? 1 : key;
}

} // namespace

std::string summarise(const message& m, const limits& bounds) {
  const auto& v = *m.root.values;
  const auto date = v.date.empty() ? std::nullopt : parse_date(v.date);
  const auto own = parse_message_ids(v.message_id, 1);
  const auto replies = parse_message_ids(v.in_reply_to, bounds.references);
  const auto references = parse_message_ids(v.references, bounds.references);
  std::uint64_t key = 0;
  for (const auto* ids : {&references, &replies, &own})
    if (key == 0 && !ids->empty())
      key = hash_of(ids->front());

  std::string out;
  out.reserve(1'024 + v.from.size() * 2 + v.to.size() * 2);
  out += static_cast<char>(summary_version);
  unsigned flags = has_attachment(m.root) ? flag_attachment : 0u;
  flags |= m.degraded ? flag_degraded : 0u;
  flags |= date ? flag_date : 0u;
  out += static_cast<char>(flags);
  for (unsigned i = 0; i < 8; ++i)
    out += static_cast<char>(key >> (8 * i));
  append_varint(out, m.octets);
  append_varint(out, m.root.body_begin);
  append_varint(out, m.root.header_lines + m.root.body_lines);
  if (date) {
    append_varint(out, zigzag(date->utc_seconds));
    append_varint(out, zigzag(date->zone_minutes));
  }
  auto addresses = bounds.addresses;
  std::string text;
  text.reserve(512);
  const auto people = parse_envelope_addresses(v, addresses);
  append_envelope(text, v, people);
  append_counted(out, text);
  text.clear();
  append_body_structure(text, m.root, addresses);
  append_counted(out, text);
  text.clear();
  std::uint64_t cursor = 0;
  append_part(text, m.root, cursor);
  append_counted(out, text);
  append_counted(out, cut(decode_words(v.subject), bounds.search_octets));
  for (const auto* list : {&people.from, &people.to, &people.cc, &people.bcc})
    append_readable_addresses(out, *list, bounds);
  append_ids(out, own, bounds);
  append_ids(out, replies, bounds);
  append_ids(out, references, bounds);
  return out;
}

std::string summarise(std::string_view octets, const limits& bounds) {
  return summarise(parse(octets, bounds), bounds);
}

} // namespace merpati::mime
