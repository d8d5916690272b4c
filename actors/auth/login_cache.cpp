#include "actors/auth/login_cache.hpp"

#include <cstring>

namespace merpati::auth {

crypto::sha256_digest login_cache::entry(std::string_view account, std::string_view stored_hash,
                                         std::string_view network, std::string_view password) const {
  std::string text;
  text.reserve(account.size() + stored_hash.size() + network.size() + password.size() + 3);
  // The password is last and the others hold no NUL, so no two different logins make the same text.
  for (auto part : {account, stored_hash, network}) {
    text += part;
    text += '\0';
  }
  text += password;
  return crypto::hmac_sha256(key_, text);
}

std::size_t login_cache::digest_hash::operator()(const crypto::sha256_digest& d) const noexcept {
  std::size_t out = 0;
  std::memcpy(&out, d.data(), sizeof out);
  return out;
}

bool login_cache::knows(const crypto::sha256_digest& entry, clock::time_point now) const {
  auto found = until_.find(entry);
  return found != until_.end() && now < found->second;
}

void login_cache::remember(const crypto::sha256_digest& entry, clock::time_point now) {
  if (limit_ == 0 || lifetime_ <= std::chrono::nanoseconds(0) || knows(entry, now))
    return;
  until_[entry] = now + lifetime_;
  order_.emplace_back(now + lifetime_, entry);
  while (!order_.empty() && (until_.size() > limit_ || order_.front().first <= now)) {
    // An entry whose life ended and that was remembered again stands in `order_` twice; the later place decides.
    if (auto found = until_.find(order_.front().second); found != until_.end() && found->second <= order_.front().first)
      until_.erase(found);
    order_.pop_front();
  }
}

} // namespace merpati::auth
