#include "protocols/smtp/newline_normaliser.hpp"

#include <utility>

namespace merpati::smtp {

std::string_view newline_normaliser::next(std::string_view octets) {
  if (octets.empty())
    return {};
  text_.clear();
  if (std::exchange(after_cr_, false)) {
    text_ += "\r\n";
    if (octets.front() == '\n')
      octets.remove_prefix(1);
  }
  while (!octets.empty()) {
    const auto at = octets.find_first_of("\r\n");
    text_ += octets.substr(0, at);
    if (at == std::string_view::npos)
      break;
    if (octets[at] == '\r' && at + 1 == octets.size()) {
      after_cr_ = true;
      break;
    }
    text_ += "\r\n";
    octets.remove_prefix(at + (octets.substr(at).starts_with("\r\n") ? 2 : 1));
  }
  return text_;
}

std::string_view newline_normaliser::finish() {
  return std::exchange(after_cr_, false) ? "\r\n" : std::string_view();
}

} // namespace merpati::smtp
