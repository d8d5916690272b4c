// Takes the input of a line-based protocol apart: lines that may arrive in any number of pieces, or raw octets.
// Whole lines are handed out as views into the input; only a line that is cut is copied, up to its limit.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace merpati::text {

/// How a line ended.
enum class line_status : std::uint8_t {
  none,       ///< no whole line yet: more input is needed
  ok,         ///< ended by CRLF, no other CR inside
  bare_cr_lf, ///< ended by LF without CR, or has a CR inside
  too_long,   ///< longer than the limit; dropped up to its LF
  endless,    ///< more than limit plus `endless_line_bytes` without an LF; nothing sensible can follow
};

/// After so many octets beyond the limit without a line end the peer doesn't speak this protocol.
inline constexpr std::size_t endless_line_bytes = 64 * 1024;

class line_reader {
public:
  struct line {
    line_status status = line_status::none;
    std::string_view text; ///< without its line end; valid until the next call of a non-const function
  };

  /// Hands input over. The octets must stay where they are until everything is read (empty()) or `feed` is called
  /// again; what was not read by then is kept in front of the new input.
  void feed(std::string_view input);

  /// The next line. `limit_bytes` counts the line end.
  line next_line(std::size_t limit_bytes);

  /// The first `count` octets at most of the next line, as far as they are here (for limits that depend on the verb).
  std::string line_start(std::size_t count) const;

  /// What is left of the input, for protocols that switch from lines to octets. Only between lines.
  std::string_view rest() const noexcept { return input_; }
  /// Drops the first `count` octets of rest().
  void consume(std::size_t count) noexcept { input_.remove_prefix(count); }

  /// True when nothing at all has been fed that was not read yet, not even a piece of a line.
  bool empty() const noexcept { return input_.empty() && (held_.empty() || held_done_) && !skipping_; }
  /// Forgets everything that was fed (RFC 3207 4.2, RFC 2595 4).
  void clear() noexcept;

private:
  static line finish(std::string_view text) noexcept;

  std::string_view input_;
  std::string spill_;      ///< owns input_ when something unread had to be kept
  std::string held_;       ///< the cut line so far
  bool held_done_ = false; ///< held_ was handed out as a line
  bool skipping_ = false;  ///< inside a line that is too long
  std::size_t skipped_bytes_ = 0;
};

} // namespace merpati::text
