// The filter's side of a milter connection, as a test writes it: packets to send, and packets that came.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "protocols/milter/packet.hpp"
#include "protocols/milter/protocol.hpp"

namespace merpati::test {

using milter::response;

inline std::string from_filter(response what, std::string_view data = {}) {
  std::string out;
  milter::write_packet(static_cast<char>(what), data, out);
  return out;
}

inline std::string texts(std::initializer_list<std::string_view> all) {
  std::string out;
  for (auto text : all)
    milter::append_text(text, out);
  return out;
}

inline std::string header_change(response what, std::uint32_t index, std::string_view name, std::string_view value) {
  std::string data;
  milter::append_number(index, data);
  return from_filter(what, data + texts({name, value}));
}

inline std::string negotiation(std::uint32_t steps, std::uint32_t version = 6, std::string_view lists = {}) {
  std::string data;
  milter::append_number(version, data);
  milter::append_number(milter::action::all, data);
  milter::append_number(steps, data);
  data += lists;
  return from_filter(response::negotiate, data);
}

/// Packets as a person reads them: "H a.example|", NUL shown as '|'; one line each.
inline std::string readable(std::string_view wire) {
  milter::packet_reader reader(1 << 20);
  reader.feed(wire);
  std::string out;
  for (;;) {
    auto p = reader.next();
    if (!p)
      return out + "bad packet\n";
    if (!*p)
      return out;
    out += (*p)->code;
    if (!(*p)->data.empty())
      out += ' ';
    for (char c : (*p)->data)
      out += c == '\0' ? '|' : c;
    out += '\n';
  }
}

} // namespace merpati::test
