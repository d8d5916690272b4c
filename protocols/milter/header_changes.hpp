// A message's header block as a filter sees it, and as it is after the filter's changes.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "protocols/milter/filter_reply.hpp"

namespace merpati::milter {

struct header_field {
  std::string name;
  std::string value; ///< all behind the colon, with its first space; lines are separated by LF alone
  bool operator==(const header_field&) const = default;
};

/// The fields of `block`: lines with CRLF or LF, without the empty line behind. What is no field is left out.
std::vector<header_field> split_header_block(std::string_view block);

/// `block` after `changes`, in their order; other kinds of change are passed over. Fields that are not changed keep
/// their octets. insert_header counts all fields from 0, and behind the last it appends; change_header counts those
/// of its name from 1, without regard to case, as they are at that moment (a deleted one is not counted), and adds a
/// field where there is no such one. A line of a value that would begin a field of its own or end the block is folded.
std::string apply_header_changes(std::string_view block, std::span<const modification> changes);

} // namespace merpati::milter
