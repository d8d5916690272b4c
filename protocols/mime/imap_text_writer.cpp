#include <algorithm>

#include "base/ascii.hpp"
#include "protocols/mime/fields.hpp"
#include "protocols/mime/imap_text.hpp"

namespace merpati::mime {
namespace {

// UW imapd's successors write these words; clients know that they stand for something that is not there. NIL would
// turn the address into the beginning or the end of a group.
constexpr std::string_view missing_mailbox = "MISSING_MAILBOX";
constexpr std::string_view missing_domain = "MISSING_DOMAIN";

void append_number(std::string& out, std::uint64_t value) {
  out += std::to_string(value);
}

void append_upper(std::string& out, std::string_view value) {
  const auto start = out.size();
  append_string(out, value);
  std::transform(out.begin() + static_cast<std::ptrdiff_t>(start), out.end(),
                 out.begin() + static_cast<std::ptrdiff_t>(start), ascii::to_upper);
}

void append_address(std::string& out, const address& a) {
  out += '(';
  if (a.what == address::kind::mailbox) {
    append_nstring(out, a.name);
    out += ' ';
    append_nstring(out, a.route);
    out += ' ';
    append_string(out, a.local.empty() ? missing_mailbox : a.local);
    out += ' ';
    append_string(out, a.domain.empty() ? missing_domain : a.domain);
  } else if (a.what == address::kind::group_begin) {
    out += "NIL NIL ";
    append_string(out, a.name);
    out += " NIL";
  } else {
    out += "NIL NIL NIL NIL";
  }
  out += ')';
}

void append_addresses(std::string& out, const std::vector<address>& list) {
  if (list.empty()) {
    out += "NIL";
    return;
  }
  out += '(';
  for (const auto& a : list)
    append_address(out, a);
  out += ')';
}

void append_parameters(std::string& out, const parameters& params, bool keep_boundary = true) {
  bool any = false;
  for (const auto& p : params) {
    if (!keep_boundary && p.name == "boundary")
      continue;
    out += any ? ' ' : '(';
    any = true;
    append_upper(out, p.extended ? p.name + '*' : p.name);
    out += ' ';
    append_string(out, p.value);
  }
  out += any ? ")" : "NIL";
}

// body-fld-dsp, body-fld-lang and body-fld-loc, which leaves and multiparts share.
void append_extension_tail(std::string& out, const part& node) {
  if (node.disposition.type.empty()) {
    out += " NIL ";
  } else {
    out += " (";
    append_upper(out, node.disposition.type);
    out += ' ';
    append_parameters(out, node.disposition.params);
    out += ") ";
  }
  if (node.languages.size() > 1)
    out += '(';
  for (std::size_t i = 0; i < node.languages.size(); ++i) {
    if (i > 0)
      out += ' ';
    append_string(out, node.languages[i]);
  }
  if (node.languages.empty())
    out += "NIL";
  else if (node.languages.size() > 1)
    out += ')';
  out += ' ';
  append_nstring(out, node.location);
}

void append_leaf(std::string& out, const part& node, std::size_t& addresses) {
  const bool shown_as_text = node.opaque && node.readable;
  const bool text = shown_as_text || (!node.opaque && node.type == "text");
  out += '(';
  if (node.opaque) {
    out += shown_as_text ? R"("TEXT" "PLAIN")" : R"("APPLICATION" "OCTET-STREAM")";
  } else {
    append_upper(out, node.type);
    out += ' ';
    append_upper(out, node.subtype);
  }
  out += ' ';
  append_parameters(out, node.params, !node.opaque);
  out += ' ';
  append_nstring(out, node.id);
  out += ' ';
  append_nstring(out, node.description);
  out += ' ';
  append_upper(out, node.encoding_name.empty() ? "7BIT" : node.encoding_name);
  out += ' ';
  append_number(out, node.body_octets());
  if (node.what == part::kind::message) {
    out += ' ';
    const auto& inner = *node.children.front().values;
    append_envelope(out, inner, parse_envelope_addresses(inner, addresses));
    out += ' ';
    append_body_structure(out, node.children.front(), addresses);
  }
  if (text || node.what == part::kind::message) {
    out += ' ';
    append_number(out, node.body_lines);
  }
  out += ' ';
  append_nstring(out, node.md5);
  append_extension_tail(out, node);
  out += ')';
}

} // namespace

void append_string(std::string& out, std::string_view value) {
  const auto plain = [](char c) { return c >= ' ' && c < '\x7f' && c != '"' && c != '\\'; };
  if (std::all_of(value.begin(), value.end(), plain)) {
    out += '"';
    out += value;
    out += '"';
    return;
  }
  const auto quotable = [](char c) { return static_cast<unsigned char>(c) < 0x80 && c != '\r' && c != '\n'; };
  if (std::all_of(value.begin(), value.end(), quotable)) {
    out += '"';
    for (const char c : value) {
      if (c == '"' || c == '\\')
        out += '\\';
      if (c != '\0')
        out += c;
    }
    out += '"';
    return;
  }
  const auto nuls = static_cast<std::size_t>(std::count(value.begin(), value.end(), '\0'));
  out += '{';
  append_number(out, value.size() - nuls);
  out += "}\r\n";
  std::copy_if(value.begin(), value.end(), std::back_inserter(out), [](char c) { return c != '\0'; });
}

void append_nstring(std::string& out, std::string_view value) {
  if (value.empty())
    out += "NIL";
  else
    append_string(out, value);
}

envelope_addresses parse_envelope_addresses(const header_values& v, std::size_t& most) {
  const auto take = [&](const std::string& value) {
    auto list = value.empty() || most == 0 ? std::vector<address>{} : parse_addresses(value, most);
    most -= std::min(most, list.size());
    return list;
  };
  envelope_addresses a{take(v.from), take(v.sender), take(v.reply_to), take(v.to), take(v.cc), take(v.bcc)};
  const auto repeated = a.from.size() * ((a.sender.empty() ? 1u : 0u) + (a.reply_to.empty() ? 1u : 0u));
  most -= std::min(most, repeated);
  return a;
}

void append_envelope(std::string& out, const header_values& v, const envelope_addresses& a) {
  out += '(';
  append_nstring(out, v.date);
  out += ' ';
  append_nstring(out, v.subject);
  // RFC 9051 7.5.2: absent Sender and Reply-To are those of From.
  const auto& sender = a.sender.empty() ? a.from : a.sender;
  const auto& reply_to = a.reply_to.empty() ? a.from : a.reply_to;
  for (const auto* list : {&a.from, &sender, &reply_to, &a.to, &a.cc, &a.bcc}) {
    out += ' ';
    append_addresses(out, *list);
  }
  out += ' ';
  append_nstring(out, v.in_reply_to);
  out += ' ';
  append_nstring(out, v.message_id);
  out += ')';
}

void append_body_structure(std::string& out, const part& node, std::size_t& addresses) {
  if (node.what != part::kind::multipart) {
    append_leaf(out, node, addresses);
    return;
  }
  out += '(';
  for (const auto& child : node.children)
    append_body_structure(out, child, addresses);
  out += ' ';
  append_upper(out, node.subtype);
  out += ' ';
  append_parameters(out, node.params);
  append_extension_tail(out, node);
  out += ')';
}

} // namespace merpati::mime
