#include "protocols/imap/mailbox_name.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>

#include "base/ascii.hpp"

namespace merpati::imap {
namespace {

constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

constexpr auto reverse_alphabet = [] {
  std::array<std::int8_t, 256> table{};
  for (auto& entry : table)
    entry = -1;
  for (std::size_t i = 0; i < alphabet.size(); ++i)
    table[static_cast<unsigned char>(alphabet[i])] = static_cast<std::int8_t>(i);
  return table;
}();

/// The code point at `text[at]`, `at` moved behind it; nothing (and one octet further) where there is no UTF-8.
std::optional<char32_t> next_code_point(std::string_view text, std::size_t& at) noexcept {
  auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  auto lead = byte(at++);
  if (lead < 0x80)
    return lead;
  std::size_t more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
  if (lead < 0xc2 || lead > 0xf4 || text.size() - at < more)
    return std::nullopt;
  char32_t value = lead & (0x3fU >> more);
  for (std::size_t i = 0; i < more; ++i) {
    if ((byte(at + i) & 0xc0) != 0x80)
      return std::nullopt;
    value = value << 6 | (byte(at + i) & 0x3f);
  }
  constexpr char32_t least[] = {0, 0x80, 0x800, 0x10000};
  if (value < least[more] || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
    return std::nullopt;
  at += more;
  return value;
}

void append_utf8(char32_t c, std::string& out) {
  auto put = [&](char32_t b) { out += static_cast<char>(static_cast<unsigned char>(b)); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xc0 | c >> 6);
    put(0x80 | (c & 0x3f));
  } else if (c < 0x10000) {
    put(0xe0 | c >> 12);
    put(0x80 | (c >> 6 & 0x3f));
    put(0x80 | (c & 0x3f));
  } else {
    put(0xf0 | c >> 18);
    put(0x80 | (c >> 12 & 0x3f));
    put(0x80 | (c >> 6 & 0x3f));
    put(0x80 | (c & 0x3f));
  }
}

bool prints_as_itself(char c) noexcept {
  return c >= 0x20 && c <= 0x7e;
}

/// Base64 of UTF-16 code units as they come.
class utf16_encoder {
public:
  explicit utf16_encoder(std::string& out) : out_(out) {}
  void put(char32_t c) {
    if (c >= 0x10000) {
      unit(0xd800 + ((c - 0x10000) >> 10));
      unit(0xdc00 + ((c - 0x10000) & 0x3ff));
    } else {
      unit(c);
    }
  }
  void finish() {
    if (bits_ > 0)
      out_ += alphabet[(pending_ << (6 - bits_)) & 0x3f];
    pending_ = 0;
    bits_ = 0;
  }

private:
  void unit(char32_t u) {
    pending_ = pending_ << 16 | u;
    for (bits_ += 16; bits_ >= 6; bits_ -= 6)
      out_ += alphabet[pending_ >> (bits_ - 6) & 0x3f];
    pending_ &= (1U << bits_) - 1;
  }
  std::string& out_;
  std::uint32_t pending_ = 0;
  unsigned bits_ = 0;
};

/// One "&...-" run (without & and -) appended as UTF-8; false when it isn't in the one legal form.
bool decode_run(std::string_view run, std::string& out) {
  std::uint32_t pending = 0;
  unsigned bits = 0;
  char32_t high = 0;
  for (auto c : run) {
    auto value = reverse_alphabet[static_cast<unsigned char>(c)];
    if (value < 0)
      return false;
    pending = pending << 6 | static_cast<std::uint32_t>(value);
    bits += 6;
    if (bits < 16)
      continue;
    bits -= 16;
    char32_t unit = pending >> bits & 0xffff;
    pending &= (1U << bits) - 1;
    if (high != 0) {
      if (unit < 0xdc00 || unit > 0xdfff)
        return false;
      append_utf8(0x10000 + ((high - 0xd800) << 10) + (unit - 0xdc00), out);
      high = 0;
    } else if (unit >= 0xd800 && unit <= 0xdbff) {
      high = unit;
    } else if ((unit >= 0xdc00 && unit <= 0xdfff) || (unit >= 0x20 && unit <= 0x7e)) {
      return false; // a lone surrogate, or a character that must stand for itself
    } else {
      append_utf8(unit, out);
    }
  }
  return high == 0 && bits < 6 && pending == 0;
}

bool is_control(std::string_view text) noexcept {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

} // namespace

bool valid_utf8(std::string_view text) noexcept {
  for (std::size_t at = 0; at < text.size();) {
    if (static_cast<unsigned char>(text[at]) < 0x80)
      ++at;
    else if (!next_code_point(text, at))
      return false;
  }
  return true;
}

std::string encode_utf7(std::string_view utf8) {
  std::string out;
  out.reserve(utf8.size() + utf8.size() / 2);
  for (std::size_t at = 0; at < utf8.size();) {
    if (prints_as_itself(utf8[at])) {
      out += utf8[at];
      if (utf8[at++] == '&')
        out += '-';
      continue;
    }
    out += '&';
    utf16_encoder run(out);
    while (at < utf8.size() && !prints_as_itself(utf8[at]))
      run.put(next_code_point(utf8, at).value_or(0xfffd));
    run.finish();
    out += '-';
  }
  return out;
}

result<std::string> decode_utf7(std::string_view text) {
  auto malformed = [] { return fail(errc::invalid, "Mailbox name is not in modified UTF-7"); };
  std::string out;
  out.reserve(text.size());
  bool after_run = false;
  for (std::size_t at = 0; at < text.size();) {
    if (!prints_as_itself(text[at]))
      return malformed();
    if (text[at] != '&') {
      out += text[at++];
      after_run = false;
      continue;
    }
    auto close = text.find('-', at);
    if (close == std::string_view::npos)
      return malformed();
    auto run = text.substr(at + 1, close - at - 1);
    if (run.empty()) {
      out += '&';
      after_run = false;
    } else {
      // two runs without anything between them would be one (RFC 3501 5.1.3)
      if (after_run || !decode_run(run, out))
        return malformed();
      after_run = true;
    }
    at = close + 1;
  }
  return out;
}

result<std::string> canonical_mailbox_name(std::string_view wire, bool utf8, const limits& bounds) {
  std::string name;
  if (utf8) {
    name = wire;
  } else {
    auto decoded = decode_utf7(wire);
    name = decoded ? *std::move(decoded) : std::string(wire);
  }
  if (name.size() > bounds.mailbox_name)
    return fail(errc::too_big, "Mailbox name too long");
  if (name.empty() || is_control(name) || !valid_utf8(name))
    return fail(errc::invalid, "Expected a mailbox name in UTF-8 without control characters");
  if (static_cast<std::size_t>(std::count(name.begin(), name.end(), '/')) >= bounds.mailbox_levels)
    return fail(errc::too_big, "Mailbox name has too many levels");
  // RFC 9051 5.1: INBOX in any case; its children belong to the same one
  if (ascii::istarts_with(name, "INBOX") && (name.size() == 5 || name[5] == '/'))
    name.replace(0, 5, "INBOX");
  return name;
}

result<void> check_new_mailbox_name(std::string_view name, const limits& bounds) {
  if (name.size() > bounds.mailbox_name)
    return fail(errc::too_big, "Mailbox name too long");
  if (name.empty() || name.front() == '/' || name.back() == '/' || name.find("//") != std::string_view::npos)
    return fail(errc::invalid, "A mailbox name can't have an empty level");
  if (name.find_first_of("%*") != std::string_view::npos)
    return fail(errc::invalid, "A mailbox name can't contain % or *");
  return {};
}

} // namespace merpati::imap
