#include "protocols/smtp/data_decoder.hpp"

#include <algorithm>
#include <cstring>

namespace merpati::smtp {

namespace {
const char* find(const char* from, const char* to, char wanted) noexcept {
  auto hit = std::memchr(from, wanted, static_cast<std::size_t>(to - from));
  return hit ? static_cast<const char*>(hit) : to;
}

std::uint64_t distance(const char* from, const char* to) noexcept {
  return static_cast<std::uint64_t>(to - from);
}
} // namespace

void data_decoder::reset() noexcept {
  found_ = {};
  line_start_ = 0;
  place_ = place::line_start;
}

data_decoder::piece data_decoder::decode(std::string_view input) {
  const char* p = input.data();
  const char* const end = p + input.size();
  piece out;
  // The octets that the last call left undecided: a dot at the start of a line, and a CR behind it.
  if (place_ == place::line_start && p != end && *p == '.') {
    ++p;
    place_ = place::after_dot;
  }
  if (place_ == place::after_dot && p != end) {
    if (*p == '\r') {
      ++p;
      place_ = place::after_dot_cr;
    } else {
      place_ = place::in_line;
    }
  }
  if (place_ == place::after_dot_cr && p != end) {
    if (*p == '\n') {
      out.end = true;
      out.consumed = static_cast<std::size_t>(distance(input.data(), p + 1));
      return out;
    }
    place_ = place::after_cr;
    out.decoded = "\r"; // it was held back, and may have come in an earlier input
  } else if (p != end) {
    const char* stop = scan(p, end);
    out.decoded = {p, static_cast<std::size_t>(distance(p, stop))};
    p = stop;
  }
  out.consumed = static_cast<std::size_t>(distance(input.data(), p));
  found_.add(out.decoded);
  return out;
}

// From inside a line to the end of input or to a dot that begins a line.
const char* data_decoder::scan(const char* const begin, const char* const end) noexcept {
  auto position = [&](const char* at) { return found_.size_bytes + distance(begin, at); };
  const char* p = begin;
  if (place_ == place::after_cr) {
    place_ = place::in_line;
    if (*p == '\n') {
      end_line(position(p) - 1);
      if (++p == end || *p == '.') {
        place_ = place::line_start;
        return p;
      }
    } else {
      found_.saw_bare_cr = true;
    }
  }
  place_ = place::in_line;
  const char* cr = find(p, end, '\r');
  for (;;) {
    for (const char* lf = find(p, cr, '\n'); lf != cr; lf = find(lf + 1, cr, '\n'))
      found_.saw_bare_lf = true;
    if (cr == end)
      return end;
    p = cr + 1;
    if (p == end) {
      place_ = place::after_cr;
      return end;
    }
    if (*p == '\n') {
      end_line(position(cr));
      if (++p == end || *p == '.') {
        place_ = place::line_start;
        return p;
      }
    } else {
      found_.saw_bare_cr = true;
    }
    cr = find(p, end, '\r');
  }
}

// `cr_position` counts decoded octets before the CR of the CRLF.
void data_decoder::end_line(std::uint64_t cr_position) noexcept {
  found_.longest_line = std::max(found_.longest_line, cr_position - line_start_);
  line_start_ = cr_position + 2;
}

} // namespace merpati::smtp
