#include "protocols/milter/packet.hpp"

#include <algorithm>

namespace merpati::milter {

namespace {

constexpr std::size_t length_bytes = 4;

} // namespace

void append_number(std::uint32_t value, std::string& out) {
  for (unsigned shift : {24u, 16u, 8u, 0u})
    out.push_back(static_cast<char>(static_cast<unsigned char>(value >> shift & 0xffu)));
}

std::optional<std::uint32_t> take_number(std::string_view& data) {
  if (data.size() < length_bytes)
    return std::nullopt;
  std::uint32_t value = 0;
  for (char c : data.substr(0, length_bytes))
    value = value << 8u | static_cast<unsigned char>(c);
  data.remove_prefix(length_bytes);
  return value;
}

void append_text(std::string_view text, std::string& out) {
  const auto begin = static_cast<std::ptrdiff_t>(out.size());
  out.append(text);
  std::replace(out.begin() + begin, out.end(), '\0', ' ');
  out.push_back('\0');
}

std::string_view take_text(std::string_view& data) {
  const auto text = data.substr(0, data.find('\0'));
  data.remove_prefix(std::min(data.size(), text.size() + 1));
  return text;
}

void write_packet(char code, std::string_view data, std::string& out) {
  append_number(static_cast<std::uint32_t>(data.size() + 1), out);
  out.push_back(code);
  out.append(data);
}

result<std::optional<packet>> packet_reader::next() {
  auto rest = std::string_view(buffer_).substr(taken_);
  const auto length = take_number(rest);
  if (!length)
    return std::nullopt;
  if (*length == 0)
    return fail(errc::invalid, "a packet without a command");
  if (*length > packet_bytes_)
    return fail(errc::too_big,
                "a packet of " + std::to_string(*length) + " octets, more than " + std::to_string(packet_bytes_));
  if (rest.size() < *length)
    return std::nullopt;
  packet out{rest.front(), std::string(rest.substr(1, *length - 1))};
  taken_ += length_bytes + *length;
  if (taken_ == buffer_.size() || taken_ > packet_bytes_) {
    buffer_.erase(0, taken_);
    taken_ = 0;
  }
  return out;
}

} // namespace merpati::milter
