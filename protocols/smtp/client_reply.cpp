#include "protocols/smtp/client_reply.hpp"

#include <algorithm>

#include "base/ascii.hpp"
#include "protocols/text/utf8.hpp"

namespace merpati::smtp {

namespace {

std::string presentable(std::string_view text) {
  const bool utf8 = text::is_utf8(text);
  std::string out(text);
  std::replace_if(
      out.begin(), out.end(),
      [&](char c) {
        const auto octet = static_cast<unsigned char>(c);
        return octet < 0x20 || octet == 0x7f || (octet >= 0x80 && !utf8);
      },
      '?');
  // C1 controls, which steer terminals too.
  for (std::size_t at = 0; utf8 && (at = out.find('\xc2', at)) != std::string::npos; ++at)
    if (at + 1 < out.size() && static_cast<unsigned char>(out[at + 1]) < 0xa0)
      out.replace(at, 2, "?");
  return out;
}

/// RFC 3463 2: class "." subject "." detail, and the class is that of the reply.
std::string status_of(std::string_view text, int severity) {
  const auto word = text.substr(0, text.find(' '));
  if (word.size() < 5 || word.size() > 9 || word[0] != '0' + severity || word[1] != '.')
    return {};
  const auto rest = word.substr(2);
  const auto dot = rest.find('.');
  auto number = [](std::string_view digits) {
    return !digits.empty() && digits.size() <= 3
           && std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; });
  };
  if (dot == std::string_view::npos || !number(rest.substr(0, dot)) || !number(rest.substr(dot + 1)))
    return {};
  return std::string(word);
}

} // namespace

std::string client_reply::text() const {
  auto out = std::to_string(code);
  for (const auto& line : lines) {
    if (line.empty())
      continue;
    if (out.size() + line.size() > client_reply_text_bytes)
      return out + " ...";
    (out += ' ') += line;
  }
  return out;
}

std::string client_reply::status_or_class() const {
  return status.empty() ? std::to_string(severity()) + ".0.0" : status;
}

client_reply_reader::result client_reply_reader::next() {
  for (;;) {
    const auto line = reader_.next_line(client_reply_line_bytes);
    if (line.status == text::line_status::none)
      return result::none;
    // A line feed alone is borne: nothing but the reply's own text stands behind it.
    if (line.status != text::line_status::ok && line.status != text::line_status::bare_cr_lf)
      return result::malformed;
    auto text = line.text;
    const bool digits = text.size() >= 3 && text[0] >= '2' && text[0] <= '5' && text[1] >= '0' && text[1] <= '9'
                        && text[2] >= '0' && text[2] <= '9';
    if (!digits || (text.size() > 3 && text[3] != ' ' && text[3] != '-'))
      return result::malformed;
    const int code = (text[0] - '0') * 100 + (text[1] - '0') * 10 + (text[2] - '0');
    if (!inside_)
      value_ = {};
    else if (code != value_.code) // RFC 5321 4.2.1: the same in each line
      return result::malformed;
    value_.code = code;
    if (value_.lines.size() == client_reply_lines)
      return result::malformed;
    const bool last = text.size() == 3 || text[3] == ' ';
    value_.lines.push_back(presentable(text.substr(std::min<std::size_t>(4, text.size()))));
    inside_ = !last;
    if (last) {
      value_.status = status_of(value_.lines.front(), value_.severity());
      return result::complete;
    }
  }
}

} // namespace merpati::smtp
