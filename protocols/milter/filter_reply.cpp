#include "protocols/milter/filter_reply.hpp"

#include <algorithm>

#include "base/ascii.hpp"
#include "protocols/milter/protocol.hpp"

namespace merpati::milter {

namespace {

using change = modification::kind;

/// The enhanced code at the front of `line`, which is shortened by it and the space behind; empty: there is none.
std::string take_enhanced(std::string_view& line) {
  const auto word = line.substr(0, line.find(' '));
  std::size_t digits = 0;
  std::size_t dots = 0;
  for (char c : word) {
    if (c == '.' && digits != 0 && dots < 2) {
      ++dots;
      digits = 0;
    } else if (!ascii::is_digit(c) || ++digits > 3) {
      return {};
    }
  }
  if (dots != 2 || digits == 0 || word[1] != '.')
    return {};
  line.remove_prefix(std::min(line.size(), word.size() + 1));
  return std::string(word);
}

/// RFC 5322 2.2: printable ASCII without the colon.
bool is_header_name(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) { return c > 32 && c < 127 && c != ':'; });
}

filter_reply of(verdict v) {
  filter_reply out;
  out.verdict = v;
  return out;
}

filter_reply of(change what, std::string_view name, std::string_view value, std::uint32_t index = 0) {
  filter_reply out;
  out.what = filter_reply::kind::modification;
  out.change = modification{what, index, std::string(name), std::string(value)};
  return out;
}

result<filter_reply> header_change(change what, std::string_view data) {
  std::uint32_t index = 0;
  if (what != change::add_header) {
    const auto number = take_number(data);
    if (!number || *number > 0x7fff'ffffu)
      return fail(errc::invalid, "a header change without a place");
    index = *number;
  }
  const auto name = take_text(data);
  const auto value = take_text(data);
  if (!is_header_name(name))
    return fail(errc::invalid, "a header change with a name that is none");
  return of(what, name, value, index);
}

result<filter_reply> address_change(change what, std::string_view data) {
  const auto address = take_text(data);
  const auto parameters = take_text(data);
  if (address.empty() || address.find_first_of("\r\n") != std::string_view::npos
      || parameters.find_first_of("\r\n") != std::string_view::npos)
    return fail(errc::invalid, "a change of the envelope without a proper address");
  return of(what, address, parameters);
}

result<filter_reply> own_reply(std::string_view data) {
  auto parsed = parse_reply_text(take_text(data));
  if (!parsed)
    return tl::unexpected<error>(std::move(parsed.error()));
  auto out = of(parsed->code < 500 ? verdict::tempfail : verdict::reject);
  out.reply = std::move(*parsed);
  return out;
}

} // namespace

result<smtp::reply> parse_reply_text(std::string_view text) {
  if (text.size() > reply_bytes)
    return fail(errc::too_big, "a reply code with more than " + std::to_string(reply_bytes) + " octets");
  const auto code_text = text.substr(0, 3);
  const auto code = ascii::parse_number<std::uint16_t>(code_text);
  // RFC 5321 4.2.1: the second digit is 0 to 5
  if (code_text.size() != 3 || !code || *code < 400 || *code > 599 || code_text[1] > '5')
    return fail(errc::invalid, "a reply code that is neither 4xx nor 5xx");
  smtp::reply out;
  out.code = *code;
  std::size_t lines = 0;
  for (bool more = true; more;) {
    auto line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (line.ends_with('\r'))
      line.remove_suffix(1);
    if (++lines > reply_lines)
      return fail(errc::too_many, "a reply code with more than " + std::to_string(reply_lines) + " lines");
    if (!line.starts_with(code_text) || (line.size() > 3 && line[3] != ' ' && line[3] != '-'))
      return fail(errc::invalid, "a reply code with a line that lacks it");
    more = line.size() > 3 && line[3] == '-' && !text.empty();
    if (!more && !text.empty())
      return fail(errc::invalid, "a reply code that goes on behind its last line");
    line.remove_prefix(std::min<std::size_t>(4, line.size()));
    const auto enhanced = take_enhanced(line);
    if (lines == 1)
      out.enhanced = enhanced;
    else
      out.text += '\n';
    for (std::size_t i = 0; i < line.size(); ++i) {
      out.text += line[i];
      if (line[i] == '%' && i + 1 < line.size() && line[i + 1] == '%')
        ++i;
    }
  }
  if (out.enhanced.empty() || out.enhanced[0] != code_text[0]) // RFC 3463 2: the class is that of the code
    out.enhanced = code_text[0] == '4' ? "4.7.1" : "5.7.1";
  return out;
}

result<filter_reply> parse_filter_reply(const packet& said) {
  const std::string_view data = said.data;
  switch (static_cast<response>(said.code)) {
  case response::proceed: return of(verdict::proceed);
  case response::accept: return of(verdict::accept);
  case response::reject: return of(verdict::reject);
  case response::tempfail: return of(verdict::tempfail);
  case response::discard: return of(verdict::discard);
  case response::skip: return of(verdict::skip);
  case response::shutdown: return of(verdict::shutdown);
  case response::reply_code: return own_reply(data);
  case response::progress:
  case response::connection_failed: {
    filter_reply out;
    out.what = static_cast<response>(said.code) == response::progress ? filter_reply::kind::progress
                                                                      : filter_reply::kind::connection_failed;
    return out;
  }
  case response::add_header: return header_change(change::add_header, data);
  case response::insert_header: return header_change(change::insert_header, data);
  case response::change_header: return header_change(change::change_header, data);
  case response::replace_body: return of(change::replace_body, {}, data);
  case response::add_recipient:
  case response::add_recipient_with_parameters: return address_change(change::add_recipient, data);
  case response::delete_recipient: return address_change(change::delete_recipient, data);
  case response::change_sender: return address_change(change::change_sender, data);
  case response::quarantine: return of(change::quarantine, {}, data.substr(0, data.find('\0')));
  case response::negotiate: break;
  }
  return fail(errc::invalid, "an unknown reply, octet " + std::to_string(static_cast<unsigned char>(said.code)));
}

} // namespace merpati::milter
