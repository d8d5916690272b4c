#include "protocols/tls/tlsa.hpp"

#include <openssl/err.h>

#include "protocols/tls/openssl_support.hpp"

namespace merpati::tls {

namespace {

constexpr std::size_t sha256_octets = 32;
constexpr std::size_t sha512_octets = 64;

/// Whether `data` are one certificate or one public key in DER, and nothing behind it.
bool is_der(std::uint8_t selector, const std::string& data) {
  const auto* begin = reinterpret_cast<const unsigned char*>(data.data());
  const auto* at = begin;
  const auto size = static_cast<long>(data.size());
  bool good = false;
  if (selector == 0)
    good = x509_ptr(d2i_X509(nullptr, &at, size)) != nullptr;
  else
    good = pkey_ptr(d2i_PUBKEY(nullptr, &at, size)) != nullptr;
  ERR_clear_error();
  return good && at == begin + size;
}

} // namespace

std::optional<tlsa_record> read_tlsa(std::string_view octets) {
  if (octets.size() < 4) // RFC 6698 2.1: three numbers and data
    return std::nullopt;
  const auto number = [&](std::size_t i) { return static_cast<std::uint8_t>(octets[i]); };
  return tlsa_record{number(0), number(1), number(2), std::string(octets.substr(3))};
}

bool is_usable(const tlsa_record& record) {
  if (record.usage != 2 && record.usage != 3) // RFC 7672 3.1.3
    return false;
  if (record.selector > 1)
    return false;
  switch (record.matching) {
  case 0: return is_der(record.selector, record.data);
  case 1: return record.data.size() == sha256_octets;
  case 2: return record.data.size() == sha512_octets;
  default: return false;
  }
}

} // namespace merpati::tls
