#include "protocols/smtp/data_decoder.hpp"

#include <chrono>
#include <iostream>
#include <random>

#include "protocols/text/dot_stuffing_writer.hpp"
#include "tests/support/catch2.hpp"
#include "tests/support/transcript.hpp"

using namespace merpati;
using smtp::data_decoder;

namespace {

struct decoded {
  std::string message;
  std::string rest; ///< behind the end
  bool end = false;
  data_decoder::findings found;
  bool operator==(const decoded&) const = default;
};

// The definition, octet by octet.
decoded reference(std::string_view in) {
  decoded out;
  std::size_t begin = 0;
  while (begin <= in.size()) {
    const auto end = in.find("\r\n", begin);
    const bool whole = end != std::string_view::npos;
    auto line = in.substr(begin, whole ? end - begin : end);
    if (whole && line == ".") {
      out.end = true;
      out.rest = in.substr(end + 2);
      break;
    }
    if (line.starts_with('.'))
      line.remove_prefix(1);
    out.message += line;
    out.found.saw_bare_cr |= line.find('\r') != std::string_view::npos;
    out.found.saw_bare_lf |= line.find('\n') != std::string_view::npos;
    if (!whole)
      break;
    out.message += "\r\n";
    out.found.longest_line = std::max<std::uint64_t>(out.found.longest_line, line.size());
    begin = end + 2;
  }
  out.found.size_bytes = out.message.size();
  for (char c : out.message) {
    out.found.saw_nul |= c == '\0';
    out.found.saw_8bit |= (static_cast<unsigned char>(c) & 0x80u) != 0;
  }
  return out;
}

// Cuts `in` after `lengths` of octets, again and again.
template <class NextLength>
decoded decode(std::string_view in, NextLength next_length) {
  data_decoder decoder;
  decoded out;
  while (!in.empty() && !out.end) {
    auto piece = in.substr(0, next_length());
    in.remove_prefix(piece.size());
    const auto buffer = std::make_unique<char[]>(piece.size());
    std::copy(piece.begin(), piece.end(), buffer.get());
    std::string_view left(buffer.get(), piece.size());
    while (!left.empty() && !out.end) {
      const auto got = decoder.decode(left);
      out.message += got.decoded;
      out.end = got.end;
      left.remove_prefix(got.consumed);
    }
    out.rest = left;
  }
  out.rest += in;
  out.found = decoder.found();
  return out;
}

// Ends every input, so that what is withheld (a dot, a CR) shows.
constexpr std::string_view end_of_data = "\r\n.\r\nNOOP\r\n";

} // namespace

TEST_CASE("decoder and definition agree on every short text of CR, LF, dot, letter and NUL") {
  constexpr std::string_view letters("\r\n.a\0", 5);
  for (std::size_t length = 0; length != 8; ++length) {
    std::size_t count = 1;
    for (std::size_t i = 0; i != length; ++i)
      count *= letters.size();
    for (std::size_t n = 0; n != count; ++n) {
      std::string text;
      for (std::size_t i = 0, code = n; i != length; ++i, code /= letters.size())
        text += letters[code % letters.size()];
      text += end_of_data;
      const auto expected = reference(text);
      const auto whole = decode(text, [] { return std::string_view::npos; });
      const auto single = decode(text, [] { return std::size_t{1}; });
      if (!(whole == expected) || !(single == expected)) {
        INFO(test::escape(text));
        CHECK(whole.message == expected.message);
        CHECK(single.message == expected.message);
        REQUIRE(false);
      }
    }
  }
}

TEST_CASE("decoder and definition agree on random messages cut at random") {
  std::minstd_rand random(4711);
  constexpr std::string_view letters("\r\n.ab\0\xc3 ", 8);
  for (int round = 0; round != 3000; ++round) {
    std::string text;
    const auto pieces = random() % 60;
    for (std::size_t i = 0; i != pieces; ++i) {
      switch (random() % 4) {
      case 0: text += letters[random() % letters.size()]; break;
      case 1: text += "\r\n"; break;
      case 2: text += "\r\n."; break;
      default: text += std::string(random() % 100, 'x'); break;
      }
    }
    text += end_of_data;
    INFO(test::escape(text));
    const auto got = decode(text, [&] { return 1 + random() % 70; });
    const auto expected = reference(text);
    CHECK(got.message == expected.message);
    CHECK(got.rest == expected.rest);
    REQUIRE(got == expected);
  }
}

TEST_CASE("only CRLF dot CRLF ends a message") {
  for (std::string_view cr : {"", "\r"})
    for (std::string_view lf : {"", "\n", "\r", "\n\r"})
      for (std::string_view after : {"\n", "\r", "\r\r\n", "\n\r", " \r\n", "\0\r\n"}) {
        const auto text = "x" + std::string(cr) + std::string(lf) + "." + std::string(after);
        INFO(test::escape(text));
        CHECK_FALSE(decode(text, [] { return std::string_view::npos; }).end);
      }
  CHECK(decode("x\r\n.\r\n", [] { return std::size_t{1}; }).end);
  CHECK(decode(".\r\n", [] { return std::size_t{1}; }).end);
  CHECK_FALSE(decode("x.\r\n", [] { return std::size_t{1}; }).end);
}

TEST_CASE("what the writer stuffs, the decoder gives back") {
  std::minstd_rand random(42);
  for (int round = 0; round != 2000; ++round) {
    std::string message;
    for (auto lines = random() % 10; lines != 0; --lines) {
      message += std::string(random() % 4, '.');
      message += std::string(random() % 5, 'x');
      message += "\r\n";
    }
    for (auto how : {text::bare_newlines::to_crlf, text::bare_newlines::keep}) {
      text::dot_stuffing_writer writer(how);
      std::string stuffed;
      for (std::size_t at = 0; at < message.size();) {
        const auto piece = std::string_view(message).substr(at, 1 + random() % 9);
        writer.write(piece, stuffed);
        at += piece.size();
      }
      writer.finish(stuffed);
      const auto got = decode(stuffed, [&] { return 1 + random() % 9; });
      CHECK(got.end);
      CHECK(got.rest == "");
      REQUIRE(got.message == message);
    }
  }
}

TEST_CASE("findings start anew with the next message") {
  data_decoder decoder;
  decoder.decode("\xff\0\n\r x\r\n.\r\n");
  decoder.reset();
  CHECK(decoder.found() == data_decoder::findings{});
  CHECK(decoder.decode(".\r\n").end);
}

TEST_CASE("the decoder runs at the speed of memchr", "[.][speed]") {
  std::string text;
  while (text.size() < (64u << 20u))
    text += std::string(76, 'A') + "\r\n";
  const auto begin = std::chrono::steady_clock::now();
  data_decoder decoder;
  for (std::string_view left = text; !left.empty();) {
    const auto piece = left.substr(0, 65536);
    left.remove_prefix(decoder.decode(piece).consumed);
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  const auto rate = static_cast<double>(text.size()) / took.count() / 1e9;
  std::cout << "data_decoder: " << rate << " GB/s\n";
  CHECK(rate > 1.0);
}
