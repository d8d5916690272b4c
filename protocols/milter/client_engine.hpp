// The mail server's side of one milter connection, without the connection: steps of an SMTP session go in, octets come
// out, octets of the filter go in, verdicts come out.
//
//   engine.start();                      // output, feed, next() until it gives `ready`
//   engine.begin(helo_step{"a.example"}, macros);
//   send(engine.take_output());
//   for (;;) { auto what = engine.next(); ... need_input: engine.feed(received) ... said: the verdict }
//
// One step at a time: the next begins when the one before was answered. Steps that the filter did not want, or does
// not answer, are answered here, so that the caller need not know. After an accept nothing is asked about that message
// (at connect and helo: that client) any more. The filter stays in step through abort_message().
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "protocols/milter/filter_reply.hpp"
#include "protocols/milter/negotiation.hpp"
#include "protocols/milter/packet.hpp"

namespace merpati::milter {

enum class address_family : char { unknown = 'U', local = 'L', inet = '4', inet6 = '6' };

struct connect_step {
  std::string host; ///< the client's verified name, or "[address]"
  address_family family = address_family::unknown;
  std::uint16_t port = 0;
  std::string address; ///< numeric, or the path of the socket
};
struct helo_step {
  std::string name;
};
struct mail_step {
  std::vector<std::string> arguments; ///< "<alice@example.org>", then "SIZE=1000" and the like
};
struct rcpt_step {
  std::vector<std::string> arguments;
};
struct data_step {};
struct unknown_step {
  std::string line;
};
struct header_step {
  std::string name;
  std::string value; ///< as header_field::value
};
struct end_of_headers_step {};
struct body_step {
  std::string octets; ///< at most data_max_bytes; lines end with CRLF
};
struct end_of_message_step {};

using step = std::variant<connect_step, helo_step, mail_step, rcpt_step, data_step, unknown_step, header_step,
                          end_of_headers_step, body_step, end_of_message_step>;

/// All macros that have a value now, by their canonical name: "i", "{auth_authen}". Which are sent is the engine's.
using macro_table = std::map<std::string, std::string, std::less<>>;

struct need_input {};
struct ready {};      ///< the negotiation is over
struct progressed {}; ///< the filter works on it and wants more time
struct said {
  milter::verdict verdict = milter::verdict::proceed;
  std::optional<smtp::reply> reply;  ///< with reject and tempfail, when the filter gave one
  std::vector<modification> changes; ///< at the end of the message; header values begin with their space
};
struct broken {
  std::string what; ///< how the filter broke the protocol, or that it refuses us; nothing else follows
};
using answer = std::variant<need_input, ready, progressed, said, broken>;

struct engine_limits {
  /// Of the filter's packets: a body chunk needs 64 KiB, and filters that are not libmilter may send longer headers.
  std::size_t packet_bytes = 1'048'576;
  std::size_t changes = 10'000;          ///< of one message; as many as headers and recipients may reasonably be
  std::size_t change_bytes = 1'048'576;  ///< of these, the new body not counted
  std::size_t body_bytes = 52'428'800;   ///< of the new body: no larger than a message may be
  std::size_t progress_reports = 10'000; ///< for one step: at one a second nearly three hours
};

class client_engine {
public:
  explicit client_engine(engine_limits limits = {}) : limits_(limits), reader_(limits.packet_bytes) {}

  void start();
  void begin(const step& what, const macro_table& macros);
  /// The message is given up by the client (RSET, a new MAIL, the end): the filter forgets it.
  void abort_message();
  /// Says good-bye; the filter closes.
  void quit();
  /// The client is gone and another uses this connection: connect_step is next. False: the filter is too old.
  bool restart();

  void feed(std::string_view octets) { reader_.feed(octets); }
  answer next();
  std::string take_output() { return std::exchange(output_, {}); }

  /// A step was begun and its answer is not there yet.
  bool waiting() const noexcept { return waits_ != wait::nothing; }
  const negotiated& options() const noexcept { return options_; }
  /// False: a body would not be looked at, or no more of it.
  bool wants_body() const noexcept;

private:
  enum class wait : std::uint8_t { nothing, negotiation, filter, nobody };

  std::optional<answer> take(const packet& p);
  std::optional<answer> take_reply(filter_reply reply);
  answer fail_with(std::string what);
  answer decide(said verdict);
  std::optional<std::string> keep(modification change);
  bool is_over(const step& what) const noexcept;
  void send_macros(char code, macro_stage stage, const macro_table& macros);
  void send_step(const step& what, char code);
  std::string data_of(const step& what) const;

  engine_limits limits_;
  packet_reader reader_;
  std::string output_;
  negotiated options_;
  std::vector<modification> changes_;
  std::size_t change_bytes_ = 0;
  std::size_t body_bytes_ = 0;
  std::size_t progress_ = 0;
  std::optional<broken> broken_;
  std::size_t step_ = 0; ///< index in the variant of the one that waits
  wait waits_ = wait::nothing;
  bool client_over_ = false;  ///< accepted at connect or helo
  bool message_over_ = false; ///< decided before its end
  bool message_open_ = false; ///< the filter knows of a message
  bool skip_body_ = false;
};

} // namespace merpati::milter
