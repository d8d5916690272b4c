// RFC 2047 encoded words, with the language of RFC 2231 5.
#include "base/ascii.hpp"
#include "protocols/mime/decoder.hpp"
#include "protocols/mime/fields.hpp"
#include "protocols/mime/lexer.hpp"

namespace merpati::mime {
namespace {

struct encoded_word {
  std::string_view charset;
  std::string octets;
  std::size_t length = 0; ///< of the whole in the text; 0: it is none
};

bool decode_q(std::string_view text, std::string& out) {
  std::string spaced(text);
  for (char& c : spaced)
    if (c == '_') // RFC 2047 4.2 (2)
      c = ' ';
  body_decoder decoder(transfer_encoding::quoted_printable);
  spaced += '!'; // keeps white space before it, which quoted-printable would drop at the end
  decoder.feed(spaced, out);
  decoder.finish(out);
  out.pop_back();
  return true;
}

bool decode_b(std::string_view text, std::string& out) {
  for (const char c : text)
    if (!ascii::is_alnum(c) && c != '+' && c != '/' && c != '=' && !is_white(c))
      return false;
  body_decoder decoder(transfer_encoding::base64);
  decoder.feed(text, out);
  decoder.finish(out);
  return true;
}

// `text` begins with "=?". Spaces inside are against RFC 2047 2, but are sent; question marks can't be.
encoded_word take_word(std::string_view text) {
  constexpr std::size_t longest_charset = 80;
  encoded_word word;
  const auto head = text.substr(2, longest_charset);
  const auto charset_end = head.find_first_of("? \t");
  if (charset_end == std::string_view::npos || charset_end == 0 || head[charset_end] != '?')
    return word;
  const auto encoding_at = 2 + charset_end + 1;
  if (encoding_at + 1 >= text.size() || text[encoding_at + 1] != '?')
    return word;
  const auto begin = encoding_at + 2;
  const auto end = text.find('?', begin);
  if (end == std::string_view::npos || end + 1 >= text.size() || text[end + 1] != '=')
    return word;
  word.charset = head.substr(0, charset_end);
  word.charset = word.charset.substr(0, word.charset.find('*'));
  const auto encoded = text.substr(begin, end - begin);
  const char encoding = ascii::to_lower(text[encoding_at]);
  if ((encoding == 'q' && decode_q(encoded, word.octets)) || (encoding == 'b' && decode_b(encoded, word.octets)))
    word.length = end + 2;
  return word;
}

} // namespace

std::string decode_words(std::string_view value) {
  if (value.find("=?") == std::string_view::npos)
    return to_utf8({}, value);
  std::string out;
  // Octets of encoded words next to each other go through the decoder together, since senders cut inside of characters.
  std::string_view charset;
  std::string octets;
  bool after_word = false;
  const auto flush = [&] {
    if (!octets.empty())
      out += to_utf8(charset, octets);
    octets.clear();
  };
  while (!value.empty()) {
    const auto at = value.find("=?");
    const auto before = value.substr(0, at);
    const auto word = at == std::string_view::npos ? encoded_word{} : take_word(value.substr(at));
    // RFC 2047 6.2: white space between two encoded words is not shown.
    const bool only_white = before.find_first_not_of(" \t\r\n") == std::string_view::npos;
    if (word.length > 0 && after_word && only_white) {
      if (!ascii::iequals(word.charset, charset))
        flush();
    } else {
      flush();
      out += to_utf8({}, before);
    }
    if (word.length > 0) {
      charset = word.charset;
      octets += word.octets;
      value.remove_prefix(at + word.length);
      after_word = true;
    } else if (at == std::string_view::npos) {
      break;
    } else {
      out += "=?";
      value.remove_prefix(at + 2);
      after_word = false;
    }
  }
  flush();
  return out;
}

} // namespace merpati::mime
