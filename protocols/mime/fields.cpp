#include "protocols/mime/fields.hpp"

#include <algorithm>
#include <iterator>

#include "base/ascii.hpp"
#include "protocols/mime/lexer.hpp"

namespace merpati::mime {

std::size_t field_name_length(std::string_view line) noexcept {
  std::size_t length = 0;
  while (length < line.size() && line[length] > ' ' && line[length] < '\x7f' && line[length] != ':')
    ++length;
  auto colon = length;
  while (colon < line.size() && (line[colon] == ' ' || line[colon] == '\t'))
    ++colon;
  return colon < line.size() && line[colon] == ':' ? length : 0;
}

std::optional<raw_field> field_reader::next() noexcept {
  while (!rest_.empty() && rest_.front() != '\n' && !rest_.starts_with("\r\n")) {
    // The field goes on as long as lines begin with white space.
    std::size_t end = 0;
    do {
      const auto lf = rest_.find('\n', end);
      end = lf == std::string_view::npos ? rest_.size() : lf + 1;
    } while (end < rest_.size() && (rest_[end] == ' ' || rest_[end] == '\t'));
    const auto whole = rest_.substr(0, end);
    rest_.remove_prefix(end);
    if (const auto length = field_name_length(whole); length > 0)
      return raw_field{whole.substr(0, length), whole.substr(whole.find(':') + 1), whole};
  }
  return std::nullopt;
}

std::string unfold(std::string_view value) {
  while (!value.empty() && is_white(value.front()))
    value.remove_prefix(1);
  while (!value.empty() && is_white(value.back()))
    value.remove_suffix(1);
  std::string out;
  out.reserve(value.size());
  while (!value.empty()) {
    const auto plain = value.substr(0, char_set(std::string_view("\r\n\0", 3)).find_in(value));
    out += plain;
    value.remove_prefix(plain.size());
    if (value.empty())
      break;
    // A CR of its own is no line end but would be one to others: a space keeps the words apart.
    if (value.front() == '\r' && !value.starts_with("\r\n"))
      out += ' ';
    value.remove_prefix(1);
  }
  return out;
}

std::optional<std::string> field_value(std::string_view header, std::string_view name) {
  field_reader reader(header);
  while (auto field = reader.next())
    if (ascii::iequals(field->name, name))
      return unfold(field->value);
  return std::nullopt;
}

std::vector<std::string> parse_message_ids(std::string_view value, std::size_t max_ids) {
  std::vector<std::string_view> found;
  lexer in(value);
  while (!in.empty()) {
    if (in.peek() == '(') {
      in.take_comment(nullptr);
      continue;
    }
    if (!in.skip_if('<')) {
      in.skip();
      continue;
    }
    const auto id = in.take_until(char_set("<>"));
    in.skip_if('>');
    if (id.find_first_not_of(" \t\r\n") != std::string_view::npos)
      found.push_back(id);
  }
  if (found.size() > max_ids) // the first and the last ones stay
    found.erase(found.begin() + (max_ids > 0 ? 1 : 0),
                found.begin() + static_cast<std::ptrdiff_t>(found.size() - max_ids + (max_ids > 0 ? 1 : 0)));
  std::vector<std::string> ids(found.size());
  for (std::size_t i = 0; i < found.size(); ++i)
    std::copy_if(found[i].begin(), found[i].end(), std::back_inserter(ids[i]), [](char c) { return !is_white(c); });
  if (const auto word = ascii::trim(value);
      ids.empty() && !word.empty() && max_ids > 0 && word.find_first_of(" \t\r\n<>(),;\"") == std::string_view::npos)
    ids.emplace_back(word);
  return ids;
}

std::vector<std::string> parse_words(std::string_view value, std::size_t max_words) {
  std::vector<std::string> words;
  lexer in(value);
  for (in.skip_cfws(); !in.empty() && words.size() < max_words; in.skip_cfws()) {
    const auto word = in.take_until(char_set(" \t\r\n,;("));
    if (!word.empty())
      words.emplace_back(word);
    else if (in.peek() != '(')
      in.skip();
  }
  return words;
}

std::string parse_token(std::string_view value) {
  auto words = parse_words(value, 1);
  if (words.empty())
    return {};
  auto word = ascii::lower(words.front());
  std::erase(word, '"'); // some senders quote it
  return word;
}

} // namespace merpati::mime
