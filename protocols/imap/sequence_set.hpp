// Sequence sets (RFC 9051 9 "sequence-set"): which messages a command means, by sequence number or by UID.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace merpati::imap {

/// From `first` to `last`, both included; first <= last, never 0.
struct number_range {
  std::uint32_t first = 0;
  std::uint32_t last = 0;
  bool operator==(const number_range&) const = default;
};

/// A set of 32-bit numbers as sorted, merged, non-adjacent ranges, with an open end for '*'.
class sequence_set {
public:
  sequence_set() = default;

  /// Reads all of `text` ("2,4:7,9,12:*" or "$"). errc::invalid for bad grammar or zero, errc::too_many for more than
  /// `max_ranges` elements.
  static result<sequence_set> parse(std::string_view text, std::size_t max_ranges);

  /// The set that holds `ranges`, in any order, overlapping or not.
  static sequence_set of(std::vector<number_range> ranges);

  /// Adds `number`; constant time when it is above all that is there.
  void add(std::uint32_t number);
  void add(number_range range);

  /// True for "$": the saved result of the last SEARCH (RFC 9051 6.4.4.1); the caller puts that set in its place.
  bool is_saved_result() const noexcept { return saved_; }
  bool has_star() const noexcept { return star_from_ != 0; }
  bool empty() const noexcept { return ranges_.empty() && star_from_ == 0 && !saved_; }

  /// Whether each sequence number named exists in a mailbox of `count` messages (RFC 9051 9, seq-number): false means
  /// a tagged BAD. "n:*" with n above `count` stands for the last message.
  bool fits(std::uint32_t count) const noexcept;

  /// The ranges with '*' standing for `largest`; 0 means there is none and '*' names nothing.
  std::vector<number_range> resolve(std::uint32_t largest) const;

  bool contains(std::uint32_t number, std::uint32_t largest) const noexcept;

  /// Calls f(number) for each number of 1..count that is in the set, ascending; '*' stands for `count`.
  template <class F>
  void for_each(std::uint32_t count, F&& f) const {
    for (auto range : resolve(count)) {
      if (range.first > count)
        return;
      for (auto n = range.first, last = std::min(range.last, count); n <= last; ++n) {
        f(n);
        if (n == last) // last may be the largest value there is
          break;
      }
    }
  }

  /// The ranges without the open end.
  const std::vector<number_range>& ranges() const noexcept { return ranges_; }
  /// How many numbers the ranges hold (without the open end).
  std::uint64_t count() const noexcept;

  /// Appends the text form; nothing for an empty set.
  void write(std::string& out) const;

  bool operator==(const sequence_set&) const = default;

private:
  void normalise();

  std::vector<number_range> ranges_;
  std::uint32_t star_from_ = 0; ///< n of "n:*"; 0: no star; "*" alone is the largest value
  bool saved_ = false;
};

} // namespace merpati::imap
