#include "protocols/text/dot_stuffing_writer.hpp"

#include <cstring>

namespace merpati::text {

namespace {
const char* find(const char* from, const char* to, char wanted) noexcept {
  auto hit = std::memchr(from, wanted, static_cast<std::size_t>(to - from));
  return hit ? static_cast<const char*>(hit) : to;
}

void append(std::string& out, const char* from, const char* to) {
  out.append(from, static_cast<std::size_t>(to - from));
}
} // namespace

void dot_stuffing_writer::write(std::string_view piece, std::string& out) {
  const bool to_crlf = how_ == bare_newlines::to_crlf;
  const char* p = piece.data();
  const char* const end = p + piece.size();
  const char* unwritten = p;
  const char* cr = p; // the next CR at or after p; looked for again only when p has passed it, which keeps this linear
  bool cr_known = false;
  while (p != end) {
    if (after_cr_) {
      after_cr_ = false;
      if (*p == '\n') {
        ++p;
        if (to_crlf)
          unwritten = p; // the CR was written as CRLF already
        at_line_start_ = true;
        continue;
      }
    }
    if (at_line_start_ && *p == '.') {
      append(out, unwritten, p);
      out += '.';
      unwritten = p;
    }
    at_line_start_ = false;
    if (!cr_known || cr < p) {
      cr = find(p, end, '\r');
      cr_known = true;
    }
    const char* lf = find(p, cr, '\n');
    if (lf != cr) {
      if (to_crlf) {
        append(out, unwritten, lf);
        out += "\r\n";
        unwritten = lf + 1;
        at_line_start_ = true;
      }
      p = lf + 1;
    } else if (cr == end) {
      p = end;
    } else if (cr + 1 != end && cr[1] == '\n') {
      p = cr + 2;
      at_line_start_ = true;
    } else {
      p = cr + 1;
      after_cr_ = true;
      if (to_crlf) {
        append(out, unwritten, p);
        out += '\n';
        unwritten = p;
        at_line_start_ = true;
      }
    }
  }
  append(out, unwritten, end);
}

void dot_stuffing_writer::finish(std::string& out) {
  if (!at_line_start_)
    out += after_cr_ ? "\n" : "\r\n";
  out += ".\r\n";
  at_line_start_ = true;
  after_cr_ = false;
}

} // namespace merpati::text
