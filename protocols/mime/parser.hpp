// Splits a message into its parts while the octets arrive (RFC 2045, 2046, 5322, 6532).
//
// Never fails: whatever the octets are, there is a tree, and its places lie inside of them. Lines end with LF, with or
// without a CR before it. Memory is that of the tree and of one header field, bounded by `limits`; the body is looked
// at in place and not held.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "protocols/mime/limits.hpp"
#include "protocols/mime/message.hpp"

namespace merpati::mime {

class parser {
public:
  explicit parser(const limits& bounds = {});
  parser(parser&&) noexcept;
  parser& operator=(parser&&) noexcept;
  ~parser();

  /// The next octets, cut anywhere; the same tree results from any cut.
  void feed(std::string_view octets);
  /// The tree. Ends this parser: afterwards it may only be destroyed or assigned to.
  message finish();

private:
  class engine;
  std::unique_ptr<engine> engine_;
};

/// feed() and finish() for a message that is at hand.
message parse(std::string_view octets, const limits& bounds = {});

} // namespace merpati::mime
