#include "base/crypto.hpp"

#include <algorithm>
#include <new>
#include <stdexcept>
#include <utility>

#include <argon2.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <xxhash.h>

namespace merpati::crypto {

namespace {

const unsigned char* octets(std::string_view s) noexcept {
  return reinterpret_cast<const unsigned char*>(s.data());
}

// OWASP's second recommended Argon2id setting; a login costs about 20 ms and 19 MiB.
constexpr std::uint32_t argon2_memory_kib = 19 * 1024;
constexpr std::uint32_t argon2_passes = 2;
constexpr std::uint32_t argon2_lanes = 1;
constexpr std::size_t argon2_salt_bytes = 16;
constexpr std::size_t argon2_hash_bytes = 32;

} // namespace

sha256_digest sha256(std::string_view data) {
  sha256_digest out;
  if (EVP_Digest(data.data(), data.size(), out.data(), nullptr, EVP_sha256(), nullptr) != 1)
    throw std::runtime_error("OpenSSL refused SHA-256");
  return out;
}

sha256_digest hmac_sha256(std::string_view key, std::string_view data) {
  sha256_digest out;
  unsigned int length = out.size();
  if (!HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), octets(data), data.size(), out.data(), &length))
    throw std::runtime_error("OpenSSL refused HMAC-SHA-256");
  return out;
}

sha256_digest pbkdf2_sha256(std::string_view password, std::string_view salt, std::uint32_t iterations) {
  sha256_digest out;
  if (PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()), octets(salt), static_cast<int>(salt.size()),
                        static_cast<int>(iterations), EVP_sha256(), static_cast<int>(out.size()), out.data())
      != 1)
    throw std::runtime_error("OpenSSL refused PBKDF2");
  return out;
}

std::uint64_t checksum(std::string_view data) noexcept {
  return XXH3_64bits(data.data(), data.size());
}

struct running_checksum::state {
  XXH3_state_t* xxh = XXH3_createState();
  ~state() { XXH3_freeState(xxh); }
};

running_checksum::running_checksum() : state_(new state) {
  if (!state_->xxh)
    throw std::bad_alloc();
  XXH3_64bits_reset(state_->xxh);
}
running_checksum::~running_checksum() {
  delete state_;
}
running_checksum::running_checksum(running_checksum&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
running_checksum& running_checksum::operator=(running_checksum&& other) noexcept {
  std::swap(state_, other.state_);
  return *this;
}
void running_checksum::add(std::string_view data) noexcept {
  XXH3_64bits_update(state_->xxh, data.data(), data.size());
}
std::uint64_t running_checksum::value() const noexcept {
  return XXH3_64bits_digest(state_->xxh);
}

bool equal_constant_time(std::string_view a, std::string_view b) noexcept {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string random_bytes(std::size_t count) {
  std::string out(count, '\0');
  if (RAND_bytes(reinterpret_cast<unsigned char*>(out.data()), static_cast<int>(count)) != 1)
    throw std::runtime_error("the system's random generator failed");
  return out;
}

std::uint32_t random_number() {
  std::uint32_t out = 0;
  const auto octets = random_bytes(sizeof out);
  std::memcpy(&out, octets.data(), sizeof out);
  return out;
}

std::string random_text(std::size_t count) {
  static constexpr std::string_view alphabet = "abcdefghijklmnopqrstuvwxyz234567";
  std::string out = random_bytes(count);
  for (char& c : out)
    c = alphabet[static_cast<unsigned char>(c) & 31];
  return out;
}

std::string base64_encode(std::string_view data) {
  std::string out((data.size() + 2) / 3 * 4, '\0'); // EVP writes a NUL behind it, where std::string has its own
  EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()), octets(data), static_cast<int>(data.size()));
  return out;
}

result<std::string> base64_decode(std::string_view text) {
  if (text.empty())
    return std::string();
  auto padding = text.size() - (text.find_last_not_of('=') + 1); // npos + 1 is 0: all padding
  auto alphabet = [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/';
  };
  if (text.size() % 4 != 0 || padding > 2
      || !std::all_of(text.begin(), text.end() - static_cast<long>(padding), alphabet))
    return fail(errc::invalid, "malformed base64");
  std::string out(text.size() / 4 * 3, '\0');
  if (EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()), octets(text), static_cast<int>(text.size())) < 0)
    return fail(errc::invalid, "malformed base64");
  out.resize(out.size() - padding);
  return out;
}

std::string argon2id_hash(std::string_view password) {
  auto salt = random_bytes(argon2_salt_bytes);
  std::string encoded(argon2_encodedlen(argon2_passes, argon2_memory_kib, argon2_lanes, argon2_salt_bytes,
                                        argon2_hash_bytes, Argon2_id),
                      '\0');
  int status = argon2id_hash_encoded(argon2_passes, argon2_memory_kib, argon2_lanes, password.data(), password.size(),
                                     salt.data(), salt.size(), argon2_hash_bytes, encoded.data(), encoded.size());
  if (status != ARGON2_OK)
    throw std::runtime_error(std::string("Argon2id failed: ") + argon2_error_message(status));
  encoded.resize(encoded.find('\0'));
  return encoded;
}

bool argon2id_verify(std::string_view encoded, std::string_view password) {
  return ::argon2id_verify(std::string(encoded).c_str(), password.data(), password.size()) == ARGON2_OK;
}

} // namespace merpati::crypto
