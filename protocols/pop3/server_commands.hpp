// The verb table of the POP3 server: which command is legal when, and who carries it out.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "protocols/pop3/server_engine.hpp"

namespace merpati::pop3 {

/// RFC 1939 3; a command's legal states are a set of these.
enum session_state : std::uint8_t {
  state_authorization = 1,
  state_transaction = 2,
  state_any = 3,
};

enum command_flag : std::uint8_t {
  flag_synchronises = 1, ///< nothing may be pipelined behind it
  flag_no_argument = 2,  ///< arguments are an error
  flag_login = 4,        ///< only where a login is possible at all: on TLS, or where plain text is allowed
};

struct command {
  std::string_view verb;
  std::uint8_t states;
  std::uint8_t flags;
  std::optional<step> (*run)(server_engine& engine, std::string_view argument);
};

/// The whole table (also for tests).
std::span<const command> command_table() noexcept;

} // namespace merpati::pop3
