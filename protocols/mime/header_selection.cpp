#include "protocols/mime/header_selection.hpp"

#include <algorithm>

#include "base/ascii.hpp"
#include "protocols/mime/fields.hpp"

namespace merpati::mime {
namespace {

constexpr std::size_t longest_name = 998; // RFC 5322 2.1.1; a line that has no colon up to here is no field

} // namespace

header_selector::header_selector(std::span<const std::string_view> names, selection how)
    : how_(how), writing_(how == selection::except) {
  names_.reserve(names.size());
  for (const auto name : names)
    names_.push_back(ascii::lower(name));
  std::sort(names_.begin(), names_.end());
}

// `line` is the beginning of a line that is no continuation, with its colon if it has one.
void header_selector::decide(std::string_view line) {
  const auto name = ascii::lower(line.substr(0, field_name_length(line)));
  const bool named = !name.empty() && std::binary_search(names_.begin(), names_.end(), name);
  writing_ = named == (how_ == selection::only);
}

void header_selector::write(std::string_view octets, std::string& out) {
  if (!writing_ || octets.empty())
    return;
  out += octets;
  ends_with_lf_ = octets.back() == '\n';
}

void header_selector::feed(std::string_view header, std::string& out) {
  while (!header.empty() && !done_) {
    const auto lf = header.find('\n');
    const auto piece = header.substr(0, lf == std::string_view::npos ? lf : lf + 1);
    header.remove_prefix(piece.size());
    const bool complete = lf != std::string_view::npos;
    if (at_line_start_ && start_.empty() && (piece.front() == ' ' || piece.front() == '\t')) {
      write(piece, out); // goes with the line before
      at_line_start_ = complete;
      continue;
    }
    if (!at_line_start_) {
      write(piece, out);
      at_line_start_ = complete;
      continue;
    }
    if (complete && start_.empty()) {
      begin_line(piece, out);
      continue;
    }
    start_ += piece;
    if (complete || start_.find(':') != std::string::npos || start_.size() > longest_name) {
      begin_line(start_, out);
      at_line_start_ = complete;
      start_.clear();
    }
  }
}

void header_selector::begin_line(std::string_view line, std::string& out) {
  if (line == "\n" || line == "\r\n") {
    finish(out, line);
    return;
  }
  decide(line.substr(0, longest_name + 1));
  write(line, out);
}

void header_selector::finish(std::string& out) {
  if (done_)
    return;
  if (!start_.empty())
    begin_line(start_, out);
  finish(out, "\r\n");
}

void header_selector::finish(std::string& out, std::string_view blank_line) {
  if (done_)
    return;
  if (!ends_with_lf_)
    out += "\r\n";
  out += blank_line;
  done_ = true;
}

void select_header(std::string_view header, std::span<const std::string_view> names, selection how, std::string& out) {
  header_selector selector(names, how);
  selector.feed(header, out);
  selector.finish(out);
}

} // namespace merpati::mime
