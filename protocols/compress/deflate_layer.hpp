// A compressed connection (RFC 4978): raw DEFLATE (RFC 1951) in both directions, as a plain object between the protocol
// and TLS. Octets in, octets out; whoever runs it owns the socket.
//
// A few octets can inflate to thousands of times as many, so input is kept compressed and inflated only as it is read.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace merpati::compress {

/// Some 110 KB while it lives.
class deflate_layer {
public:
  /// std::bad_alloc: there is no memory for it.
  deflate_layer();
  ~deflate_layer();
  deflate_layer(const deflate_layer&) = delete;
  deflate_layer& operator=(const deflate_layer&) = delete;

  /// Appends what the peer needs to have all of `plain`.
  void write(std::string_view plain, std::vector<char>& wire_out);

  /// Octets from the peer; they are kept until they are read.
  void feed(std::string_view wire);
  /// Appends up to `most` octets of what was fed; nothing when there is no more. errc::invalid: that was no DEFLATE, or
  /// the peer ended its stream, which RFC 4978 has no use for.
  result<void> read(std::size_t most, std::vector<char>& plain_out);

private:
  struct state;
  std::unique_ptr<state> state_;
};

} // namespace merpati::compress
