// Places that are either a network address or the path of a Unix-domain socket, written "unix:/run/filter.sock".
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace merpati {

inline constexpr std::string_view socket_prefix = "unix:";
/// What sockaddr_un holds, in octets.
inline constexpr std::size_t longest_socket_path = 107;

/// The path of "unix:PATH"; empty for everything else.
inline std::string_view socket_path(std::string_view place) noexcept {
  return place.starts_with(socket_prefix) ? place.substr(socket_prefix.size()) : std::string_view();
}
inline bool is_socket_path(std::string_view place) noexcept {
  return place.starts_with(socket_prefix);
}
inline std::string at_socket_path(std::string_view path) {
  return std::string(socket_prefix).append(path);
}

} // namespace merpati
