#include "protocols/mime/part_builder.hpp"

#include <array>
#include <utility>

#include "base/ascii.hpp"
#include "protocols/mime/fields.hpp"

namespace merpati::mime {
namespace {

enum field : int {
  none,
  content_type_field,
  content_transfer_encoding,
  content_disposition,
  content_id,
  content_description,
  content_md5,
  content_language,
  content_location,
  first_of_message, // what follows is looked at in the header of a message only
  date = first_of_message,
  subject,
  from,
  sender,
  reply_to,
  to,
  cc,
  bcc,
  in_reply_to,
  message_id,
  references,
};

struct known_field {
  std::string_view name;
  field id;
};
constexpr std::array known_fields{
    known_field{"content-type", content_type_field},
    known_field{"content-transfer-encoding", content_transfer_encoding},
    known_field{"content-disposition", content_disposition},
    known_field{"content-id", content_id},
    known_field{"content-description", content_description},
    known_field{"content-md5", content_md5},
    known_field{"content-language", content_language},
    known_field{"content-location", content_location},
    known_field{"date", date},
    known_field{"subject", subject},
    known_field{"from", from},
    known_field{"sender", sender},
    known_field{"reply-to", reply_to},
    known_field{"to", to},
    known_field{"cc", cc},
    known_field{"bcc", bcc},
    known_field{"in-reply-to", in_reply_to},
    known_field{"message-id", message_id},
    known_field{"references", references},
};

field field_of(std::string_view name) noexcept {
  for (const auto& f : known_fields)
    if (ascii::iequals(f.name, name))
      return f.id;
  return none;
}

} // namespace

void part_builder::begin(part& node, bool is_message, const part* parent) {
  node_ = &node;
  default_message_ = parent != nullptr && parent->what == part::kind::multipart && parent->subtype == "digest";
  field_ = none;
  value_.clear();
  boundary_.clear();
  if (is_message)
    node.values = std::make_unique<header_values>();
}

void part_builder::line(std::string_view text, std::uint64_t octets) {
  const bool continues = text.front() == ' ' || text.front() == '\t';
  if (!continues)
    take_field();
  if (octets > bounds_.header_octets - used_octets_) {
    used_octets_ = bounds_.header_octets;
    whole_.degraded = true;
    return;
  }
  used_octets_ += octets;
  if (!continues) {
    const auto length = field_name_length(text);
    const int id = length == 0 ? none : field_of(text.substr(0, length));
    if (id == none || (id >= first_of_message && !node_->values))
      return;
    field_ = id;
    text.remove_prefix(text.find(':') + 1);
  }
  if (field_ == none)
    return;
  const auto room = bounds_.field_octets - std::min(bounds_.field_octets, value_.size());
  if (text.size() > room || octets > bounds_.field_octets)
    whole_.degraded = true;
  value_.append(text.substr(0, room));
}

void part_builder::take_field() {
  auto& n = *node_;
  auto* v = n.values.get();
  const int id = std::exchange(field_, none);
  if (id == none)
    return;
  value_ = unfold(value_);
  switch (id) {
  case content_type_field: take_content_type(); break;
  case content_transfer_encoding:
    if (n.encoding_name.empty()) {
      n.encoding_name = parse_token(value_).substr(0, 64);
      if (!n.encoding_name.empty())
        n.encoding = parse_encoding(n.encoding_name);
    }
    break;
  case content_disposition:
    if (n.disposition.type.empty()) {
      auto d = parse_disposition(value_, bounds_);
      if (afford(d.type.size())) {
        n.disposition.type = std::move(d.type);
        keep_parameters(d.params, n.disposition.params);
      }
    }
    break;
  case content_id: keep(n.id, false); break;
  case content_description: keep(n.description, false); break;
  case content_md5: keep(n.md5, false); break;
  case content_language:
    if (n.languages.empty() && afford(value_.size()))
      n.languages = parse_words(value_);
    break;
  case content_location: keep(n.location, false); break;
  case date: keep(v->date, false); break;
  case subject: keep(v->subject, false); break;
  case from: keep(v->from, true); break;
  case sender: keep(v->sender, false); break;
  case reply_to: keep(v->reply_to, true); break;
  case to: keep(v->to, true); break;
  case cc: keep(v->cc, true); break;
  case bcc: keep(v->bcc, true); break;
  case in_reply_to: keep(v->in_reply_to, false); break;
  case message_id: keep(v->message_id, false); break;
  case references: keep(v->references, false); break;
  default: break;
  }
  value_.clear();
}

bool part_builder::afford(std::size_t octets) noexcept {
  if (octets > bounds_.kept_octets - kept_octets_) {
    whole_.degraded = true;
    return false;
  }
  kept_octets_ += octets;
  return true;
}

void part_builder::keep(std::string& into, bool join) {
  if (value_.empty() || (!into.empty() && !join) || !afford(value_.size() + 2))
    return;
  if (into.empty()) {
    into.swap(value_);
  } else {
    into += ", ";
    into += value_;
  }
}

void part_builder::keep_parameters(parameters& from, parameters& into) {
  for (auto& p : from)
    if (afford(p.name.size() + p.value.size()))
      into.push_back(std::move(p));
}

void part_builder::take_content_type() {
  if (!node_->type.empty())
    return;
  auto parsed = parse_content_type(value_, bounds_);
  if (parsed.type.empty() || !afford(parsed.type.size() + parsed.subtype.size()))
    return;
  node_->type = std::move(parsed.type);
  node_->subtype = std::move(parsed.subtype);
  if (node_->type == "multipart")
    if (const auto* p = find(parsed.params, "boundary"); p != nullptr)
      boundary_ = p->extended ? decoded_value(*p) : p->value;
  keep_parameters(parsed.params, node_->params);
}

void part_builder::end() {
  take_field();
  auto& n = *node_;
  if (n.type.empty() && default_message_) {
    n.type = "message";
    n.subtype = "rfc822";
  } else if (n.type.empty()) {
    n.type = "text"; // RFC 2045 5.2
    n.subtype = "plain";
    n.params.push_back({"charset", "us-ascii", false});
  }
  const bool encoded = n.encoding == transfer_encoding::base64 || n.encoding == transfer_encoding::quoted_printable;
  if (n.type == "multipart") {
    const bool usable = !boundary_.empty() && boundary_.size() <= bounds_.boundary_octets;
    n.what = usable ? part::kind::multipart : part::kind::leaf;
    n.opaque = n.readable = !usable;
  } else if (n.type == "message" && (n.subtype == "rfc822" || n.subtype == "global")) {
    // RFC 2046 5.2.1 allows no encoding here; RFC 6532 3.7 does, but the inside can't be addressed as octets then.
    n.what = encoded ? part::kind::leaf : part::kind::message;
    n.opaque = encoded;
  }
}

} // namespace merpati::mime
