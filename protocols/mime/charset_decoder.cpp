// Charsets to UTF-8. The common ones are done here, the rest by ICU.
#include <array>

#include <unicode/ucnv.h>

#include "base/ascii.hpp"
#include "protocols/mime/decoder.hpp"
#include "protocols/mime/fields.hpp"
#include "protocols/mime/utf8.hpp"

namespace merpati::mime {
namespace {

// windows-1252 for 0x80 to 0x9F; above that it is ISO-8859-1. The five it has no character for stay C1 controls.
constexpr std::array<char16_t, 32> windows_1252{0x20AC, 0x0081, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021,
                                                0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0x008D, 0x017D, 0x008F,
                                                0x0090, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014,
                                                0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0x009D, 0x017E, 0x0178};

void append_windows_1252(std::string& out, char c) {
  const auto octet = static_cast<unsigned char>(c);
  append_utf8(out, octet >= 0x80 && octet < 0xA0 ? windows_1252[octet - 0x80u] : octet);
}

enum class method : std::uint8_t {
  guess, // UTF-8 where it is, windows-1252 elsewhere
  utf8,
  latin, // windows-1252, which ISO-8859-1 and US-ASCII text with more than ASCII in it really is
  icu,
};

struct alias {
  std::string_view name;
  std::string_view icu_name;
};
// Where senders mean the larger charset of the family.
constexpr std::array aliases{
    alias{"gb2312", "gb18030"},          alias{"gbk", "gb18030"},
    alias{"x-gbk", "gb18030"},           alias{"gb_2312-80", "gb18030"},
    alias{"hz-gb-2312", "hz"},           alias{"ks_c_5601-1987", "windows-949"},
    alias{"euc-kr", "windows-949"},      alias{"shift_jis", "windows-31j"},
    alias{"x-sjis", "windows-31j"},      alias{"iso-8859-9", "windows-1254"},
    alias{"iso-8859-8-i", "iso-8859-8"}, alias{"iso-8859-11", "windows-874"},
    alias{"tis-620", "windows-874"},     alias{"unicode-1-1-utf-7", "utf-7"},
};

bool is_one_of(std::string_view name, std::initializer_list<std::string_view> list) noexcept {
  for (const auto n : list)
    if (n == name)
      return true;
  return false;
}

UConverter* open_converter(std::string_view name) {
  for (const auto& a : aliases)
    if (a.name == name)
      name = a.icu_name;
  // ICU reads options behind commas and would look for unknown names among files: only names from its own list pass.
  const bool plain = !name.empty() && name.size() <= 40 && std::all_of(name.begin(), name.end(), [](char c) {
    return ascii::is_alnum(c) || c == '-' || c == '_' || c == '.' || c == ':' || c == '+';
  });
  if (!plain)
    return nullptr;
  const std::string text(name);
  UErrorCode status = U_ZERO_ERROR;
  if (ucnv_countAliases(text.c_str(), &status) == 0 || U_FAILURE(status))
    return nullptr;
  status = U_ZERO_ERROR;
  UConverter* converter = ucnv_open(text.c_str(), &status);
  if (U_FAILURE(status)) {
    ucnv_close(converter);
    return nullptr;
  }
  return converter;
}

struct converter_closer {
  void operator()(UConverter* c) const noexcept { ucnv_close(c); }
};
using converter = std::unique_ptr<UConverter, converter_closer>;

} // namespace

struct charset_decoder::state {
  method how = method::guess;
  bool known = true;
  converter from;
  converter to;
  std::array<UChar, 1024> pivot; // written before it is read
  UChar* pivot_source = nullptr;
  UChar* pivot_target = nullptr;
  std::string partial; // of a UTF-8 character

