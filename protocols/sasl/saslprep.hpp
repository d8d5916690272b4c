// SASLprep (RFC 4013): the one form of a user name or password, however it was typed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace merpati::sasl {

enum class saslprep_use : std::uint8_t {
  query,  ///< what a client sends now: unassigned code points pass (RFC 3454 7)
  stored, ///< what is kept, such as a new password: they do not
};

/// `text` prepared. errc::invalid when it is no UTF-8, has a prohibited character or fails the bidi rules. An empty
/// text stays empty.
result<std::string> saslprep(std::string_view text, saslprep_use use);

} // namespace merpati::sasl
