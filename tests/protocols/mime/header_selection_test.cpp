#include "protocols/mime/header_selection.hpp"

#include "tests/support/catch2.hpp"

using namespace merpati::mime;

namespace {

std::string pick(std::string_view header, std::vector<std::string_view> names, selection how) {
  std::string whole;
  select_header(header, names, how, whole);
  for (std::size_t step = 1; step <= 5; ++step) {
    std::string out;
    header_selector selector(names, how);
    for (auto rest = header; !rest.empty(); rest.remove_prefix(std::min(step, rest.size())))
      selector.feed(rest.substr(0, step), out);
    selector.finish(out);
    CHECK(out == whole);
  }
  return whole;
}

constexpr std::string_view header = "From: a\r\nTO: b,\r\n c\r\nSubject : x\r\nno field\r\n more\r\nto: d\r\n\r\n";

} // namespace

TEST_CASE("header fields by name") {
  CHECK(pick(header, {"to"}, selection::only) == "TO: b,\r\n c\r\nto: d\r\n\r\n");
  CHECK(pick(header, {"Subject", "FROM"}, selection::only) == "From: a\r\nSubject : x\r\n\r\n");
  CHECK(pick(header, {"x"}, selection::only) == "\r\n");
  CHECK(pick(header, {}, selection::only) == "\r\n");
  CHECK(pick(header, {"to"}, selection::except) == "From: a\r\nSubject : x\r\nno field\r\n more\r\n\r\n");
  CHECK(pick(header, {}, selection::except) == header);
}

TEST_CASE("headers that end oddly") {
  CHECK(pick("", {"a"}, selection::only) == "\r\n");
  CHECK(pick("a: 1", {"a"}, selection::only) == "a: 1\r\n\r\n");
  CHECK(pick("a: 1\n\n", {"a"}, selection::only) == "a: 1\n\n");
  CHECK(pick("a: 1\n\nb: 2\n", {"b"}, selection::only) == "\n");
  CHECK(pick("a: 1\r\n b", {"a"}, selection::only) == "a: 1\r\n b\r\n\r\n");
  CHECK(pick("a", {"a"}, selection::except) == "a\r\n\r\n");
  CHECK(pick(" folded first\r\na: 1\r\n\r\n", {"a"}, selection::only) == "a: 1\r\n\r\n");
}

TEST_CASE("a line without end is no field") {
  std::string text(5000, 'x');
  CHECK(pick(text + ": 1\r\nb: 2\r\n\r\n", {"b", text}, selection::only) == "b: 2\r\n\r\n");
}
