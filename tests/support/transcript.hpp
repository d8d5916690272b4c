// Transcripts of sessions: text files that say what the client sends and exactly what the server answers. Each is run
// whole, one octet at a time, cut at random, and, where the protocol allows it, with all commands sent at once.
//
//   # comment
//   ! name value        an option; the conversation and the test know what it means
//   C: text             the client sends text and CRLF
//   R: text             the client sends exactly text; \r \n \0 \t \\ and \xHH are escapes (also in E:)
//   S: text             the server's next line, without its CRLF
//   X: closed           the server has closed by now
//   E: text             an event: what the world behind the engine saw; all events are compared in order at the end
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace merpati::test {

struct transcript {
  struct item {
    char kind = 'C'; ///< 'C' (octets to send), 'S', 'X' or 'E'
    std::string text;
    std::size_t line = 0;
  };
  std::string name;
  std::map<std::string, std::string> options;
  std::vector<item> items;

  std::string option(const std::string& key, std::string fallback = {}) const;
};

/// Reads one file; throws std::runtime_error with file and line when it is malformed.
transcript load_transcript(const std::string& path);
/// All *.txt of a folder below tests/transcripts, sorted; throws when there are none.
std::vector<transcript> load_transcripts(const std::string& folder);

/// An engine with a world around it, as the runner sees it.
class conversation {
public:
  virtual ~conversation() = default;
  /// What the server says first.
  virtual std::string start() = 0;
  /// Hands over octets and answers every question; what the server says to them.
  virtual std::string feed(std::string_view octets) = 0;
  virtual bool closed() const = 0;
  virtual const std::vector<std::string>& events() const = 0;
};

enum class cutting : std::uint8_t {
  whole,     ///< what the client sends between two answers, in one piece
  octets,    ///< one octet at a time
  random,    ///< pieces of 1 to 40 octets, from `seed`
  pipelined, ///< everything the client ever sends in one piece
};

/// Runs `t`; empty when everything happened as written, else what was different.
std::string run_transcript(const transcript& t, conversation& with, cutting how, std::uint32_t seed = 1);

/// Printable form with the escapes of R: lines.
std::string escape(std::string_view octets);

} // namespace merpati::test
