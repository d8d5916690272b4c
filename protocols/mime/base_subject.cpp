// RFC 5256 2.1: what is left of a subject without "Re:", "Fwd:", "[list]" and "(fwd)".
#include "base/ascii.hpp"
#include "protocols/mime/fields.hpp"

namespace merpati::mime {
namespace {

// "[...]" and the white space behind it: its length, or 0.
std::size_t blob_length(std::string_view s) noexcept {
  if (!s.starts_with('['))
    return 0;
  const auto end = s.find_first_of("[]", 1);
  if (end == std::string_view::npos || s[end] != ']')
    return 0;
  const auto next = s.find_first_not_of(' ', end + 1);
  return next == std::string_view::npos ? s.size() : next;
}

// ("re" / "fw" / "fwd") *WSP [blob] ":": its length, or 0.
std::size_t refwd_length(std::string_view s) noexcept {
  std::size_t at = 0;
  for (const std::string_view word : {"fwd", "re", "fw"})
    if (ascii::istarts_with(s, word)) {
      at = word.size();
      break;
    }
  if (at == 0)
    return 0;
  at = std::min(s.find_first_not_of(' ', at), s.size());
  at += blob_length(s.substr(at));
  return at < s.size() && s[at] == ':' ? at + 1 : 0;
}

} // namespace

base_subject parse_base_subject(std::string_view subject) {
  // Step 1: white space to single spaces.
  std::string text;
  text.reserve(subject.size());
  for (const char c : subject) {
    const char plain = c == '\t' || c == '\r' || c == '\n' ? ' ' : c;
    if (plain != ' ' || (!text.empty() && text.back() != ' '))
      text += plain;
  }
  base_subject out;
  std::string_view s = text;
  const auto trim_front = [&] { s.remove_prefix(std::min(s.find_first_not_of(' '), s.size())); };
  for (;;) {
    // Step 2: trailers.
    for (;;) {
      while (s.ends_with(' '))
        s.remove_suffix(1);
      if (s.size() < 5 || !ascii::iequals(s.substr(s.size() - 5), "(fwd)"))
        break;
      s.remove_suffix(5);
      out.is_reply = true;
    }
    // Steps 3 to 5: leaders, each with the blobs before it, then blobs of their own unless nothing were left.
    for (bool changed = true; changed;) {
      changed = false;
      trim_front();
      std::size_t blobs = 0;
      std::size_t last = 0; // where the last of them begins
      while (const auto length = blob_length(s.substr(blobs))) {
        last = blobs;
        blobs += length;
      }
      if (const auto length = refwd_length(s.substr(blobs))) {
        s.remove_prefix(blobs + length);
        out.is_reply = changed = true;
      } else {
        s.remove_prefix(blobs < s.size() ? blobs : last);
      }
    }
    // Step 6: "[Fwd: ...]" around all of it.
    if (!ascii::istarts_with(s, "[fwd:") || !s.ends_with(']'))
      break;
    s = s.substr(5, s.size() - 6);
    out.is_reply = true;
  }
  out.text = std::string(s);
  return out;
}

} // namespace merpati::mime
