#include "config/table_reader.hpp"

#include <algorithm>
#include <numeric>
#include <sstream>

namespace merpati::config {

namespace {

std::string_view type_name(const toml::node& node) {
  switch (node.type()) {
  case toml::node_type::none: return "nothing";
  case toml::node_type::table: return "a table";
  case toml::node_type::array: return "a list";
  case toml::node_type::string: return "a text";
  case toml::node_type::integer: return "a whole number";
  case toml::node_type::floating_point: return "a fraction";
  case toml::node_type::boolean: return "true or false";
  case toml::node_type::date: return "a date";
  case toml::node_type::time: return "a time";
  case toml::node_type::date_time: return "a date and time";
  }
  return "something else";
}

/// Letters inserted, left out, changed or swapped with their neighbour.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1);
  std::vector<std::size_t> last(b.size() + 1);
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(last.begin(), last.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1), last[j] + 1, row[j - 1] + 1});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = std::min(row[j], before[j - 2] + 1);
    }
    std::swap(before, last);
    std::swap(last, row);
  }
  return last.back();
}

} // namespace

problems problem_list::take() {
  std::stable_sort(found_.begin(), found_.end(), [](const problem& a, const problem& b) { return a.line < b.line; });
  return std::move(found_);
}

std::optional<std::string> nearest(std::string_view word, const std::vector<std::string>& choices) {
  constexpr std::size_t longest_compared = 64; // no key is half as long; keeps the work small for absurd input
  if (word.size() > longest_compared)
    return std::nullopt;
  const std::string* best = nullptr;
  std::size_t best_distance = 0;
  for (const auto& choice : choices) {
    auto distance = edit_distance(word, choice);
    if (!best || distance < best_distance) {
      best = &choice;
      best_distance = distance;
    }
  }
  // A third of the word may be wrong, at least one letter: "lisener" is listener, "foo" is not port.
  if (!best || best_distance > std::max<std::size_t>(1, best->size() / 3))
    return std::nullopt;
  return *best;
}

std::string enumerate(const std::vector<std::string>& words) {
  std::string out;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i != 0)
      out += i + 1 == words.size() ? " or " : ", ";
    out += '"' + words[i] + '"';
  }
  return out;
}

table_reader::table_reader(const toml::table* table, std::string name, problem_list& report)
    : table_(table), name_(std::move(name)), report_(report) {}

const toml::node* table_reader::ask(std::string_view key) {
  known_.emplace_back(key);
  return table_ ? table_->get(key) : nullptr;
}

void table_reader::wrong_type(std::string_view key, const toml::node& node, std::string_view wanted) {
  report_.add(line_of(node),
              std::string(key) + " in " + name_ + " is " + std::string(type_name(node)) + ", not "
                  + std::string(wanted),
              wanted == "a text" ? "put it in double quotes" : "write " + std::string(wanted));
}

std::optional<std::string> table_reader::text(std::string_view key) {
  const auto* node = ask(key);
  if (!node)
    return std::nullopt;
  if (auto value = node->value_exact<std::string>())
    return value;
  wrong_type(key, *node, "a text");
  return std::nullopt;
}

std::optional<std::int64_t> table_reader::integer(std::string_view key, std::int64_t least, std::int64_t most) {
  const auto* node = ask(key);
  if (!node)
    return std::nullopt;
  auto value = node->value_exact<std::int64_t>();
  if (!value) {
    wrong_type(key, *node, "a whole number");
    return std::nullopt;
  }
  if (*value < least || *value > most) {
    report_.add(line_of(*node), std::string(key) + " in " + name_ + " is " + std::to_string(*value),
                "write a number from " + std::to_string(least) + " to " + std::to_string(most));
    return std::nullopt;
  }
  return value;
}

std::optional<bool> table_reader::boolean(std::string_view key) {
  const auto* node = ask(key);
  if (!node)
    return std::nullopt;
  if (auto value = node->value_exact<bool>())
    return value;
  wrong_type(key, *node, "true or false");
  return std::nullopt;
}

std::optional<std::vector<std::string>> table_reader::texts(std::string_view key) {
  constexpr std::size_t most = 100; // lists are of a few words; one that is longer is a mistake
  const auto* node = ask(key);
  if (!node)
    return std::nullopt;
  const auto* list = node->as_array();
  if (!list || list->size() > most) {
    wrong_type(key, *node, "a short list of texts");
    return std::nullopt;
  }
  std::vector<std::string> out;
  for (const auto& entry : *list) {
    auto value = entry.value_exact<std::string>();
    if (!value) {
      wrong_type(key, entry, "a text");
      return std::nullopt;
    }
    out.push_back(std::move(*value));
  }
  return out;
}

const toml::table* table_reader::table(std::string_view key) {
  const auto* node = ask(key);
  if (!node)
    return nullptr;
  if (const auto* found = node->as_table())
    return found;
  report_.add(line_of(*node), std::string(key) + " is " + std::string(type_name(*node)) + ", not a table",
              "begin it with a line [" + std::string(key) + "]");
  return nullptr;
}

std::vector<const toml::table*> table_reader::tables(std::string_view key) {
  std::vector<const toml::table*> out;
  const auto* node = ask(key);
  if (!node)
    return out;
  const auto* list = node->as_array();
  auto remedy = "begin each with a line [[" + (name_ == "the file" ? "" : name_.substr(1, name_.size() - 2) + ".")
                + std::string(key) + "]]";
  if (!list) {
    report_.add(line_of(*node), std::string(key) + " is " + std::string(type_name(*node)) + ", not a list of tables",
                remedy);
    return out;
  }
  for (const auto& entry : *list) {
    if (const auto* found = entry.as_table())
      out.push_back(found);
    else
      report_.add(line_of(entry),
                  std::string(key) + " has an entry that is " + std::string(type_name(entry)) + ", not a table",
                  remedy);
  }
  return out;
}

bool table_reader::has(std::string_view key) const {
  return table_ && table_->contains(key);
}

std::size_t table_reader::line(std::string_view key) const {
  const auto* node = table_ ? table_->get(key) : nullptr;
  return node ? line_of(*node) : line();
}

std::size_t table_reader::line() const {
  return table_ ? line_of(*table_) : 0;
}

void table_reader::finish() {
  if (!table_)
    return;
  for (auto&& [key, value] : *table_) {
    auto word = std::string(key.str());
    if (std::find(known_.begin(), known_.end(), word) != known_.end())
      continue;
    auto meant = nearest(word, known_);
    report_.add(key.source().begin.line ? key.source().begin.line : line_of(value),
                "unknown key " + word + " in " + name_, meant ? "did you mean " + *meant + "?" : "remove it");
  }
}

} // namespace merpati::config
