// connection_limiter: how many connections there may be, in all and from one place. Thread-safe; one for the process.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "actors/net/listener.hpp"

namespace merpati::net {

/// The right to one connection; given back when it is destroyed.
class admission {
public:
  admission() = default;
  admission(std::shared_ptr<connection_limiter> from, std::string key) noexcept
      : from_(std::move(from)), key_(std::move(key)) {}
  admission(admission&&) noexcept = default;
  admission& operator=(admission&& other) noexcept {
    std::swap(from_, other.from_);
    std::swap(key_, other.key_);
    return *this;
  }
  ~admission();
  explicit operator bool() const noexcept { return from_ != nullptr; }

private:
  std::shared_ptr<connection_limiter> from_;
  std::string key_; // empty: counted in the total alone
};

class connection_limiter : public std::enable_shared_from_this<connection_limiter> {
public:
  explicit connection_limiter(connection_limits limits) noexcept : limits_(limits) {}

  /// An empty admission when a limit is reached.
  admission admit(std::string_view address);
  std::size_t live() const noexcept { return live_.load(std::memory_order_relaxed); }
  /// `descriptor` is the number the kernel just gave. It gives the lowest free one, so its height tells how many are
  /// in use.
  bool near_descriptor_limit(int descriptor) const noexcept;

private:
  friend class admission;
  void release(const std::string& key) noexcept;

  const connection_limits limits_;
  std::atomic<std::size_t> live_{0};
  std::mutex mutex_;
  std::unordered_map<std::string, std::size_t> by_key_;
};

} // namespace merpati::net
