#include "protocols/text/line_reader.hpp"

#include <utility>

namespace merpati::text {

void line_reader::feed(std::string_view input) {
  if (input_.empty()) {
    input_ = input;
    spill_ = {};
    return;
  }
  std::string joined(input_);
  joined.append(input);
  spill_ = std::move(joined);
  input_ = spill_;
}

std::string line_reader::line_start(std::size_t count) const {
  std::string start;
  if (!held_done_)
    start.assign(held_, 0, count);
  start.append(input_.substr(0, count - start.size()));
  return start;
}

line_reader::line line_reader::next_line(std::size_t limit_bytes) {
  if (held_done_) {
    held_ = {}; // thousands of idle sessions keep no room for the longest line they ever sent
    held_done_ = false;
  }
  auto end = input_.find('\n');
  if (end == std::string_view::npos) {
    if (!skipping_ && held_.size() + input_.size() < limit_bytes) {
      held_.append(input_);
    } else {
      skipped_bytes_ += held_.size() + input_.size();
      skipping_ = true;
      held_.clear();
    }
    input_ = {};
    if (skipped_bytes_ > limit_bytes + endless_line_bytes)
      return {line_status::endless, {}};
    return {};
  }
  auto piece = input_.substr(0, end + 1);
  input_.remove_prefix(end + 1);
  if (skipping_ || held_.size() + piece.size() > limit_bytes) {
    skipping_ = false;
    skipped_bytes_ = 0;
    held_.clear();
    return {line_status::too_long, {}};
  }
  if (held_.empty())
    return finish(piece);
  held_.append(piece);
  held_done_ = true;
  return finish(held_);
}

void line_reader::clear() noexcept {
  input_ = {};
  held_.clear();
  held_done_ = false;
  skipping_ = false;
  skipped_bytes_ = 0;
}

line_reader::line line_reader::finish(std::string_view text) noexcept {
  text.remove_suffix(1);
  if (text.empty() || text.back() != '\r')
    return {line_status::bare_cr_lf, text};
  text.remove_suffix(1);
  auto status = text.find('\r') == std::string_view::npos ? line_status::ok : line_status::bare_cr_lf;
  return {status, text};
}

} // namespace merpati::text
