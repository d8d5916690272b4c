#include "protocols/smtp/message_findings.hpp"

#include <algorithm>

#include "protocols/text/utf8.hpp"

namespace merpati::smtp {

void message_findings::add(std::string_view octets) noexcept {
  size_bytes += octets.size();
  if (!saw_8bit)
    saw_8bit = !text::is_ascii(octets);
  if (!saw_nul)
    saw_nul = octets.find('\0') != std::string_view::npos;
}

void octet_inspector::look_at(std::string_view octets) noexcept {
  if (octets.empty())
    return;
  const auto before = found_.size_bytes;
  found_.add(octets);
  constexpr auto none = std::string_view::npos;
  if (after_cr_ && octets.front() != '\n')
    found_.saw_bare_cr = true;
  for (auto at = octets.find('\r'); at != none && at + 1 != octets.size(); at = octets.find('\r', at + 1))
    found_.saw_bare_cr |= octets[at + 1] != '\n';
  for (auto at = octets.find('\n'); at != none; at = octets.find('\n', at + 1)) {
    const bool whole = at == 0 ? after_cr_ : octets[at - 1] == '\r';
    if (!whole) {
      found_.saw_bare_lf = true;
      continue;
    }
    const auto line_end = before + at - 1; // of its CR, which may be in the piece before
    found_.longest_line = std::max(found_.longest_line, line_end - line_start_);
    line_start_ = line_end + 2;
  }
  after_cr_ = octets.back() == '\r';
}

void octet_inspector::finish() noexcept {
  if (after_cr_)
    found_.saw_bare_cr = true;
  after_cr_ = false;
}

} // namespace merpati::smtp
