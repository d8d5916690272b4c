#include "protocols/smtp/message_findings.hpp"

#include <random>

#include "protocols/smtp/newline_normaliser.hpp"
#include "tests/support/catch2.hpp"

using namespace merpati;

namespace {

// The same findings and the same normalised text, one octet at a time and by rules that a reader can check.
struct reference {
  smtp::message_findings found;
  std::string normalised;

  explicit reference(const std::string& text) {
    found.size_bytes = text.size();
    std::uint64_t line = 0;
    for (std::size_t i = 0; i != text.size(); ++i) {
      const bool pair = text[i] == '\r' && i + 1 != text.size() && text[i + 1] == '\n';
      found.saw_8bit = found.saw_8bit || static_cast<unsigned char>(text[i]) > 127;
      found.saw_nul = found.saw_nul || text[i] == '\0';
      if (pair) {
        found.longest_line = std::max(found.longest_line, line);
        line = 0;
        ++i;
      } else {
        found.saw_bare_cr = found.saw_bare_cr || text[i] == '\r';
        found.saw_bare_lf = found.saw_bare_lf || text[i] == '\n';
        ++line;
      }
      const bool newline = pair || text[i] == '\r' || text[i] == '\n';
      normalised += newline ? "\r\n" : std::string(1, text[i]);
    }
  }
};

} // namespace

TEST_CASE("octets by count and newlines made whole, in pieces of any size, agree with a plain loop") {
  std::mt19937 random(1);
  for (int round = 0; round != 2'000; ++round) {
    std::string text;
    for (auto left = random() % 24; left != 0; --left)
      text += std::string_view("\r\n\r\nab.\0\xc3", 9)[random() % 9];
    const reference expected(text);
    smtp::octet_inspector inspector;
    smtp::newline_normaliser normaliser;
    std::string normalised;
    for (std::string_view left = text; !left.empty();) {
      const auto piece = left.substr(0, 1 + random() % 5);
      left.remove_prefix(piece.size());
      inspector.look_at(piece);
      normalised += normaliser.next(piece);
    }
    inspector.finish();
    normalised += normaliser.finish();
    CAPTURE(text);
    CHECK(inspector.found() == expected.found);
    CHECK(normalised == expected.normalised);
  }
}
