// The first exchange of a milter connection: version, what the filter may change, which steps it wants, which macros.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "protocols/milter/protocol.hpp"

namespace merpati::milter {

/// Stages with a list of macros of their own; the numbers are those on the wire (SMFIM_*).
enum class macro_stage : std::uint8_t { connect, helo, mail, rcpt, data, end_of_message, end_of_headers };
inline constexpr std::size_t macro_stages = 7;

/// A list of macros a filter may ask for: there are some thirty names.
inline constexpr std::size_t macro_list_names = 128;

using macro_names = std::vector<std::string>;

struct negotiated {
  std::uint32_t version = newest_version;
  std::uint32_t actions = 0; ///< action::*
  std::uint32_t steps = 0;   ///< protocol::*, only what was offered and that version has
  std::array<std::optional<macro_names>, macro_stages> macros;
  bool operator==(const negotiated&) const = default;
};

/// The data of the packet that offers everything.
std::string write_offer();

/// The data of the filter's answer. errc::invalid: too short, a version that is not spoken, or bad lists of macros.
result<negotiated> parse_answer(std::string_view data);

/// One letter as it is, all others in braces, with or without them in `name`.
std::string canonical_macro_name(std::string_view name);

/// What is sent when the filter did not ask: the lists of Postfix.
const macro_names& default_macros(macro_stage stage);

} // namespace merpati::milter
