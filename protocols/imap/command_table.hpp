// Every command, where it is legal and what else is to know about it, and the capabilities, each in one table.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "protocols/imap/server_engine.hpp"

namespace merpati::imap {

/// States as bits.
inline constexpr std::uint8_t in_not_authenticated = 1;
inline constexpr std::uint8_t in_authenticated = 2;
inline constexpr std::uint8_t in_selected = 4;

struct verb_row {
  std::string_view verb; ///< upper case
  std::uint8_t states = 0;
  bool takes_uid = false;     ///< "UID verb" exists
  bool needs_privacy = false; ///< refused without TLS unless options allow it
  bool may_expunge = true;    ///< EXPUNGE may be told while it runs (RFC 9051 7.5.1); false: not without UID
};

/// The row of a verb in any case, or nullptr.
const verb_row* find_verb(std::string_view verb) noexcept;
std::span<const verb_row> all_verbs() noexcept;
/// The row of a parsed command.
const verb_row& row_of(const command_body& body) noexcept;
/// Whether EXPUNGE may be told while this command is answered.
bool may_expunge(const command_body& body) noexcept;

/// "IMAP4rev1 ..." for this state; the same text is in CAPABILITY, in the greeting and in the OK of a login.
std::string capability_text(const engine_options& options, session_state state, bool tls_active, bool can_bind);

} // namespace merpati::imap
