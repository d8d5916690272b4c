// As much of an IMAP client as the load needs: tagged commands, STATUS counts, answers counted and never stored.
#pragma once

#include "tests/bench/client_stream.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace merpati::bench {

/// Whom to log in as: user numbers map to names, all with one password.
struct account_names {
  std::string prefix = "user";
  std::string domain = "bench.example";
  std::string password = "bench-password";

  /// prefix + four digits + @domain
  std::string address(std::uint64_t number) const;
};

class imap_client {
public:
  imap_client(event_loop& loop, std::size_t read_size) : stream_(loop, read_size) {}

  /// Connects, reads the greeting, logs in.
  task<void> login(std::uint16_t port, const tls_client* tls, std::string user, std::string password);
  /// Sends a command and passes over its answers; throws load_error unless it ends in OK.
  task<void> command(std::string text);
  /// Whether the server names a capability after login.
  task<bool> has_capability(std::string name);
  /// Number of messages in a mailbox, by STATUS.
  task<std::uint64_t> message_count(std::string mailbox);
  /// SELECTs and gives the number of messages.
  task<std::uint64_t> select(std::string mailbox);
  /// LOGOUT and close.
  task<void> logout();

  client_stream& stream() { return stream_; }
  /// A fresh tag.
  std::string next_tag() { return "b" + std::to_string(++tags_); }

private:
  client_stream stream_;
  std::uint64_t tags_ = 0;
};

/// Size of the literal that a line of a server announces at its end ("... {123}"), or -1 where there is none.
std::int64_t literal_at_end(std::string_view line);

/// The number behind `word` in a line ("MESSAGES 17"), or -1.
std::int64_t number_after(std::string_view line, std::string_view word);

} // namespace merpati::bench
