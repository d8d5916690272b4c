// From a part's stored octets to what they mean: transfer encodings, charsets, and finding text in the result.
// Everything is fed in pieces cut anywhere and holds a few octets only.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "protocols/mime/message.hpp"

namespace merpati::mime {

/// Undoes a transfer encoding (RFC 2045 6.7, 6.8). Damaged input is decoded as far as it makes sense: octets outside of
/// the base64 alphabet are passed over (as RFC 2045 6.8 says), a bad `=XX` stays as it is. `well_formed()` tells.
class body_decoder {
public:
  explicit body_decoder(transfer_encoding encoding) noexcept : encoding_(encoding) {}

  /// Appends the decoded octets; at most as many as came in plus three.
  void feed(std::string_view octets, std::string& out);
  void finish(std::string& out);
  /// Nothing was repaired or passed over so far. BINARY answers NO [UNKNOWN-CTE] where the encoding itself is unknown
  /// (transfer_encoding::other is passed through and never well-formed).
  bool well_formed() const noexcept { return well_formed_ && encoding_ != transfer_encoding::other; }

private:
  void feed_base64(std::string_view octets, std::string& out);
  void feed_quoted_printable(std::string_view octets, std::string& out);
  bool continue_pending(char c, std::string& out);
  void repair(std::string& out);

  transfer_encoding encoding_;
  bool well_formed_ = true;
  bool padded_ = false;
  std::uint32_t bits_ = 0;
  std::uint8_t count_ = 0;
  std::string pending_; // an escape or white space at the end of a line, not complete yet
};

/// From a charset to UTF-8. A charset that is unknown or absent is read as UTF-8 where it is valid UTF-8 and as
/// windows-1252 where it is not. Octets that mean nothing become U+FFFD. The result is always valid UTF-8.
class charset_decoder {
public:
  /// `charset` as sent, in any case.
  explicit charset_decoder(std::string_view charset);
  charset_decoder(charset_decoder&&) noexcept;
  charset_decoder& operator=(charset_decoder&&) noexcept;
  ~charset_decoder();

  void feed(std::string_view octets, std::string& out);
  void finish(std::string& out);
  /// The charset is one that we know.
  bool known() const noexcept;

private:
  struct state;
  std::unique_ptr<state> state_;
};

/// body_decoder and charset_decoder, one behind the other: a part's octets to UTF-8 text.
class text_decoder {
public:
  text_decoder(transfer_encoding encoding, std::string_view charset) : body_(encoding), charset_(charset) {}
  void feed(std::string_view octets, std::string& out);
  void finish(std::string& out);

private:
  body_decoder body_;
  charset_decoder charset_;
  std::string octets_;
};

/// Unicode's NFKC_Casefold and decomposition, character by character: texts that differ in case alone become the same.
std::string fold_case(std::string_view utf8);

/// Finds one text in another without regard to case, in all scripts: both are compared after Unicode's NFKC_Casefold
/// and decomposition, character by character (so "STRASSE" finds "straße"; in the spirit of RFC 5051).
class text_matcher {
public:
  /// `needle` in UTF-8; an empty one is found in everything. Longer than 64 KiB after folding: never found.
  explicit text_matcher(std::string_view needle);

  /// The next piece of UTF-8 text, cut anywhere. True once the needle was seen since the last reset().
  bool feed(std::string_view text);
  bool found() const noexcept { return found_; }
  /// Start of a new text: what came before doesn't count.
  void reset() noexcept;

  /// reset(), feed(text) and the answer.
  bool contains(std::string_view text);

private:
  struct folding {
    char32_t character = 0xFFFFFFFF; // none
    std::string folded;
  };
  void step(char folded) noexcept;
  void step_character(char32_t c);
  void feed_whole(std::string_view text);

  std::string needle_;                 // folded
  std::vector<std::uint32_t> borders_; // Knuth-Morris-Pratt: longest border of each prefix of the needle
  std::size_t matched_ = 0;            // octets of the needle that the text ends with
  bool never_ = false;
  bool found_ = false;
  std::string partial_;             // of a character
  std::vector<folding> cache_{256}; // of the script that the text is in, by the character's lowest octet
};

} // namespace merpati::mime
