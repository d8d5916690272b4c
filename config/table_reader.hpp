// Reads one TOML table key by key, remembers which keys were asked for, and reports what does not fit: wrong types,
// values out of range, keys that nobody asked for.
#pragma once

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/settings.hpp"
#include "config/toml.hpp"

namespace merpati::config {

/// Collects problems of one file.
class problem_list {
public:
  explicit problem_list(std::string file) : file_(std::move(file)) {}
  void add(std::size_t line, std::string what, std::string remedy) {
    found_.push_back({file_, line, std::move(what), std::move(remedy)});
  }
  bool empty() const noexcept { return found_.empty(); }
  /// In the order of lines.
  problems take();

private:
  std::string file_;
  problems found_;
};

inline std::size_t line_of(const toml::node& node) {
  return node.source().begin.line;
}

class table_reader {
public:
  /// `name` is how messages call the table: "[tls]". `table` null: nothing is set.
  table_reader(const toml::table* table, std::string name, problem_list& report);

  std::optional<std::string> text(std::string_view key);
  std::optional<std::int64_t> integer(std::string_view key, std::int64_t least, std::int64_t most);
  std::optional<bool> boolean(std::string_view key);
  /// A list of texts, of at most 100; anything else is reported.
  std::optional<std::vector<std::string>> texts(std::string_view key);
  /// The table under `key`; null when it is absent or something else (which is reported).
  const toml::table* table(std::string_view key);
  /// The tables of [[key]]; anything else is reported.
  std::vector<const toml::table*> tables(std::string_view key);

  bool has(std::string_view key) const;
  /// Line of the value of `key`, else of the table, else 0.
  std::size_t line(std::string_view key) const;
  std::size_t line() const;

  /// Reports every key that was never asked for, with the nearest known one.
  void finish();

private:
  const toml::node* ask(std::string_view key);
  void wrong_type(std::string_view key, const toml::node& node, std::string_view wanted);

  const toml::table* table_;
  std::string name_;
  problem_list& report_;
  std::vector<std::string> known_;
};

/// The entry of `choices` that `word` is probably a misspelling of.
std::optional<std::string> nearest(std::string_view word, const std::vector<std::string>& choices);

/// `"a", "b" or "c"`
std::string enumerate(const std::vector<std::string>& words);

} // namespace merpati::config
