// Hashes, checksums, encodings and password hashing: thin, typed doors to OpenSSL, xxHash and Argon2.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace merpati::crypto {

using sha256_digest = std::array<std::uint8_t, 32>;

sha256_digest sha256(std::string_view data);
sha256_digest hmac_sha256(std::string_view key, std::string_view data);
/// PBKDF2 with HMAC-SHA-256 ("Hi" of RFC 5802 2.2). `iterations` from 1.
sha256_digest pbkdf2_sha256(std::string_view password, std::string_view salt, std::uint32_t iterations);

/// XXH3, 64 bits: detects damage on disk, is no protection against an attacker.
std::uint64_t checksum(std::string_view data) noexcept;

/// The checksum of data that arrives in pieces; equal to checksum() of their concatenation.
class running_checksum {
public:
  running_checksum();
  ~running_checksum();
  running_checksum(running_checksum&&) noexcept;
  running_checksum& operator=(running_checksum&&) noexcept;
  void add(std::string_view data) noexcept;
  std::uint64_t value() const noexcept;

private:
  struct state;
  state* state_;
};

/// Time depends on the lengths alone.
bool equal_constant_time(std::string_view a, std::string_view b) noexcept;

/// `count` bytes from the system's generator.
std::string random_bytes(std::size_t count);
std::uint32_t random_number();
/// `count` characters of [a-z2-7], 5 bits of entropy each.
std::string random_text(std::size_t count);

std::string base64_encode(std::string_view data);
/// Strict RFC 4648: padding required, no white space; errc::invalid otherwise.
result<std::string> base64_decode(std::string_view text);

/// Argon2id in PHC string form ("$argon2id$v=19$m=..."), 19 MiB, t=2, p=1, 16-octet salt. Takes tens of milliseconds.
std::string argon2id_hash(std::string_view password);
/// True when `password` matches the PHC string `encoded`.
bool argon2id_verify(std::string_view encoded, std::string_view password);

inline std::string_view as_text(std::span<const std::uint8_t> bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

} // namespace merpati::crypto
