// Packets of the milter protocol: four octets of length (big-endian, of what follows), one of command, then its data.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace merpati::milter {

struct packet {
  char code = 0;
  std::string data;
  bool operator==(const packet&) const = default;
};

/// Appends a packet; `data` is at most 4 GiB - 2.
void write_packet(char code, std::string_view data, std::string& out);

class packet_reader {
public:
  /// Command and data of one packet are at most `packet_bytes`: what the far end can make us hold.
  explicit packet_reader(std::size_t packet_bytes) noexcept : packet_bytes_(packet_bytes) {}

  void feed(std::string_view octets) { buffer_.append(octets); }
  /// The next whole packet; nothing: more input is needed. errc::invalid: a packet without command; errc::too_big.
  /// After an error there is no way back to the packets.
  result<std::optional<packet>> next();
  /// Something is there that next() has not given.
  bool pending() const noexcept { return taken_ < buffer_.size(); }

private:
  std::size_t packet_bytes_;
  std::string buffer_;
  std::size_t taken_ = 0; ///< octets of buffer_ that were given already
};

void append_number(std::uint32_t value, std::string& out);
/// The four octets at the beginning of `data`, which is shortened by them; nothing when it is too short.
std::optional<std::uint32_t> take_number(std::string_view& data);

/// Appends `text` and a NUL. A NUL within would end it early for the filter: it becomes a space.
void append_text(std::string_view text, std::string& out);
/// The text up to the next NUL, or all where the last NUL was left out; `data` is shortened by both.
std::string_view take_text(std::string_view& data);

} // namespace merpati::milter
