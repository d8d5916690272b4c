// The octets a client sent, taken as lines and runs. What is fed stays where it is; only the beginning of a line that
// has not ended yet is kept by the caller.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace merpati::imap {

class line_input {
public:
  /// `octets` must stay where they are until empty() is true.
  void feed(std::string_view octets) {
    if (rest_.empty()) {
      rest_ = octets;
      return;
    }
    std::string joined(rest_); // the caller fed before all was used up: from here on we keep it ourselves
    joined += octets;
    kept_ = std::move(joined);
    rest_ = kept_;
  }

  bool empty() const noexcept { return rest_.empty(); }
  void clear() noexcept { rest_ = {}; }

  /// What there is of the current line, with its LF when it is there; at most `limit` octets.
  std::string_view take_line_part(std::size_t limit) noexcept {
    auto window = rest_.substr(0, limit);
    auto end = window.find('\n');
    return take(end == std::string_view::npos ? window.size() : end + 1);
  }

  /// At most `count` octets.
  std::string_view take(std::uint64_t count) noexcept {
    auto octets = rest_.substr(0, count < rest_.size() ? static_cast<std::size_t>(count) : rest_.size());
    rest_.remove_prefix(octets.size());
    return octets;
  }

private:
  std::string_view rest_;
  std::string kept_;
};

} // namespace merpati::imap
