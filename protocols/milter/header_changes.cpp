#include "protocols/milter/header_changes.hpp"

#include <algorithm>
#include <utility>

#include "base/ascii.hpp"

namespace merpati::milter {

namespace {

using change = modification::kind;

/// A field of the block with its line ends; `name` is empty when it is none.
struct raw_field {
  std::string octets;
  std::string name;
};

std::string_view take_line(std::string_view& rest) {
  const auto end = rest.find('\n');
  const auto line = rest.substr(0, end == std::string_view::npos ? rest.size() : end + 1);
  rest.remove_prefix(line.size());
  return line;
}

std::string_view without_line_end(std::string_view line) {
  if (line.ends_with('\n'))
    line.remove_suffix(1);
  if (line.ends_with('\r'))
    line.remove_suffix(1);
  return line;
}

bool is_folded(std::string_view line) {
  return line.starts_with(' ') || line.starts_with('\t');
}

/// RFC 5322 2.2; the white space before the colon is the obsolete form of 4.5.
std::string name_of(std::string_view line) {
  const auto colon = line.find(':');
  if (colon == std::string_view::npos)
    return {};
  const auto name = ascii::trim(line.substr(0, colon));
  const bool proper = std::all_of(name.begin(), name.end(), [](char c) { return c > 32 && c < 127; });
  return proper ? std::string(name) : std::string();
}

std::vector<raw_field> split(std::string_view block) {
  std::vector<raw_field> out;
  while (!block.empty()) {
    const auto line = take_line(block);
    if (is_folded(line) && !out.empty())
      out.back().octets += line;
    else
      out.push_back({std::string(line), name_of(line)});
  }
  return out;
}

/// A field with CRLF at each line's end, and with a tab before every further line that has no white space.
raw_field make_field(const std::string& name, std::string_view value) {
  raw_field out{name + ":", name};
  bool first = true;
  while (!value.empty()) {
    auto line = std::string(without_line_end(take_line(value)));
    std::replace(line.begin(), line.end(), '\r', ' ');
    const bool blank = ascii::trim(line).empty();
    if (!first && blank)
      continue; // RFC 5322 2.1: an empty line ends the header; one of white space may be taken for it
    if (!first)
      out.octets += is_folded(line) ? "\r\n" : "\r\n\t";
    out.octets += line;
    first = false;
  }
  out.octets += "\r\n";
  return out;
}

void change_field(std::vector<raw_field>& fields, const modification& m) {
  auto left = std::max<std::uint32_t>(m.index, 1);
  for (auto at = fields.begin(); at != fields.end(); ++at) {
    if (!ascii::iequals(at->name, m.name) || --left != 0)
      continue;
    if (m.value.empty())
      fields.erase(at);
    else
      *at = make_field(m.name, m.value);
    return;
  }
  if (!m.value.empty())
    fields.push_back(make_field(m.name, m.value));
}

} // namespace

std::vector<header_field> split_header_block(std::string_view block) {
  std::vector<header_field> out;
  for (const auto& field : split(block)) {
    if (field.name.empty())
      continue;
    header_field made{field.name, {}};
    auto rest = std::string_view(field.octets).substr(field.octets.find(':') + 1);
    while (!rest.empty()) {
      made.value += without_line_end(take_line(rest));
      if (!rest.empty())
        made.value += '\n';
    }
    out.push_back(std::move(made));
  }
  return out;
}

std::string apply_header_changes(std::string_view block, std::span<const modification> changes) {
  auto fields = split(block);
  // What is added must begin a line of its own.
  if (!fields.empty() && !fields.back().octets.ends_with('\n'))
    fields.back().octets += "\r\n";
  for (const auto& m : changes) {
    if (m.what == change::add_header) {
      fields.push_back(make_field(m.name, m.value));
    } else if (m.what == change::insert_header) {
      const auto place = std::min<std::size_t>(m.index, fields.size());
      fields.insert(fields.begin() + static_cast<std::ptrdiff_t>(place), make_field(m.name, m.value));
    } else if (m.what == change::change_header) {
      change_field(fields, m);
    }
  }
  std::string out;
  for (const auto& field : fields)
    out += field.octets;
  return out;
}

} // namespace merpati::milter
