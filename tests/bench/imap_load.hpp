// Load over IMAP: filling a mailbox, mass FETCH from it, and sessions that only wait.
#pragma once

#include "tests/bench/imap_client.hpp"

#include <cstdint>
#include <string>

namespace merpati::bench {

struct imap_load_options {
  std::uint16_t imap_port = 0;  ///< in clear
  std::uint16_t imaps_port = 0; ///< implicit TLS
  std::uint64_t user = 0;       ///< owner of the mailbox that is filled and fetched
  std::string mailbox = "INBOX";
  std::uint64_t messages = 20'000; ///< in the mailbox
  std::size_t size_bytes = 4096;
  std::uint64_t connections = 8; ///< that fill at the same time
  std::string items = "(FLAGS)"; ///< of FETCH 1:*
  std::uint64_t rounds = 5;
  std::uint64_t sessions = 1000; ///< idle ones
  std::uint64_t users = 200;     ///< over which the idle sessions are spread
  std::uint64_t time_limit_s = 300;
  account_names accounts;
};

/// APPENDs sample messages until the mailbox holds `messages`; what is there already stays. Reports "done".
void run_fill(const imap_load_options& options);

/// FETCH 1:* of `items`, `rounds` times after one that is checked and not timed. Reports "ready", then "done" with the
/// times, octets and a digest of the answers that does not depend on their order.
void run_fetch(const imap_load_options& options);

/// Opens TLS sessions up to IDLE. Reports "ready" when the first is in and "open" when half and when all are; each
/// waits for the harness.
void run_idle(const imap_load_options& options);

} // namespace merpati::bench
