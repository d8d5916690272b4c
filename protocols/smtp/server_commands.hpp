// The verb table of the SMTP server: which command is legal when, and who carries it out.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "protocols/smtp/server_engine.hpp"

namespace merpati::smtp {

/// Where a session is; a command's legal ones are a set of these.
enum session_state : std::uint8_t {
  state_fresh = 1,   ///< before EHLO or HELO
  state_greeted = 2, ///< no message begun
  state_sender = 4,  ///< MAIL taken
  state_rcpt = 8,    ///< at least one recipient taken
  state_chunks = 16, ///< inside a message that comes by BDAT
  state_any = 31,
};

enum command_flag : std::uint8_t {
  flag_synchronises = 1,  ///< nothing may be pipelined behind it: its reply changes what may follow (RFC 2920 3.1)
  flag_no_argument = 2,   ///< arguments are a syntax error
  flag_submission = 4,    ///< exists on submission only
  flag_authenticated = 8, ///< on submission only after AUTH
  flag_idle = 16,         ///< brings no message nearer; counted
  flag_lmtp = 32,         ///< exists over LMTP only
  flag_not_lmtp = 64,     ///< does not exist over LMTP
  flag_xclient = 128,     ///< exists for peers that may speak for others
};

struct command {
  std::string_view verb;
  std::uint8_t states;
  std::uint8_t flags;
  std::optional<step> (*run)(server_engine& engine, std::string_view argument);
};

/// The whole table (also for tests).
std::span<const command> command_table() noexcept;

} // namespace merpati::smtp
