// Load over SMTP: many sessions send messages of one size, until every one can be seen in its mailbox.
#pragma once

#include "tests/bench/imap_client.hpp"

#include <cstdint>
#include <string>

namespace merpati::bench {

struct smtp_load_options {
  std::uint16_t smtp_port = 0;
  std::uint16_t imap_port = 0; ///< in clear; 0: time until acceptance only, no look into the mailboxes
  std::uint64_t sessions = 64;
  std::uint64_t messages = 1000;
  std::uint64_t messages_per_session = 10; ///< then QUIT and a new connection
  std::uint64_t users = 64;                ///< recipients, message i goes to user i modulo users
  std::size_t size_bytes = 4096;
  bool pipelining = false; ///< RFC 2920; otherwise each command waits for its reply, as ordinary clients do
  bool starttls = false;
  std::uint64_t time_limit_s = 300;
  std::string run = "run"; ///< word in the Message-IDs
  account_names accounts;
};

/// Runs it and reports "ready", then "done" with the figures. Any refusal ends the run with load_error.
void run_smtp_load(const smtp_load_options& options);

} // namespace merpati::bench
