#include "protocols/mime/preview.hpp"

#include "tests/support/catch2.hpp"

using merpati::mime::preview;

TEST_CASE("a preview is the first words in one line") {
  CHECK(preview("").empty());
  CHECK(preview(" \r\n\t\r\n").empty());
  CHECK(preview("Dear Bob,\r\n\r\nthe  pigeon\tfound its way.\r\n") == "Dear Bob, the pigeon found its way.");
  CHECK(preview("> you wrote\r\n> this\r\nAnd I answer\r\n> more\r\nso") == "And I answer so");
  CHECK(preview("1 > 0 & <b> is no markup here") == "1 > 0 & <b> is no markup here");
  CHECK(preview("a\x01\x7f\xff"
                "b\0c")
        == "ab");
}

TEST_CASE("it has at most 200 characters, of whatever script") {
  CHECK(preview(std::string(1'000, 'x')).size() == 200);
  std::string umlauts;
  for (int i = 0; i != 1'000; ++i)
    umlauts += "\xC3\xBC";
  CHECK(preview(umlauts).size() == 400);
  std::string words;
  while (words.size() < 1'000)
    words += "w ";
  CHECK(preview(words).size() == 199);
}

TEST_CASE("of HTML it is what is to be read") {
  CHECK(preview("<!DOCTYPE html><html><head><title>no</title><style>p { color: red }</style></head><body>"
                "<!-- no -->\r\n<p class=\"x\">Gr&uuml;&szlig;e &amp; K&#252;sse&#x21;</p><p>next&nbsp;line</p></body>")
        == "Gr&uuml;&szlig;e & K\xC3\xBCsse! next line");
  CHECK(preview("<div>a<script>if (1 < 2) x()</script>b</div>") == "a b");
  CHECK(preview("<html><style>never closed").empty());
  CHECK(preview("<html>a <unclosed").size() == 1);
  CHECK(preview("<html>&#xD800;&#0;&;&#zz;&verylongname;x") == "&;&#zz;&verylongname;x");
}
