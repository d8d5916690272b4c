// Content-Type and Content-Disposition: RFC 2045 5.1, RFC 2183, with the parameters of RFC 2231.
#include <algorithm>
#include <array>
#include <limits>

#include "base/ascii.hpp"
#include "protocols/mime/fields.hpp"
#include "protocols/mime/lexer.hpp"

namespace merpati::mime {
namespace {

constexpr std::size_t no_index = std::numeric_limits<std::size_t>::max();

// name*index*=value of RFC 2231, before the pieces are put together.
struct piece {
  std::string name;
  std::size_t index = no_index;
  bool extended = false;
  std::string value;
};

// A value that isn't quoted ends at a semicolon, at a comment, or where the next parameter follows without one.
std::string_view take_plain_value(lexer& in) {
  const auto all = in.rest().substr(0, in.rest().find(';'));
  std::size_t end = all.size();
  for (auto space = all.find_first_of(" \t"); space != std::string_view::npos;) {
    const auto next = all.find_first_not_of(" \t", space);
    if (next == std::string_view::npos || all[next] == '(') {
      end = space;
      break;
    }
    const auto stop = all.find_first_of(" \t=\"", next);
    if (stop != std::string_view::npos && all[stop] == '=') {
      end = space;
      break;
    }
    space = stop == std::string_view::npos ? stop : all.find_first_of(" \t", stop);
  }
  in.skip(end);
  return ascii::trim(all.substr(0, end));
}

// Splits "filename*1*" into its name, its number and whether its value is percent-encoded.
piece make_piece(std::string_view name) {
  piece p;
  const auto star = name.find('*');
  p.name = ascii::lower(name.substr(0, star));
  if (star == std::string_view::npos)
    return p;
  auto suffix = name.substr(star + 1);
  if (suffix.empty() || suffix.ends_with('*')) {
    p.extended = true;
    suffix = suffix.substr(0, suffix.find('*'));
  }
  if (!suffix.empty()) {
    const auto number = ascii::parse_number<std::uint16_t>(suffix);
    if (number)
      p.index = *number;
    else
      p.name = ascii::lower(name); // no form that RFC 2231 knows: a name like any other
  }
  return p;
}

std::vector<piece> take_pieces(lexer& in, std::size_t most) {
  std::vector<piece> pieces;
  for (std::size_t values = 0; !in.empty() && values < most;) {
    in.skip_cfws();
    if (in.skip_if(';'))
      continue;
    const auto name = in.take_until(char_set("=; \t(\""));
    in.skip_cfws();
    if (!in.skip_if('=')) {
      if (name.empty()) // a stray quoted string or whatever: never stand still
        in.take_until(char_set(";"));
      continue;
    }
    ++values;
    in.skip_cfws();
    auto p = make_piece(name);
    if (in.peek() == '"')
      p.value = in.take_quoted();
    else
      p.value = take_plain_value(in);
    if (!p.name.empty())
      pieces.push_back(std::move(p));
  }
  return pieces;
}

void append_percent_encoded(std::string& out, std::string_view octets) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  for (const char c : octets) {
    if (ascii::is_alnum(c) || c == '-' || c == '.' || c == '_') {
      out += c;
    } else {
      out += '%';
      out += digits[static_cast<unsigned char>(c) >> 4];
      out += digits[static_cast<unsigned char>(c) & 15];
    }
  }
}

// RFC 2231 3 and 4.1: the numbered pieces of one parameter, from 0 up to the first that is missing.
parameter join(std::string_view name, std::vector<const piece*>& numbered) {
  std::stable_sort(numbered.begin(), numbered.end(), [](auto* a, auto* b) { return a->index < b->index; });
  parameter out{std::string(name), {}, false};
  std::size_t next = 0;
  for (const auto* p : numbered) {
    if (p->index < next)
      continue; // given twice
    if (p->index > next)
      break;
    if (next == 0)
      out.extended = p->extended;
    if (out.extended && !p->extended)
      append_percent_encoded(out.value, p->value);
    else
      out.value += p->value;
    ++next;
  }
  return out;
}

parameters assemble(std::vector<piece>& pieces) {
  parameters out;
  for (auto& first : pieces) {
    if (find(out, first.name) != nullptr)
      continue;
    // What names its charset says more than what doesn't; of equals the first counts.
    const piece* plain = nullptr;
    const piece* extended = nullptr;
    std::vector<const piece*> numbered;
    for (const auto& p : pieces) {
      if (p.name != first.name)
        continue;
      if (p.index != no_index)
        numbered.push_back(&p);
      else if (auto& slot = p.extended ? extended : plain; slot == nullptr)
        slot = &p;
    }
    const bool complete = std::any_of(numbered.begin(), numbered.end(), [](auto* p) { return p->index == 0; });
    if (extended != nullptr)
      out.push_back({extended->name, extended->value, true});
    else if (complete)
      out.push_back(join(first.name, numbered));
    else if (plain != nullptr)
      out.push_back({plain->name, plain->value, false});
  }
  return out;
}

parameters take_parameters(lexer& in, const limits& bounds) {
  auto pieces = take_pieces(in, bounds.parameters);
  return assemble(pieces);
}

bool is_token(std::string_view s) noexcept {
  return !s.empty() && std::all_of(s.begin(), s.end(), [](char c) {
    return c > ' ' && c < '\x7f' && std::string_view("()<>@,;:\\\"/[]?=").find(c) == std::string_view::npos;
  });
}

int hex_value(char c) noexcept {
  if (ascii::is_digit(c))
    return c - '0';
  c = ascii::to_lower(c);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

} // namespace

transfer_encoding parse_encoding(std::string_view token) noexcept {
  struct entry {
    std::string_view name;
    transfer_encoding value;
  };
  constexpr std::array table{
      entry{"7bit", transfer_encoding::seven_bit}, entry{"8bit", transfer_encoding::eight_bit},
      entry{"binary", transfer_encoding::binary},  entry{"quoted-printable", transfer_encoding::quoted_printable},
      entry{"base64", transfer_encoding::base64},
  };
  for (const auto& e : table)
    if (ascii::iequals(e.name, token))
      return e.value;
  return transfer_encoding::other;
}

const parameter* find(const parameters& list, std::string_view name) noexcept {
  for (const auto& p : list)
    if (p.name == name)
      return &p;
  return nullptr;
}

std::string decoded_value(const parameter& p) {
  if (!p.extended)
    return decode_words(p.value);
  std::string_view rest = p.value;
  std::string_view charset;
  if (const auto first = rest.find('\''); first != std::string_view::npos) {
    if (const auto second = rest.find('\'', first + 1); second != std::string_view::npos) {
      charset = rest.substr(0, first);
      rest.remove_prefix(second + 1);
    }
  }
  std::string octets;
  for (std::size_t i = 0; i < rest.size(); ++i) {
    const int high = rest[i] == '%' && i + 2 < rest.size() ? hex_value(rest[i + 1]) : -1;
    const int low = high >= 0 ? hex_value(rest[i + 2]) : -1;
    if (low >= 0) {
      octets += static_cast<char>(high * 16 + low);
      i += 2;
    } else {
      octets += rest[i];
    }
  }
  return to_utf8(charset, octets);
}

content_type parse_content_type(std::string_view value, const limits& bounds) {
  lexer in(value);
  in.skip_cfws();
  const auto type = in.take_until(char_set("/; \t("));
  in.skip_cfws();
  if (!in.skip_if('/'))
    return {};
  in.skip_cfws();
  const auto subtype = in.take_until(char_set("; \t("));
  if (!is_token(type) || !is_token(subtype))
    return {};
  return {ascii::lower(type), ascii::lower(subtype), take_parameters(in, bounds)};
}

disposition parse_disposition(std::string_view value, const limits& bounds) {
  lexer in(value);
  in.skip_cfws();
  const auto type = in.take_until(char_set("; \t("));
  if (!is_token(type)) {
    // `Content-Disposition: filename=...` and the like: what it names is an attachment (RFC 2183 2.8).
    if (type.find('=') == std::string_view::npos)
      return {};
    lexer all(value);
    return {"attachment", take_parameters(all, bounds)};
  }
  return {ascii::lower(type), take_parameters(in, bounds)};
}

} // namespace merpati::mime
