// The structure that mime4j's authors expect of their own messages and of the MIME-tools torture test.
#include <map>
#include <set>

#include "protocols/mime/fields.hpp"
#include "protocols/mime/parser.hpp"
#include "tests/protocols/mime/corpus.hpp"

using namespace merpati::mime;
using namespace merpati::mime::test;

namespace {

struct element {
  std::string name;
  std::string text;
  std::vector<element> children;
};

std::string unescape(std::string_view s) {
  static const std::map<std::string_view, char> entities{{"amp", '&'}, {"lt", '<'}, {"gt", '>'}, {"quot", '"'}};
  std::string out;
  for (std::size_t i = 0; i < s.size(); ++i) {
    const auto end = s[i] == '&' ? s.find(';', i) : std::string_view::npos;
    const auto found = end == std::string_view::npos ? entities.end() : entities.find(s.substr(i + 1, end - i - 1));
    if (found == entities.end()) {
      out += s[i];
    } else {
      out += found->second;
      i = end;
    }
  }
  return out;
}

// Elements without attributes, and text in the innermost ones: all that these files use.
element read_element(std::string_view& xml) {
  element e;
  xml.remove_prefix(xml.find('<') + 1);
  e.name = std::string(xml.substr(0, xml.find('>')));
  xml.remove_prefix(xml.find('>') + 1);
  const auto close = "</" + e.name + ">";
  static const std::set<std::string> leaves{"field", "body", "preamble", "epilogue"};
  if (leaves.count(e.name) > 0) {
    const auto end = xml.find(close);
    e.text = unescape(xml.substr(0, end));
    if (e.text.starts_with('\n'))
      e.text.erase(0, 1);
    xml.remove_prefix(end + close.size());
    return e;
  }
  for (;;) {
    xml.remove_prefix(xml.find('<'));
    if (xml.starts_with(close)) {
      xml.remove_prefix(close.size());
      return e;
    }
    e.children.push_back(read_element(xml));
  }
}

std::string without_cr(std::string_view s) {
  std::string out;
  for (const char c : s)
    if (c != '\r')
      out += c;
  return out;
}

const element* child(const element& e, const std::string& name) {
  for (const auto& c : e.children)
    if (c.name == name)
      return &c;
  return nullptr;
}

void compare(const element& expected, const part& p, std::string_view octets) {
  const auto header = octets.substr(p.header_begin, p.body_begin - p.header_begin);
  std::vector<std::string> fields;
  for (field_reader reader(header); const auto field = reader.next();)
    fields.push_back(std::string(field->name));
  const auto* expected_header = child(expected, "header");
  REQUIRE(expected_header != nullptr);
  REQUIRE(fields.size() == expected_header->children.size());
  for (std::size_t i = 0; i < fields.size(); ++i)
    CHECK(expected_header->children[i].text.starts_with(fields[i]));

  if (const auto* body = child(expected, "body")) {
    CHECK(p.children.empty());
    const auto text = octets.substr(p.body_begin, p.body_octets());
    const bool ascii =
        std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
    if (ascii) // others are written in several charsets
      CHECK(without_cr(text) == body->text);
  } else if (const auto* message = child(expected, "message")) {
    if (p.encoding == transfer_encoding::base64) {
      CHECK(p.opaque); // mime4j decodes it; in IMAP nothing inside could be addressed
      return;
    }
    REQUIRE(p.what == part::kind::message);
    compare(*message, p.children.front(), octets);
  } else {
    const auto* multipart = child(expected, "multipart");
    REQUIRE(multipart != nullptr);
    std::vector<const element*> parts;
    for (const auto& c : multipart->children)
      if (c.name == "body-part")
        parts.push_back(&c);
    REQUIRE(p.children.size() == parts.size());
    CHECK((p.opaque && p.readable) == parts.empty()); // a multipart without parts is shown as text
    for (std::size_t i = 0; i < parts.size(); ++i)
      compare(*parts[i], p.children[i], octets);
  }
}

} // namespace

TEST_CASE("messages have the structure that mime4j expects") {
  // Of these two a variant is expected where a header ends at the first line that is no field.
  const std::set<std::string> other_mode{"malformedHeaderStartsBody-nocrlfcrlf", "malformedHeaderStartsBody-noheader"};
  std::size_t compared = 0;
  for (const auto* folder : {"mime4j", "mime-tools"})
    for (const auto& s : corpus(folder)) {
      auto xml_path = s.path;
      xml_path.replace_extension(".xml");
      if (!std::filesystem::exists(xml_path) || other_mode.count(s.path.stem().string()) > 0)
        continue;
      INFO(s.path.filename());
      const auto xml = without_cr(read_file(xml_path));
      std::string_view rest = xml;
      compare(read_element(rest), parse(s.octets).root, s.octets);
      ++compared;
    }
  if (std::filesystem::exists(MERPATI_TEST_DATA "/mime"))
    CHECK(compared == 78);
}
