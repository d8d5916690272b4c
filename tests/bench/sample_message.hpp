// The messages that both servers are given: realistic headers, a size that is exact, every one different.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace merpati::bench {

/// Message number `serial` of `run` (a word that keeps runs apart), exactly `size_bytes` octets (at least 700), CRLF
/// line ends, no line that starts with a dot. The same arguments give the same octets, so that two servers hold the
/// same.
std::string sample_message(std::uint64_t serial, std::string_view run, std::string_view recipient,
                           std::size_t size_bytes);

} // namespace merpati::bench
