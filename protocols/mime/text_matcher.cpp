#include <utility>

#include <unicode/unorm2.h>

#include "protocols/mime/decoder.hpp"
#include "protocols/mime/utf8.hpp"

namespace merpati::mime {
namespace {

constexpr std::size_t longest_needle = 64u << 10; // above any search that a person types; bounds the table of borders

char fold_ascii(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

// NFKC_Casefold of one character, decomposed again so that accents count the same composed and on their own.
void append_folded(char32_t c, std::string& out) {
  UErrorCode status = U_ZERO_ERROR;
  const auto* casefold = unorm2_getNFKCCasefoldInstance(&status);
  const auto* decompose = unorm2_getNFKDInstance(&status);
  UChar text[2];
  int32_t length = 0;
  U16_APPEND_UNSAFE(text, length, static_cast<UChar32>(c));
  UChar folded[64]; // the longest, U+FDFA, has 18
  UChar parts[192];
  const auto folded_length = unorm2_normalize(casefold, text, length, folded, 64, &status);
  const auto parts_length = unorm2_normalize(decompose, folded, folded_length, parts, 192, &status);
  if (U_FAILURE(status)) {
    append_utf8(out, c);
    return;
  }
  for (int32_t i = 0; i < parts_length;) {
    UChar32 part;
    U16_NEXT(parts, i, parts_length, part);
    append_utf8(out, static_cast<char32_t>(part));
  }
}

} // namespace

std::string fold_case(std::string_view utf8) {
  std::string out;
  out.reserve(utf8.size());
  while (!utf8.empty()) {
    const auto plain = ascii_prefix(utf8);
    for (std::size_t i = 0; i != plain; ++i)
      out += fold_ascii(utf8[i]);
    utf8.remove_prefix(plain);
    if (utf8.empty())
      break;
    const auto step = next_character(utf8);
    if (step.what == utf8_step::kind::good)
      append_folded(step.value, out);
    else
      out += replacement_character;
    utf8.remove_prefix(step.length);
  }
  return out;
}

text_matcher::text_matcher(std::string_view needle) {
  while (!needle.empty() && needle_.size() <= longest_needle) {
    const auto step = next_character(needle);
    if (step.what == utf8_step::kind::good)
      append_folded(step.value, needle_);
    else
      needle_ += replacement_character;
    needle.remove_prefix(step.length);
  }
  never_ = needle_.size() > longest_needle;
  if (never_)
    needle_.clear();
  borders_.resize(needle_.size());
  for (std::size_t i = 1, k = 0; i < needle_.size(); ++i) {
    while (k > 0 && needle_[i] != needle_[k])
      k = borders_[k - 1];
    k += needle_[i] == needle_[k] ? 1 : 0;
    borders_[i] = static_cast<std::uint32_t>(k);
  }
  reset();
}

void text_matcher::reset() noexcept {
  matched_ = 0;
  partial_.clear();
  found_ = needle_.empty() && !never_;
}

bool text_matcher::contains(std::string_view text) {
  reset();
  return feed(text);
}

inline void text_matcher::step(char folded) noexcept {
  while (matched_ > 0 && needle_[matched_] != folded)
    matched_ = borders_[matched_ - 1];
  if (needle_[matched_] == folded && ++matched_ == needle_.size()) {
    found_ = true;
    matched_ = borders_[matched_ - 1];
  }
}

void text_matcher::step_character(char32_t c) {
  auto& slot = cache_[c % cache_.size()];
  if (slot.character != c) {
    slot.character = c;
    slot.folded.clear();
    append_folded(c, slot.folded);
  }
  for (const char octet : slot.folded) {
    step(octet);
    if (found_)
      return;
  }
}

bool text_matcher::feed(std::string_view text) {
  if (never_)
    return false;
  while (!found_ && !partial_.empty() && !text.empty()) {
    partial_ += text.front();
    text.remove_prefix(1);
    const auto rest = std::exchange(partial_, {});
    feed_whole(rest);
  }
  if (!found_)
    feed_whole(text);
  return found_;
}

// Everything but an incomplete character at the end, which is kept.
void text_matcher::feed_whole(std::string_view text) {
  while (!found_ && !text.empty()) {
    const auto plain = ascii_prefix(text);
    for (std::size_t i = 0; i < plain && !found_; ++i)
      step(fold_ascii(text[i]));
    text.remove_prefix(plain);
    if (found_ || text.empty())
      return;
    const auto next = next_character(text);
    if (next.what == utf8_step::kind::incomplete) {
      partial_ = text;
      return;
    }
    step_character(next.what == utf8_step::kind::good ? next.value : U'\xFFFD');
    text.remove_prefix(next.length);
  }
}

} // namespace merpati::mime
