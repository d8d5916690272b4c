// Little helpers to lay values out as octets: fixed widths (little-endian in values, big-endian in keys so that they
// sort), varints (7 bits an octet, low first), texts with their length before them.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "base/clock.hpp"

namespace merpati::storage {

/// Appends to a string.
class encoder {
public:
  explicit encoder(std::string& out) : out_(out) {}

  encoder& u8(std::uint8_t v) {
    out_.push_back(static_cast<char>(v));
    return *this;
  }
  encoder& u64(std::uint64_t v) {
    char octets[8];
    for (auto& o : octets) {
      o = static_cast<char>(v & 0xff);
      v >>= 8;
    }
    out_.append(octets, sizeof octets);
    return *this;
  }
  encoder& varint(std::uint64_t v) {
    while (v >= 0x80) {
      u8(static_cast<std::uint8_t>(v | 0x80));
      v >>= 7;
    }
    return u8(static_cast<std::uint8_t>(v));
  }
  encoder& time(timestamp t) { return u64(static_cast<std::uint64_t>(t.time_since_epoch().count())); }
  encoder& text(std::string_view s) {
    varint(s.size());
    out_.append(s);
    return *this;
  }
  encoder& raw(std::string_view s) {
    out_.append(s);
    return *this;
  }

private:
  std::string& out_;
};

/// Reads what encoder wrote. After the first octet that does not fit, ok() is false and everything reads as zero.
class decoder {
public:
  explicit decoder(std::string_view in) : in_(in) {}

  bool ok() const noexcept { return ok_; }
  /// Everything was read and fitted.
  bool done() const noexcept { return ok_ && in_.empty(); }
  std::size_t left() const noexcept { return in_.size(); }

  std::uint8_t u8() { return static_cast<std::uint8_t>(take(1).front()); }
  std::uint64_t u64() {
    auto octets = take(8);
    std::uint64_t v = 0;
    for (std::size_t i = 8; i-- > 0;)
      v = v << 8 | static_cast<std::uint8_t>(octets[i]);
    return v;
  }
  std::uint64_t varint() {
    std::uint64_t v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      auto o = u8();
      v |= static_cast<std::uint64_t>(o & 0x7f) << shift;
      if (!(o & 0x80)) {
        if (shift == 63 && o > 1)
          break;
        return v;
      }
    }
    return bad();
  }
  std::uint32_t varint32() {
    auto v = varint();
    return v <= UINT32_MAX ? static_cast<std::uint32_t>(v) : static_cast<std::uint32_t>(bad());
  }
  timestamp time() { return timestamp(std::chrono::microseconds(static_cast<std::int64_t>(u64()))); }
  bool boolean() {
    auto v = u8();
    return v <= 1 ? v == 1 : bad() != 0;
  }
  /// At most `limit` octets; a view into the input.
  std::string_view text(std::size_t limit) {
    auto n = varint();
    if (n > limit || n > in_.size())
      return bad(), std::string_view();
    auto s = in_.substr(0, n);
    in_.remove_prefix(n);
    return s;
  }
  std::string_view raw(std::size_t n) {
    if (n > in_.size())
      return bad(), std::string_view();
    auto s = in_.substr(0, n);
    in_.remove_prefix(n);
    return s;
  }
  /// The number of items that follow, each of at least one octet: never more than there are octets left.
  std::size_t count(std::size_t limit) {
    auto n = varint();
    return n <= limit && n <= in_.size() ? static_cast<std::size_t>(n) : static_cast<std::size_t>(bad());
  }
  /// Marks the input as wrong.
  std::uint64_t bad() noexcept {
    ok_ = false;
    in_ = {};
    return 0;
  }

private:
  std::string_view take(std::size_t n) {
    static constexpr char zeros[8] = {};
    if (n > in_.size())
      return bad(), std::string_view(zeros, n);
    auto s = in_.substr(0, n);
    in_.remove_prefix(n);
    return s;
  }

  std::string_view in_;
  bool ok_ = true;
};

/// A key of the index, built in place: no allocation.
class key {
public:
  key& u8(std::uint8_t v) {
    data_[size_++] = static_cast<char>(v);
    return *this;
  }
  key& u32(std::uint32_t v) {
    for (int shift = 24; shift >= 0; shift -= 8)
      u8(static_cast<std::uint8_t>(v >> shift));
    return *this;
  }
  key& u64(std::uint64_t v) { return u32(static_cast<std::uint32_t>(v >> 32)).u32(static_cast<std::uint32_t>(v)); }
  /// The caller keeps the whole within 511 octets.
  key& text(std::string_view s) {
    if (!s.empty()) // an empty view may hold no pointer at all
      std::memcpy(data_ + size_, s.data(), s.size());
    size_ += s.size();
    return *this;
  }
  operator std::string_view() const noexcept { return {data_, size_}; }

private:
  char data_[511];
  std::size_t size_ = 0;
};

inline std::uint32_t big32(std::string_view s) noexcept {
  std::uint32_t v = 0;
  for (std::size_t i = 0; i < 4; ++i)
    v = v << 8 | static_cast<std::uint8_t>(s[i]);
  return v;
}
inline std::uint64_t big64(std::string_view s) noexcept {
  return static_cast<std::uint64_t>(big32(s)) << 32 | big32(s.substr(4));
}

} // namespace merpati::storage
