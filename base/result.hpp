// result<T>: the value, or the reason why there is none. Peers' bad input and the world's failures travel this way;
// exceptions are left for our own bugs and for std::bad_alloc.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include <tl/expected.hpp>

namespace merpati {

/// Closed list of failure kinds. A new one is added only when some caller reacts to it differently.
enum class errc : std::uint8_t {
  not_found,      ///< what was named does not exist
  already_exists, ///< what should be made is there already
  invalid,        ///< malformed or out of range, on the caller's side
  too_big,        ///< larger than a named limit
  too_many,       ///< more of them than a named limit, or too often
  over_quota,     ///< the account's quota would be exceeded
  disk_full,      ///< no space for data (ENOSPC, full map); temporary
  unavailable,    ///< a part we need does not answer now; temporary
  in_use,         ///< somebody else holds it exclusively
  not_permitted,  ///< policy or access rights say no
  auth_failed,    ///< credentials are wrong
  corrupted,      ///< stored data fails its checksum or its grammar
  shutting_down,  ///< we are stopping; temporary
  internal,       ///< our own bug, caught at a border
};

/// Stable lower-case name of a failure kind, for logs and tests.
std::string_view to_string(errc code) noexcept;

/// A failure: its kind for code, its sentence for people (what happened and, where there is one, the remedy).
struct error {
  errc code;
  std::string what;
};

template <class T>
using result = tl::expected<T, error>;

/// `return fail(errc::not_found, "no mailbox named ...");`
inline tl::unexpected<error> fail(errc code, std::string what) {
  return tl::unexpected<error>(error{code, std::move(what)});
}

} // namespace merpati
