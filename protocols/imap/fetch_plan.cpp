#include "protocols/imap/fetch_plan.hpp"

#include <algorithm>

#include "protocols/imap/response_writer.hpp"
#include "protocols/mime/header_selection.hpp"
#include "protocols/mime/preview.hpp"

namespace merpati::imap {
namespace {

namespace attribute = fetch_attribute;

bool needs_part_map(const body_item& item) {
  return item.name == body_item::form::preview || !item.section.part.empty()
         || item.section.what != body_section::kind::whole;
}

void write_section(const body_section& s, std::string& out) {
  for (std::size_t level = 0; level < s.part.size(); ++level) {
    if (level > 0)
      out += '.';
    write_number(s.part[level], out);
  }
  constexpr std::string_view names[] = {"", "HEADER", "HEADER.FIELDS", "HEADER.FIELDS.NOT", "TEXT", "MIME"};
  auto name = names[static_cast<std::size_t>(s.what)];
  if (!name.empty() && !s.part.empty())
    out += '.';
  out += name;
  if (s.what != body_section::kind::header_fields && s.what != body_section::kind::header_fields_not)
    return;
  out += " (";
  for (std::size_t i = 0; i < s.fields.size(); ++i) {
    if (i > 0)
      out += ' ';
    write_astring(s.fields[i], false, out);
  }
  out += ')';
}

/// The name of the item in the response, which repeats the section and the offset (RFC 9051 7.5.2).
std::string label_of(const body_item& item) {
  using form = body_item::form;
  switch (item.name) {
  case form::rfc822: return "RFC822";
  case form::rfc822_header: return "RFC822.HEADER";
  case form::rfc822_text: return "RFC822.TEXT";
  case form::preview: return "PREVIEW";
  case form::body:
  case form::binary:
  case form::binary_size: break;
  }
  std::string label = item.name == form::body ? "BODY[" : item.name == form::binary ? "BINARY[" : "BINARY.SIZE[";
  write_section(item.section, label);
  label += ']';
  if (item.partial) {
    label += '<';
    write_number(item.partial->offset, label);
    label += '>';
  }
  return label;
}

mime::section_kind kind_of(body_section::kind what) {
  switch (what) {
  case body_section::kind::header:
  case body_section::kind::header_fields:
  case body_section::kind::header_fields_not: return mime::section_kind::header;
  case body_section::kind::text: return mime::section_kind::text;
  case body_section::kind::mime: return mime::section_kind::mime;
  case body_section::kind::whole: break;
  }
  return mime::section_kind::body;
}

/// `range` cut by "<offset.length>"; beyond its end nothing is left.
mime::octet_range cut(mime::octet_range range, const std::optional<partial_range>& partial) {
  if (!partial)
    return range;
  auto skip = std::min(partial->offset, range.length);
  return {range.offset + skip, std::min(partial->length, range.length - skip)};
}

std::string_view cut(std::string_view octets, const std::optional<partial_range>& partial) {
  auto range = cut(mime::octet_range{0, octets.size()}, partial);
  return octets.substr(static_cast<std::size_t>(range.offset), static_cast<std::size_t>(range.length));
}

void write_literal_mark(std::uint64_t length, std::string& out) {
  out += '{';
  write_number(length, out);
  out += "}\r\n";
}

/// Pieces with the text between them gathered into one.
class piece_list {
public:
  explicit piece_list(std::vector<fetch_piece>& out) : out_(out) {}
  std::string& text() { return text_; }
  void add(fetch_piece piece) {
    flush();
    out_.push_back(std::move(piece));
  }
  void flush() {
    if (!text_.empty())
      out_.push_back(text_piece{std::move(text_)});
    text_.clear();
  }

private:
  std::vector<fetch_piece>& out_;
  std::string text_;
};

bool is_identity(mime::transfer_encoding encoding) {
  return encoding == mime::transfer_encoding::seven_bit || encoding == mime::transfer_encoding::eight_bit
         || encoding == mime::transfer_encoding::binary;
}

/// BINARY and BINARY.SIZE of one part.
result<void> binary_pieces(const body_item& item, std::uint64_t size, const mime::summary_view* summary,
                           piece_list& out) {
  mime::part_entry part;
  part.body = {0, size};
  if (!item.section.part.empty()) {
    auto found = summary->find_part(item.section.part);
    if (!found) {
      out.text() += item.name == body_item::form::binary_size ? "0" : "NIL";
      return {};
    }
    part = *found;
    if (part.what != mime::part::kind::leaf) // encodings are for leaves only (RFC 2045 6.4)
      part.encoding = mime::transfer_encoding::binary;
  }
  if (part.encoding == mime::transfer_encoding::other)
    return fail(errc::invalid, "The part's encoding is not known");
  if (!is_identity(part.encoding)) {
    out.add(binary_piece{part.body.offset, part.body.length, part.encoding, &item});
    return {};
  }
  if (item.name == body_item::form::binary_size) {
    write_number(part.body.length, out.text());
    return {};
  }
  auto range = cut(part.body, item.partial);
  out.text() += '~'; // literal8: the octets may hold NUL
  write_literal_mark(range.length, out.text());
  if (range.length > 0)
    out.add(body_piece{range.offset, range.length});
  return {};
}

/// The first part that is text and has octets.
void preview_pieces(std::uint64_t size, const mime::summary_view& summary, piece_list& out) {
  std::optional<preview_piece> found;
  summary.for_each_part([&](const mime::part_entry& part) {
    const bool fits = part.body.offset <= size && part.body.length <= size - part.body.offset;
    if (part.what == mime::part::kind::leaf && part.text && part.body.length > 0 && fits)
      found = preview_piece{part.body.offset, part.body.length, part.encoding, std::string(part.charset)};
    return !found;
  });
  if (found)
    out.add(std::move(*found));
  else
    out.text() += "\"\""; // RFC 8970 3.1: there is nothing to show
}

void body_pieces(const body_item& item, std::uint64_t size, const mime::summary_view* summary, piece_list& out) {
  std::optional<mime::octet_range> range = mime::octet_range{0, size};
  if (needs_part_map(item))
    range = summary->section(item.section.part, kind_of(item.section.what));
  // what the summary says about the octets is believed only as far as they go
  if (range && (range->offset > size || range->length > size - range->offset))
    range.reset();
  if (!range) {
    out.text() += "NIL";
    return;
  }
  if (item.section.what == body_section::kind::header_fields
      || item.section.what == body_section::kind::header_fields_not) {
    out.add(header_piece{range->offset, range->length, &item});
    return;
  }
  auto wanted = cut(*range, item.partial);
  write_literal_mark(wanted.length, out.text());
  if (wanted.length > 0)
    out.add(body_piece{wanted.offset, wanted.length});
}

} // namespace

fetch_plan::fetch_plan(fetch_items items, bool uid, bool read_only) : items_(std::move(items)) {
  if (uid)
    items_.attributes |= attribute::uid;
  needs_summary_ = (items_.attributes & (attribute::envelope | attribute::body | attribute::body_structure)) != 0;
  needs_body_ = !items_.bodies.empty();
  for (const auto& item : items_.bodies) {
    labels_.push_back(label_of(item));
    needs_summary_ = needs_summary_ || needs_part_map(item);
    sets_seen_ = sets_seen_ || (!item.peek && !read_only);
  }
}

void fetch_plan::write_row(std::uint32_t sequence, const message_item& item, const std::vector<std::string>& keywords,
                           bool seen_now, std::string& out) const {
  auto wanted = items_.attributes | (seen_now ? attribute::flags : 0);
  out += "* ";
  write_number(sequence, out);
  out += " FETCH (";
  auto name = [&](std::uint32_t bit, std::string_view label) {
    if ((wanted & bit) == 0)
      return false;
    if (out.back() != '(')
      out += ' ';
    out += label;
    return true;
  };
  if (name(attribute::uid, "UID "))
    write_number(item.id.value, out);
  if (name(attribute::flags, "FLAGS "))
    write_flags(item.flags, item.keywords, keywords, out);
  if (name(attribute::internal_date, "INTERNALDATE "))
    write_date_time(item.internal_date, out);
  if (name(attribute::size, "RFC822.SIZE "))
    write_number(item.size_bytes, out);
  if (name(attribute::modseq, "MODSEQ (")) {
    write_number(item.changed.value, out);
    out += ')';
  }
  if (name(attribute::save_date, "SAVEDATE "))
    write_date_time(item.save_date, out);
  if (name(attribute::email_id, "EMAILID (")) {
    write_object_id('M', item.email, out);
    out += ')';
  }
  if (name(attribute::thread_id, "THREADID ")) {
    if (item.thread == 0) { // RFC 8474 5.2
      out += "NIL";
    } else {
      out += '(';
      write_object_id('T', item.thread, out);
      out += ')';
    }
  }
}

void fetch_plan::write_structures(const mime::summary_view& summary, std::string& out) const {
  auto name = [&](std::uint32_t bit, std::string_view label) {
    if ((items_.attributes & bit) == 0)
      return false;
    if (out.back() != '(')
      out += ' ';
    out += label;
    return true;
  };
  if (name(attribute::envelope, "ENVELOPE "))
    out += summary.envelope();
  if (name(attribute::body, "BODY "))
    summary.append_body(out);
  if (name(attribute::body_structure, "BODYSTRUCTURE "))
    out += summary.body_structure();
}

void fetch_plan::render_row(std::uint32_t sequence, const message_item& item, const std::vector<std::string>& keywords,
                            std::string& out, bool seen_now) const {
  write_row(sequence, item, keywords, seen_now, out);
  out += ")\r\n";
}

result<void> fetch_plan::render_summary(std::uint32_t sequence, const message_item& item,
                                        const std::vector<std::string>& keywords, const mime::summary_view* summary,
                                        std::string& out, bool seen_now) const {
  if (needs_summary_ && summary == nullptr)
    return fail(errc::corrupted, "The message's summary can't be read");
  write_row(sequence, item, keywords, seen_now, out);
  if (summary != nullptr)
    write_structures(*summary, out);
  out += ")\r\n";
  return {};
}

result<void> fetch_plan::render(std::uint32_t sequence, const message_item& item,
                                const std::vector<std::string>& keywords, const mime::summary_view* summary,
                                std::vector<fetch_piece>& out, bool seen_now) const {
  if (needs_summary_ && summary == nullptr)
    return fail(errc::corrupted, "The message's summary can't be read");
  auto before = out.size();
  piece_list pieces(out);
  write_row(sequence, item, keywords, seen_now, pieces.text());
  if (summary != nullptr)
    write_structures(*summary, pieces.text());
  bool first = pieces.text().back() == '(';
  for (std::size_t index = 0; index < items_.bodies.size(); ++index) {
    const auto& body = items_.bodies[index];
    if (!first)
      pieces.text() += ' ';
    first = false;
    pieces.text() += labels_[index];
    pieces.text() += ' ';
    if (body.name == body_item::form::preview) {
      preview_pieces(item.size_bytes, *summary, pieces);
    } else if (body.name == body_item::form::binary || body.name == body_item::form::binary_size) {
      if (auto done = binary_pieces(body, item.size_bytes, summary, pieces); !done) {
        out.resize(before);
        return done;
      }
    } else {
      body_pieces(body, item.size_bytes, summary, pieces);
    }
  }
  pieces.text() += ")\r\n";
  pieces.flush();
  return {};
}

void write_header_fields(const header_piece& piece, std::string_view header, std::string& out) {
  const auto& section = piece.item->section;
  std::vector<std::string_view> names(section.fields.begin(), section.fields.end());
  std::string chosen;
  mime::select_header(
      header, names,
      section.what == body_section::kind::header_fields ? mime::selection::only : mime::selection::except, chosen);
  auto wanted = cut(chosen, piece.item->partial);
  write_literal_mark(wanted.size(), out);
  out += wanted;
}

void write_binary(const binary_piece& piece, std::string_view decoded, std::string& out) {
  if (piece.item->name == body_item::form::binary_size)
    return write_number(decoded.size(), out);
  auto wanted = cut(decoded, piece.item->partial);
  if (wanted.find('\0') != std::string_view::npos)
    out += '~';
  write_literal_mark(wanted.size(), out);
  out += wanted;
}

void write_preview(std::string_view decoded, std::string& out) {
  write_string(mime::preview(decoded), false, out);
}

} // namespace merpati::imap
