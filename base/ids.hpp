// Strong ids: a mailbox number can't be passed where a body number is wanted.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>

namespace merpati {

/// An integer that belongs to one kind of thing. Zero means "none" for every kind.
template <class Tag, class Rep>
struct strong_id {
  using rep = Rep;
  Rep value = 0;

  constexpr strong_id() = default;
  constexpr explicit strong_id(Rep v) noexcept : value(v) {}
  constexpr explicit operator bool() const noexcept { return value != 0; }
  friend constexpr auto operator<=>(strong_id, strong_id) = default;
};

using account_id = strong_id<struct account_tag, std::uint64_t>;
using mailbox_id = strong_id<struct mailbox_tag, std::uint64_t>;
using body_id = strong_id<struct body_tag, std::uint64_t>;
using waiting_id = strong_id<struct waiting_tag, std::uint64_t>;
using uid = strong_id<struct uid_tag, std::uint32_t>;       ///< RFC 9051 2.3.1.1
using modseq = strong_id<struct modseq_tag, std::uint64_t>; ///< RFC 7162; 63 bits used

} // namespace merpati

template <class Tag, class Rep>
struct std::hash<merpati::strong_id<Tag, Rep>> {
  std::size_t operator()(merpati::strong_id<Tag, Rep> id) const noexcept { return std::hash<Rep>{}(id.value); }
};
