#include "protocols/mime/preview.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "base/ascii.hpp"
#include "protocols/mime/utf8.hpp"

namespace merpati::mime {

namespace {

bool is_space(char c) noexcept {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f' || c == '\v';
}

/// Words with one space between them, up to the limit.
class line_of_words {
public:
  /// False: there is no room for more.
  bool add(std::string_view character) {
    if (count_ == preview_characters)
      return false;
    if (std::exchange(space_, false) && !out_.empty()) {
      out_ += ' ';
      if (++count_ == preview_characters)
        return false;
    }
    out_ += character;
    ++count_;
    return true;
  }
  void space() noexcept { space_ = true; }
  std::string take() && {
    while (out_.ends_with(' '))
      out_.pop_back();
    return std::move(out_);
  }

private:
  std::string out_;
  std::size_t count_ = 0;
  bool space_ = false;
};

bool looks_like_html(std::string_view text) {
  static constexpr std::string_view tags[] = {"<html", "<!doctype", "<body", "<head", "<div", "<table", "<p>", "<span"};
  const auto start = ascii::lower(text.substr(0, 1024));
  return std::any_of(std::begin(tags), std::end(tags),
                     [&](std::string_view tag) { return start.find(tag) != std::string::npos; });
}

struct entity {
  std::string_view name;
  std::string_view text;
};
constexpr std::array<entity, 7> entities = {
    {{"amp", "&"}, {"lt", "<"}, {"gt", ">"}, {"quot", "\""}, {"apos", "'"}, {"nbsp", " "}, {"zwnj", ""}}};

/// "&amp;" or "&#228;" at the front of `text`: what it stands for; its octets are taken off. Nothing: it is none.
std::optional<std::string> take_entity(std::string_view& text) {
  constexpr std::size_t longest = 12;
  const auto end = text.substr(0, longest).find(';');
  if (end == std::string_view::npos)
    return std::nullopt;
  const auto name = text.substr(1, end - 1);
  std::optional<std::string> out;
  if (name.starts_with('#')) {
    const bool hex = name.size() > 1 && (name[1] == 'x' || name[1] == 'X');
    std::uint32_t value = 0;
    for (char c : name.substr(hex ? 2 : 1)) {
      const char lower = ascii::to_lower(c);
      const int digit = ascii::is_digit(c) ? c - '0' : hex && lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
      if (digit < 0)
        return std::nullopt;
      value = value * (hex ? 16 : 10) + static_cast<std::uint32_t>(digit);
    }
    out.emplace();
    if (value >= 0x20 && value <= 0x10FFFF && (value < 0xD800 || value > 0xDFFF))
      append_utf8(*out, static_cast<char32_t>(value));
  } else {
    for (const auto& each : entities)
      if (each.name == name)
        out = std::string(each.text);
  }
  if (out)
    text.remove_prefix(end + 1);
  return out;
}

/// A tag, a comment, or all of a style or script element at the front of `text`.
void skip_markup(std::string_view& text) {
  const auto skip_behind = [&](std::string_view what, std::size_t from) {
    const auto found = std::search(text.begin() + static_cast<std::ptrdiff_t>(from), text.end(), what.begin(),
                                   what.end(), [](char a, char b) { return ascii::to_lower(a) == b; });
    text.remove_prefix(std::min(static_cast<std::size_t>(found - text.begin()) + what.size(), text.size()));
  };
  if (text.starts_with("<!--"))
    return skip_behind("-->", 4);
  for (const std::string_view element : {"style", "script", "title"})
    if (ascii::istarts_with(text.substr(1), element))
      return skip_behind("</" + std::string(element) + ">", 1);
  const auto end = text.find('>');
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
}

/// "> what somebody else wrote": all lines of it.
void skip_quoted_lines(std::string_view& text) {
  while (text.starts_with('>'))
    text.remove_prefix(std::min(text.find('\n'), text.size() - 1) + 1);
}

} // namespace

std::string preview(std::string_view text) {
  const bool html = looks_like_html(text);
  line_of_words out;
  bool line_start = true;
  while (!text.empty()) {
    if (line_start && !html)
      skip_quoted_lines(text);
    if (text.empty())
      break;
    const char c = text.front();
    line_start = c == '\n';
    if (is_space(c)) {
      out.space();
      text.remove_prefix(1);
      continue;
    }
    if (html && c == '<') {
      out.space();
      skip_markup(text);
      continue;
    }
    if (html && c == '&')
      if (const auto meant = take_entity(text)) {
        if (*meant == " ")
          out.space();
        else if (!meant->empty() && !out.add(*meant))
          break;
        continue;
      }
    const auto step = next_character(text);
    const bool good = step.what == utf8_step::kind::good && (step.length > 1 || static_cast<unsigned char>(c) >= 0x20);
    if (good && c != 0x7f && !out.add(text.substr(0, step.length)))
      break;
    text.remove_prefix(step.length);
  }
  return std::move(out).take();
}

} // namespace merpati::mime