  void feed_utf8(std::string_view octets, std::string& out);
  void feed_whole(std::string_view& octets, std::string& out);
  void bad(std::string_view octets, std::string& out) const;
  void convert(std::string_view octets, std::string& out, bool flush);
};

charset_decoder::charset_decoder(std::string_view charset) : state_(std::make_unique<state>()) {
  const auto name = ascii::lower(charset.substr(0, 64));
  auto& s = *state_;
  if (is_one_of(name, {"", "us-ascii", "ascii", "ansi_x3.4-1968"})) {
    s.how = method::guess; // nobody means ASCII where other octets follow
  } else if (is_one_of(name, {"utf-8", "utf8"})) {
    s.how = method::utf8;
  } else if (is_one_of(name, {"iso-8859-1", "iso8859-1", "iso_8859-1", "latin1", "windows-1252", "cp1252"})) {
    s.how = method::latin;
  } else if (auto* from = open_converter(name); from != nullptr) {
    s.how = method::icu;
    s.from.reset(from);
    UErrorCode status = U_ZERO_ERROR;
    s.to.reset(ucnv_open("UTF-8", &status));
    s.pivot_source = s.pivot_target = s.pivot.data();
    if (U_FAILURE(status))
      s.how = method::guess;
  } else {
    s.known = false;
  }
}

charset_decoder::charset_decoder(charset_decoder&&) noexcept = default;
charset_decoder& charset_decoder::operator=(charset_decoder&&) noexcept = default;
charset_decoder::~charset_decoder() = default;

bool charset_decoder::known() const noexcept {
  return state_->known;
}

void charset_decoder::state::bad(std::string_view octets, std::string& out) const {
  if (how == method::utf8)
    out += replacement_character;
  else
    for (const char c : octets)
      append_windows_1252(out, c);
}

// Characters up to the end or an incomplete one, which is left.
void charset_decoder::state::feed_whole(std::string_view& octets, std::string& out) {
  while (!octets.empty()) {
    const auto plain = ascii_prefix(octets);
    out += octets.substr(0, plain);
    octets.remove_prefix(plain);
    if (octets.empty())
      return;
    const auto step = next_character(octets);
    if (step.what == utf8_step::kind::incomplete)
      return;
    if (step.what == utf8_step::kind::good)
      out += octets.substr(0, step.length);
    else
      bad(octets.substr(0, step.length), out);
    octets.remove_prefix(step.length);
  }
}

void charset_decoder::state::feed_utf8(std::string_view octets, std::string& out) {
  while (!partial.empty() && !octets.empty()) {
    partial += octets.front();
    octets.remove_prefix(1);
    std::string_view rest = partial;
    feed_whole(rest, out);
    partial.erase(0, partial.size() - rest.size());
  }
  feed_whole(octets, out);
  partial += octets;
}

void charset_decoder::state::convert(std::string_view octets, std::string& out, bool flush) {
  const char* source = octets.data();
  const char* const end = source + octets.size();
  std::array<char, 4096> buffer;
  for (;;) {
    UErrorCode status = U_ZERO_ERROR;
    char* target = buffer.data();
    ucnv_convertEx(to.get(), from.get(), &target, buffer.data() + buffer.size(), &source, end, pivot.data(),
                   &pivot_source, &pivot_target, pivot.data() + pivot.size(), false, flush, &status);
    out.append(buffer.data(), static_cast<std::size_t>(target - buffer.data()));
    if (status != U_BUFFER_OVERFLOW_ERROR)
      break;
  }
}

void charset_decoder::feed(std::string_view octets, std::string& out) {
  if (octets.empty())
    return;
  switch (state_->how) {
  case method::guess:
  case method::utf8: state_->feed_utf8(octets, out); break;
  case method::latin:
    for (;;) {
      const auto plain = ascii_prefix(octets);
      out += octets.substr(0, plain);
      if (plain == octets.size())
        break;
      append_windows_1252(out, octets[plain]);
      octets.remove_prefix(plain + 1);
    }
    break;
  case method::icu: state_->convert(octets, out, false); break;
  }
}

void charset_decoder::finish(std::string& out) {
  if (state_->how == method::icu) {
    const char none = 0;
    state_->convert({&none, 0}, out, true);
  } else if (!state_->partial.empty()) {
    state_->bad(state_->partial, out);
    state_->partial.clear();
  }
}

void text_decoder::feed(std::string_view octets, std::string& out) {
  octets_.clear();
  body_.feed(octets, octets_);
  charset_.feed(octets_, out);
}

void text_decoder::finish(std::string& out) {
  octets_.clear();
  body_.finish(octets_);
  charset_.feed(octets_, out);
  charset_.finish(out);
}

std::string to_utf8(std::string_view charset, std::string_view octets) {
  if (charset.empty() && ascii_prefix(octets) == octets.size())
    return std::string(octets);
  std::string out;
  charset_decoder decoder(charset);
  decoder.feed(octets, out);
  decoder.finish(out);
  return out;
}

} // namespace merpati::mime
