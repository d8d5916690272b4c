#include "base/ascii.hpp"
#include "protocols/mime/imap_text.hpp"

namespace merpati::mime {
namespace {

// Lists inside each other: two or three for each part, and parts are at most 100 deep.
constexpr std::size_t deepest = 400;

struct literal_place {
  std::size_t begin;
  std::size_t length;
};

// "{12}\r\n" and the octets behind it.
std::optional<literal_place> find_literal(std::string_view text) noexcept {
  const auto end = text.substr(0, 24).find('}');
  if (end == std::string_view::npos || text.substr(end + 1, 2) != "\r\n")
    return std::nullopt;
  const auto length = ascii::parse_number<std::uint32_t>(text.substr(1, end - 1));
  if (!length || *length > text.size() - end - 3)
    return std::nullopt;
  return literal_place{end + 3, *length};
}

bool derive(std::string& out, imap_text_reader& in, std::size_t depth);

bool copy_values(std::string& out, imap_text_reader& in, int count) {
  for (; count > 0; --count) {
    const auto value = in.take(' ') ? in.take_value() : std::nullopt;
    if (!value)
      return false;
    out += ' ';
    out += *value;
  }
  return true;
}

bool skip_extensions(imap_text_reader& in) {
  while (in.take(' '))
    if (!in.take_value())
      return false;
  return in.take(')');
}

bool derive_leaf(std::string& out, imap_text_reader& in, std::size_t depth) {
  const auto type = in.take_value();
  const auto subtype = type && in.take(' ') ? in.take_value() : std::nullopt;
  if (!subtype)
    return false;
  out += *type;
  out += ' ';
  out += *subtype;
  if (!copy_values(out, in, 5)) // parameters, id, description, encoding, size
    return false;
  if (*type == R"("MESSAGE")" && (*subtype == R"("RFC822")" || *subtype == R"("GLOBAL")")) {
    if (!copy_values(out, in, 1) || !in.take(' '))
      return false;
    out += ' ';
    return derive(out, in, depth + 1) && copy_values(out, in, 1);
  }
  return *type != R"("TEXT")" || copy_values(out, in, 1);
}

bool derive(std::string& out, imap_text_reader& in, std::size_t depth) {
  if (depth > deepest || !in.take('('))
    return false;
  out += '(';
  if (in.at('(')) {
    while (in.at('('))
      if (!derive(out, in, depth + 1))
        return false;
    if (!copy_values(out, in, 1))
      return false;
  } else if (!derive_leaf(out, in, depth)) {
    return false;
  }
  out += ')';
  return skip_extensions(in);
}

} // namespace

bool imap_text_reader::take(char c) noexcept {
  if (!at(c))
    return false;
  rest_.remove_prefix(1);
  return true;
}

// Of a string, NIL or a number; nothing where none of them is.
std::optional<std::size_t> imap_text_reader::atom_length(std::string_view at) const noexcept {
  if (at.starts_with('"')) {
    auto end = at.find_first_of("\"\\", 1);
    while (end != std::string_view::npos && at[end] == '\\')
      end = end + 2 < at.size() ? at.find_first_of("\"\\", end + 2) : std::string_view::npos;
    return end == std::string_view::npos ? std::nullopt : std::optional(end + 1);
  }
  if (at.starts_with('{')) {
    const auto literal = find_literal(at);
    return literal ? std::optional(literal->begin + literal->length) : std::nullopt;
  }
  const auto end = std::min(at.find_first_of(" ()\"{"), at.size());
  return end == 0 ? std::nullopt : std::optional(end);
}

std::optional<std::string_view> imap_text_reader::take_value() noexcept {
  std::size_t end = 0;
  std::size_t depth = 0;
  do {
    if (end >= rest_.size())
      return std::nullopt;
    const char c = rest_[end];
    if (c == '(') {
      ++depth;
      ++end;
    } else if (depth > 0 && c == ')') {
      --depth;
      ++end;
    } else if (depth > 0 && c == ' ') {
      ++end;
    } else {
      const auto length = atom_length(rest_.substr(end));
      if (!length)
        return std::nullopt;
      end += *length;
    }
  } while (depth > 0);
  const auto value = rest_.substr(0, end);
  rest_.remove_prefix(end);
  return value;
}

std::optional<std::string> imap_text_reader::take_string() {
  const auto value = take_value();
  if (!value || value->empty())
    return std::nullopt;
  if (value->front() == '{') {
    const auto literal = find_literal(*value);
    return std::string(value->substr(literal->begin, literal->length));
  }
  if (value->front() != '"')
    return std::nullopt;
  std::string out;
  for (std::size_t i = 1; i + 1 < value->size(); ++i) {
    i += (*value)[i] == '\\' ? 1 : 0;
    out += (*value)[i];
  }
  return out;
}

bool append_body_without_extensions(std::string& out, std::string_view body_structure) {
  const auto start = out.size();
  imap_text_reader in(body_structure);
  if (derive(out, in, 0))
    return true;
  out.resize(start);
  return false;
}

} // namespace merpati::mime
