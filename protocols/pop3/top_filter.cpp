#include "protocols/pop3/top_filter.hpp"

namespace merpati::pop3 {

std::string_view top_filter::take(std::string_view piece) noexcept {
  std::size_t at = 0;
  while (!done_ && at < piece.size()) {
    auto lf = piece.find('\n', at);
    auto line = piece.substr(at, lf == std::string_view::npos ? lf : lf - at);
    if (line.find_first_not_of('\r') != std::string_view::npos)
      line_empty_ = false;
    if (lf == std::string_view::npos)
      return piece;
    at = lf + 1;
    if (in_body_)
      --lines_left_;
    else
      in_body_ = line_empty_;
    line_empty_ = true;
    done_ = in_body_ && lines_left_ == 0;
  }
  return piece.substr(0, at);
}

} // namespace merpati::pop3
