// Makes CRLF of every CR or LF that stands alone, for messages whose sender can't do it right.
#pragma once

#include <string>
#include <string_view>

namespace merpati::smtp {

class newline_normaliser {
public:
  /// The next octets, normalised. A CR at the end of `octets` is held back until what follows is known. The view is
  /// into `octets` or into this object, valid until the next call.
  std::string_view next(std::string_view octets);
  /// What was held back: nothing, or a CRLF. The message is over.
  std::string_view finish();

private:
  std::string text_;
  bool after_cr_ = false;
};

} // namespace merpati::smtp
