#include <chrono>
#include <random>

#include "protocols/imap/list_pattern.hpp"
#include "tests/support/catch2.hpp"

using namespace merpati::imap;

namespace {

/// The definition, without regard to time.
bool model(std::string_view pattern, std::string_view name) {
  if (pattern.empty())
    return name.empty();
  if (pattern.front() == '*' || pattern.front() == '%') {
    for (std::size_t taken = 0;; ++taken) {
      if (model(pattern.substr(1), name.substr(taken)))
        return true;
      if (taken == name.size() || (pattern.front() == '%' && name[taken] == '/'))
        return false;
    }
  }
  return !name.empty() && pattern.front() == name.front() && model(pattern.substr(1), name.substr(1));
}

std::vector<std::string> names(const std::vector<list_entry>& entries) {
  std::vector<std::string> all;
  for (const auto& entry : entries)
    all.push_back(entry.name + (entry.exists ? "" : "?") + (entry.child_subscribed ? "+" : ""));
  return all;
}

} // namespace

TEST_CASE("patterns match as defined") {
  std::linear_congruential_engine<std::uint32_t, 48271, 0, 2147483647> random(11);
  for (int round = 0; round < 50000; ++round) {
    std::string pattern, name;
    for (auto n = random() % 7; n > 0; --n)
      pattern += "ab/*%"[random() % 5];
    for (auto n = random() % 8; n > 0; --n)
      name += "ab/"[random() % 3];
    auto reference = pattern.substr(0, random() % (pattern.size() + 1));
    INFO(pattern << " " << name);
    CHECK(list_pattern(reference, pattern.substr(reference.size())).matches(name) == model(pattern, name));
  }
}

TEST_CASE("INBOX matches in any case, other names don't") {
  CHECK(list_pattern("", "inbox").matches("INBOX"));
  CHECK(list_pattern("", "iN*").matches("INBOX"));
  CHECK(list_pattern("", "inbox/%").matches("INBOX/a"));
  CHECK(!list_pattern("", "work").matches("WORK"));
}

TEST_CASE("long patterns") {
  std::string literal(500, 'a');
  CHECK(list_pattern("", literal).matches(literal));
  CHECK(!list_pattern("", literal).matches(literal + "a"));
  CHECK(list_pattern("", literal + "*b").matches(literal + std::string(300, 'a') + "b"));
}

TEST_CASE("hostile patterns take no longer than others") {
  std::string pattern, name(1000, 'a');
  for (int i = 0; i < 500; ++i)
    pattern += i % 2 == 0 ? "*a" : "%a";
  auto start = std::chrono::steady_clock::now();
  list_pattern compiled("", pattern);
  for (int i = 0; i < 100; ++i)
    CHECK(!compiled.matches(name + "b"));
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(5));
}

TEST_CASE("selection: the examples of RFC 5258 5") {
  // Fruit, its children and Vegetable; as in example 1 and following
  std::vector<listed_mailbox> boxes = {{"INBOX", true, true, 0},
                                       {"Fruit", true, false, 0},
                                       {"Fruit/Apple", true, false, 0},
                                       {"Fruit/Banana", true, true, 0},
                                       {"Tofu", true, false, 0},
                                       {"Vegetable", true, true, 0},
                                       {"Vegetable/Broccoli", true, true, 0},
                                       {"Vegetable/Corn", true, false, 0},
                                       {"Fruit/Peach", false, true, 0}};
  using strings = std::vector<std::string>;
  commands::list all;
  all.patterns = {"*"};
  CHECK(names(select_list(all, boxes))
        == strings{"INBOX", "Fruit", "Fruit/Apple", "Fruit/Banana", "Tofu", "Vegetable", "Vegetable/Broccoli",
                   "Vegetable/Corn"});
  all.select = list_select::subscribed;
  CHECK(names(select_list(all, boxes))
        == strings{"INBOX", "Fruit/Banana", "Fruit/Peach?", "Vegetable", "Vegetable/Broccoli"});
  commands::list top;
  top.patterns = {"%"};
  CHECK(names(select_list(top, boxes)) == strings{"INBOX", "Fruit", "Tofu", "Vegetable"});
  top.select = list_select::subscribed | list_select::recursive_match;
  CHECK(names(select_list(top, boxes)) == strings{"INBOX", "Fruit+", "Vegetable+"});
  commands::list both;
  both.select = list_select::subscribed | list_select::recursive_match;
  both.patterns = {"*"};
  // Fruit isn't subscribed and all of its children are told
  CHECK(names(select_list(both, boxes))
        == strings{"INBOX", "Fruit/Banana", "Fruit/Peach?", "Vegetable+", "Vegetable/Broccoli"});
}

TEST_CASE("parents without a mailbox are listed") {
  std::vector<listed_mailbox> boxes = {{"a/b/c", true, false, 0}};
  commands::list all;
  all.patterns = {"%"};
  CHECK(names(select_list(all, boxes)) == std::vector<std::string>{"a?"});
  all.patterns = {"*"};
  CHECK(names(select_list(all, boxes)) == std::vector<std::string>{"a?", "a/b?", "a/b/c"});
}

TEST_CASE("LSUB tells parents of subscribed names for %") {
  std::vector<listed_mailbox> boxes = {{"a/b", true, true, 0}, {"c", false, true, 0}, {"d", true, false, 0}};
  auto entries = select_lsub({"", "%"}, boxes);
  CHECK(names(entries) == std::vector<std::string>{"a?", "c?"});
  CHECK(!entries[0].selectable);
  CHECK(entries[1].selectable);
  CHECK(names(select_lsub({"", "*"}, boxes)) == std::vector<std::string>{"a/b", "c?"});
}
