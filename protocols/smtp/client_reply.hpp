// Replies of another SMTP server, read with forbearance and within bounds.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocols/text/line_reader.hpp"

namespace merpati::smtp {

/// RFC 5321 4.5.3.1.5 says 512 octets; servers that write more are borne.
inline constexpr std::size_t client_reply_line_bytes = 2048;
/// Of one reply. EHLO of the largest providers has 20.
inline constexpr std::size_t client_reply_lines = 100;
/// What is kept of a reply's text for logs and reports.
inline constexpr std::size_t client_reply_text_bytes = 1000;

struct client_reply {
  int code = 0;                   ///< 200 to 599
  std::string status;             ///< enhanced status code of the first line (RFC 2034), or empty
  std::vector<std::string> lines; ///< texts behind the codes, status code included, presentable: printable, UTF-8

  int severity() const noexcept { return code / 100; }
  /// "451 4.7.1 come again", on one line, for people.
  std::string text() const;
  /// The reply's status, or one of its class: "4.0.0".
  std::string status_or_class() const;
};

class client_reply_reader {
public:
  enum class result : std::uint8_t {
    none,      ///< more input is needed
    complete,  ///< see value()
    malformed, ///< no SMTP server talks like this; nothing sensible can follow
  };

  void feed(std::string_view octets) { reader_.feed(octets); }
  result next();
  /// After `complete`.
  const client_reply& value() const noexcept { return value_; }
  /// Nothing was fed that next() has not used.
  bool is_empty() const noexcept { return reader_.empty(); }
  void clear() noexcept { reader_.clear(); }

private:
  text::line_reader reader_;
  client_reply value_;
  bool inside_ = false; ///< of a reply with several lines
};

} // namespace merpati::smtp
