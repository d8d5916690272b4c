// The PROXY protocol, versions 1 and 2 (HAProxy's doc/proxy-protocol.txt), receiving side: what a proxy says before
// the first octet of a connection about whom it speaks for. To be read only from addresses that are trusted with it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace merpati::proxy {

/// Version 1 says 107 octets with the line end: what two IPv6 addresses in full and two ports take.
inline constexpr std::size_t v1_bytes = 107;
/// Version 2 allows 65,535 octets of addresses and type-length-values. The addresses take 216 at most; the rest is room
/// for what proxies add: TLS facts with a client certificate's name, cloud endpoints, unique ids.
inline constexpr std::size_t v2_payload_bytes = 4096;

struct header {
  std::uint8_t version = 0; ///< 1 or 2
  /// False: the proxy speaks for itself (LOCAL: its health check) or can't say for whom (UNKNOWN, Unix socket): the
  /// addresses of the connection stand, and the members below are empty.
  bool has_addresses = false;
  std::string source_address; ///< numeric; IPv4-mapped IPv6 as IPv4
  std::uint16_t source_port = 0;
  std::string destination_address;
  std::uint16_t destination_port = 0;
  bool operator==(const header&) const = default;
};

class header_reader {
public:
  enum class status : std::uint8_t {
    more,      ///< all octets were taken, and the header goes on
    done,      ///< see value()
    malformed, ///< this is no header, or none that is borne, see why(): close without a word
  };

  /// Takes octets of the header from the front of `octets` and no more; how many is in taken().
  status feed(std::string_view octets);

  /// Of the octets of the last feed(), how many belong to the header; what follows is the client's.
  std::size_t taken() const noexcept { return taken_; }
  /// After `done`.
  const header& value() const noexcept { return value_; }
  /// After `malformed`: a phrase for the log, without octets of the peer's.
  std::string_view why() const noexcept { return why_; }

private:
  status step();
  status step_v1();
  status step_v2();
  status finish_v1(std::string_view line);
  status finish_v2(std::string_view payload);
  status refuse(std::string_view why) noexcept;

  std::string buffer_; // never longer than a header may be
  header value_;
  std::string_view why_;
  std::size_t taken_ = 0;
  status status_ = status::more;
};

/// The header of version 1 or 2 for `value`. A version 2 header without addresses is LOCAL, one of version 1 UNKNOWN.
/// Both addresses must be numeric; when they differ in family, IPv4 goes as IPv4-mapped IPv6.
std::string write_header(const header& value);

} // namespace merpati::proxy
