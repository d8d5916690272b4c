// FETCH (RFC 9051 6.4.5) with RFC 3501's RFC822 items, BINARY (RFC 3516), MODSEQ (RFC 7162), PARTIAL (RFC 9394) and the
// ids of RFC 8474.
#include "base/ascii.hpp"
#include "protocols/imap/grammar.hpp"

namespace merpati::imap::grammar {
namespace {

struct attribute_name {
  std::string_view name;
  std::uint32_t bit;
};

constexpr attribute_name attributes[] = {
    {"FLAGS", fetch_attribute::flags},
    {"UID", fetch_attribute::uid},
    {"INTERNALDATE", fetch_attribute::internal_date},
    {"RFC822.SIZE", fetch_attribute::size},
    {"ENVELOPE", fetch_attribute::envelope},
    {"BODY", fetch_attribute::body},
    {"BODYSTRUCTURE", fetch_attribute::body_structure},
    {"MODSEQ", fetch_attribute::modseq},
    {"SAVEDATE", fetch_attribute::save_date},
    {"EMAILID", fetch_attribute::email_id},
    {"THREADID", fetch_attribute::thread_id},
};

constexpr std::uint32_t macro_fast = fetch_attribute::flags | fetch_attribute::internal_date | fetch_attribute::size;
constexpr attribute_name macros[] = {
    {"FAST", macro_fast},
    {"ALL", macro_fast | fetch_attribute::envelope},
    {"FULL", macro_fast | fetch_attribute::envelope | fetch_attribute::body},
};

struct body_name {
  std::string_view name;
  body_item::form form;
  bool peek;
  bool has_section;
};

constexpr body_name body_names[] = {
    {"BODY", body_item::form::body, false, true},
    {"BODY.PEEK", body_item::form::body, true, true},
    {"BINARY", body_item::form::binary, false, true},
    {"BINARY.PEEK", body_item::form::binary, true, true},
    {"BINARY.SIZE", body_item::form::binary_size, true, true},
    {"RFC822", body_item::form::rfc822, false, false},
    {"RFC822.HEADER", body_item::form::rfc822_header, true, false},
    {"RFC822.TEXT", body_item::form::rfc822_text, false, false},
    {"PREVIEW", body_item::form::preview, true, false},
};

bool is_item_char(char c) noexcept {
  return ascii::is_alnum(c) || c == '.';
}

/// Part numbers; what follows the last '.' is left for the section's text.
void part_numbers(reader& in, body_section& s) {
  while (in.ok() && ascii::is_digit(in.peek())) {
    if (s.part.size() == in.bounds().part_depth)
      return in.fail(errc::too_many, "Part number too deep");
    s.part.push_back(in.nz_number("a part number"));
    if (!in.accept('.'))
      return;
    if (in.peek() == ']')
      in.expected("a part number or section after '.'");
  }
}

void header_list(reader& in, body_section& s) {
  in.space();
  in.expect('(');
  while (in.ok()) {
    if (s.fields.size() == in.bounds().header_fields)
      return in.fail(errc::too_many, "Too many header fields");
    s.fields.push_back(in.astring("a header field name"));
    if (in.accept(')'))
      break;
    in.space();
  }
}

void section_text(reader& in, body_section& s) {
  auto name = in.take_while(is_item_char, "HEADER, HEADER.FIELDS, TEXT or MIME");
  if (ascii::iequals(name, "HEADER")) {
    s.what = body_section::kind::header;
  } else if (ascii::iequals(name, "TEXT")) {
    s.what = body_section::kind::text;
  } else if (ascii::iequals(name, "MIME") && !s.part.empty()) {
    s.what = body_section::kind::mime;
  } else if (ascii::iequals(name, "HEADER.FIELDS")) {
    s.what = body_section::kind::header_fields;
    header_list(in, s);
  } else if (ascii::iequals(name, "HEADER.FIELDS.NOT")) {
    s.what = body_section::kind::header_fields_not;
    header_list(in, s);
  } else {
    in.expected("HEADER, HEADER.FIELDS, TEXT or MIME");
  }
}

void section(reader& in, body_item& item) {
  bool binary = item.name == body_item::form::binary || item.name == body_item::form::binary_size;
  in.expect('[');
  part_numbers(in, item.section);
  if (in.peek() != ']') {
    if (binary)
      in.expected("part numbers only"); // section-binary
    section_text(in, item.section);
  }
  in.expect(']');
  if (item.name == body_item::form::binary_size || !in.accept('<'))
    return;
  auto offset = in.number64("an offset");
  in.expect('.');
  auto length = in.number64("a length");
  in.expect('>');
  if (length == 0)
    in.expected("a length above 0");
  item.partial = partial_range{offset, length};
}

/// RFC 8970 6: what stands behind PREVIEW is its own only when it is LAZY; FETCH has modifiers too.
void preview_modifiers(reader& in) {
  if (!ascii::istarts_with(in.rest(), " (LAZY)"))
    return;
  in.space();
  in.expect('(');
  (void)in.accept_word("LAZY");
  in.expect(')');
}

void add_body(reader& in, body_item item, fetch_items& items) {
  if (!in.ok())
    return;
  if (items.bodies.size() == in.bounds().fetch_items)
    return in.fail(errc::too_many, "Too many items to fetch");
  items.bodies.push_back(std::move(item));
}

void fetch_attribute_into(reader& in, fetch_items& items) {
  auto name = in.take_while(is_item_char, "an item to fetch");
  bool with_section = in.peek() == '[';
  for (const auto& row : body_names)
    if (row.has_section == with_section && ascii::iequals(row.name, name)) {
      body_item item;
      item.name = row.form;
      item.peek = row.peek;
      if (row.form == body_item::form::rfc822_header)
        item.section.what = body_section::kind::header;
      if (row.form == body_item::form::rfc822_text)
        item.section.what = body_section::kind::text;
      if (with_section)
        section(in, item);
      if (row.form == body_item::form::preview)
        preview_modifiers(in);
      return add_body(in, std::move(item), items);
    }
  for (const auto& row : attributes)
    if (!with_section && ascii::iequals(row.name, name)) {
      items.attributes |= row.bit;
      return;
    }
  in.expected("an item such as FLAGS, ENVELOPE or BODY[]");
}

void fetch_list(reader& in, fetch_items& items) {
  if (in.accept('(')) {
    while (in.ok()) {
      fetch_attribute_into(in, items);
      if (in.accept(')'))
        break;
      in.space();
    }
    return;
  }
  for (const auto& macro : macros)
    if (in.accept_word(macro.name)) {
      items.attributes |= macro.bit;
      return;
    }
  fetch_attribute_into(in, items);
}

} // namespace

void parse(reader& in, commands::fetch& c) {
  in.space();
  c.set = in.set();
  in.space();
  fetch_list(in, c.items);
  if (c.uid)
    c.items.attributes |= fetch_attribute::uid; // RFC 9051 6.4.9
  if (!in.accept(' '))
    return;
  in.expect('(');
  while (in.ok()) {
    if (!c.changed_since && in.accept_word("CHANGEDSINCE")) {
      in.space();
      c.changed_since = in.number64("a mod-sequence");
      c.items.attributes |= fetch_attribute::modseq; // RFC 7162 3.1.4.1
    } else if (!c.vanished && c.uid && in.accept_word("VANISHED")) {
      c.vanished = true;
    } else if (!c.partial && c.uid && in.accept_word("PARTIAL")) {
      in.space();
      c.partial = in.partial_range();
    } else {
      in.expected(c.uid ? "CHANGEDSINCE, VANISHED or PARTIAL" : "CHANGEDSINCE");
    }
    if (in.accept(')'))
      break;
    in.space();
  }
  if (c.vanished && !c.changed_since)
    in.expected("CHANGEDSINCE with VANISHED"); // RFC 7162 3.2.6
}

} // namespace merpati::imap::grammar
