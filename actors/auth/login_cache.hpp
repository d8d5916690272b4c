// Remembers for a short while which passwords were right, so that a mail program that opens ten connections costs one
// hashing. Holds no password and nothing that could be tried offline without the key, which never leaves the process:
// entries are HMAC-SHA-256 over account, stored hash, client network and password. A new password makes another stored
// hash, so old entries match no more.
#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/crypto.hpp"

namespace merpati::auth {

class login_cache {
public:
  using clock = std::chrono::steady_clock;

  /// `key`: 32 random octets. `lifetime` 0 or `entries` 0: remembers nothing.
  login_cache(std::string key, std::chrono::nanoseconds lifetime, std::size_t entries)
      : key_(std::move(key)), lifetime_(lifetime), limit_(entries) {}

  /// Names one right login. Views are only read here.
  crypto::sha256_digest entry(std::string_view account, std::string_view stored_hash, std::string_view network,
                              std::string_view password) const;

  bool knows(const crypto::sha256_digest& entry, clock::time_point now) const;
  /// Neither using an entry nor remembering it again lengthens its life.
  void remember(const crypto::sha256_digest& entry, clock::time_point now);

  std::size_t size() const noexcept { return until_.size(); }

private:
  struct digest_hash {
    std::size_t operator()(const crypto::sha256_digest& d) const noexcept;
  };

  std::string key_;
  std::chrono::nanoseconds lifetime_;
  std::size_t limit_;
  std::unordered_map<crypto::sha256_digest, clock::time_point, digest_hash> until_;
  std::deque<std::pair<clock::time_point, crypto::sha256_digest>> order_; ///< by the end of life
};

} // namespace merpati::auth
