#include "protocols/smtp/message_header.hpp"

#include "base/ascii.hpp"
#include "protocols/mime/fields.hpp"

namespace merpati::smtp {

void header_collector::take(std::string_view& octets) {
  while (!complete_ && !octets.empty() && !is_too_big()) {
    const auto lf = octets.find('\n');
    const auto length = lf == std::string_view::npos ? octets.size() : lf + 1;
    header_ += octets.substr(0, length);
    octets.remove_prefix(length);
    if (lf == std::string_view::npos)
      return;
    const auto line = std::string_view(header_).substr(line_start_);
    complete_ = line == "\r\n" || line == "\n";
    line_start_ = header_.size();
  }
}

namespace {

void take_authors(std::string_view value, header_facts& facts) {
  facts.has_from = true;
  bool any = false;
  for (const auto& entry : mime::parse_addresses(mime::unfold(value))) {
    if (entry.what != mime::address::kind::mailbox)
      continue;
    any = true;
    mailbox author{entry.local, entry.domain};
    if (auto parsed = parse_mailbox(write_mailbox(author), {.utf8 = true}))
      facts.from.push_back(std::move(*parsed));
    else
      facts.from_is_unreadable = true;
  }
  facts.from_is_unreadable = facts.from_is_unreadable || !any;
}

} // namespace

header_facts inspect_header(std::string_view header) {
  header_facts facts;
  mime::field_reader reader(header);
  while (const auto field = reader.next()) {
    if (ascii::iequals(field->name, "Received"))
      ++facts.received;
    else if (ascii::iequals(field->name, "Delivered-To"))
      facts.delivered_to.push_back(mime::unfold(field->value));
    else if (ascii::iequals(field->name, "From"))
      take_authors(field->value, facts);
    else if (ascii::iequals(field->name, "Date"))
      facts.has_date = true;
    else if (ascii::iequals(field->name, "Message-ID"))
      facts.has_message_id = true;
    else if (ascii::iequals(field->name, "Bcc"))
      facts.has_bcc = true;
  }
  return facts;
}

std::string complete_header(std::string_view header, const header_facts& facts, const added_fields& added) {
  std::string out;
  out.reserve(header.size() + 256);
  if (!facts.has_date)
    out += "Date: " + added.date + "\r\n";
  if (!facts.has_message_id)
    out += "Message-ID: " + added.message_id + "\r\n";
  if (!facts.has_from)
    out += "From: " + added.from + "\r\n";
  if (!facts.has_bcc) {
    out += header;
    return out;
  }
  // What is no field, the empty line at the end among it, stays where it is.
  std::size_t copied = 0;
  mime::field_reader reader(header);
  while (const auto field = reader.next()) {
    if (!ascii::iequals(field->name, "Bcc"))
      continue;
    const auto begin = static_cast<std::size_t>(field->whole.data() - header.data());
    out += header.substr(copied, begin - copied);
    copied = begin + field->whole.size();
  }
  out += header.substr(copied);
  return out;
}

} // namespace merpati::smtp
