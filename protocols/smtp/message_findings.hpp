// What a careful server has to know of the octets of a message, gathered while they arrive.
#pragma once

#include <cstdint>
#include <string_view>

namespace merpati::smtp {

struct message_findings {
  std::uint64_t size_bytes = 0;   ///< decoded octets
  std::uint64_t longest_line = 0; ///< octets without CRLF (RFC 5321 4.5.3.1.6 advises 998)
  bool saw_8bit = false;
  bool saw_nul = false;
  bool saw_bare_cr = false;
  bool saw_bare_lf = false;

  /// More octets of the message: what does not depend on lines.
  void add(std::string_view octets) noexcept;
  bool saw_bare_newline() const noexcept { return saw_bare_cr || saw_bare_lf; }
  bool operator==(const message_findings&) const = default;
};

/// Looks at octets whose end is known by count (BDAT, RFC 3030): nothing in them is special.
class octet_inspector {
public:
  void look_at(std::string_view octets) noexcept;
  /// The message is over: a CR at its very end is a bare one.
  void finish() noexcept;
  const message_findings& found() const noexcept { return found_; }
  void reset() noexcept { *this = {}; }

private:
  message_findings found_;
  std::uint64_t line_start_ = 0; ///< octets before the current line
  bool after_cr_ = false;
};

} // namespace merpati::smtp
