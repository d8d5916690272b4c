#include "tests/support/transcript.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <random>
#include <stdexcept>

namespace merpati::test {

namespace {

std::string unescape(std::string_view text, const std::string& where) {
  std::string out;
  for (std::size_t i = 0; i != text.size(); ++i) {
    if (text[i] != '\\') {
      out += text[i];
      continue;
    }
    switch (++i < text.size() ? text[i] : '?') {
    case 'r': out += '\r'; break;
    case 'n': out += '\n'; break;
    case 't': out += '\t'; break;
    case '0': out += '\0'; break;
    case '\\': out += '\\'; break;
    case 'x':
      if (i + 2 >= text.size())
        throw std::runtime_error(where + ": short \\x");
      out += static_cast<char>(std::stoi(std::string(text.substr(i + 1, 2)), nullptr, 16));
      i += 2;
      break;
    default: throw std::runtime_error(where + ": unknown escape");
    }
  }
  return out;
}

class player {
public:
  player(const transcript& t, conversation& with, cutting how, std::uint32_t seed)
      : transcript_(t), with_(with), how_(how), random_(seed) {}

  std::string play() {
    said_ = with_.start();
    if (how_ == cutting::pipelined) {
      std::string everything;
      for (const auto& item : transcript_.items)
        if (item.kind == 'C')
          everything += item.text;
      said_ += with_.feed(everything);
    }
    std::string problem;
    for (const auto& item : transcript_.items)
      if (problem = step(item); !problem.empty())
        return transcript_.name + ":" + std::to_string(item.line) + ": " + problem;
    flush();
    if (!said_.empty())
      return transcript_.name + ": at the end the server also said: " + escape(said_);
    return compare_events();
  }

private:
  std::string step(const transcript::item& item) {
    switch (item.kind) {
    case 'C':
      if (how_ == cutting::pipelined)
        return {};
      unsent_ += item.text;
      return {};
    case 'S': {
      flush();
      const auto end = said_.find("\r\n");
      const auto line = said_.substr(0, end);
      if (end == std::string::npos || line != item.text)
        return "expected \"" + item.text + "\", got \"" + escape(line) + "\"";
      said_.erase(0, end + 2);
      return {};
    }
    case 'X': flush(); return with_.closed() ? "" : "expected the connection to be closed";
    default: events_.push_back(item.text); return {};
    }
  }

  // Sends what has gathered; an answer left over from before would show in the next comparison.
  void flush() {
    std::uniform_int_distribution<std::size_t> length(1, 40);
    for (std::string_view left = unsent_; !left.empty();) {
      auto count = left.size();
      if (how_ == cutting::octets)
        count = 1;
      else if (how_ == cutting::random)
        count = std::min(left.size(), length(random_));
      said_ += with_.feed(left.substr(0, count));
      left.remove_prefix(count);
    }
    unsent_.clear();
  }

  std::string compare_events() const {
    const auto& seen = with_.events();
    for (std::size_t i = 0; i != std::max(seen.size(), events_.size()); ++i) {
      const auto expected = i < events_.size() ? events_[i] : std::string("nothing");
      const auto got = i < seen.size() ? seen[i] : std::string("nothing");
      if (expected != got)
        return transcript_.name + ": event " + std::to_string(i + 1) + ": expected \"" + escape(expected) + "\", got \""
               + escape(got) + "\"";
    }
    return {};
  }

  const transcript& transcript_;
  conversation& with_;
  cutting how_;
  std::minstd_rand random_;
  std::string unsent_;
  std::string said_;
  std::vector<std::string> events_;
};

} // namespace

std::string transcript::option(const std::string& key, std::string fallback) const {
  const auto at = options.find(key);
  return at == options.end() ? fallback : at->second;
}

transcript load_transcript(const std::string& path) {
  std::ifstream file(path);
  if (!file)
    throw std::runtime_error(path + ": can't be read");
  transcript out;
  out.name = std::filesystem::path(path).filename().string();
  std::size_t number = 0;
  for (std::string line; std::getline(file, line);) {
    const auto where = path + ":" + std::to_string(++number);
    if (line.empty() || line.front() == '#')
      continue;
    if (line.starts_with("! ")) {
      const auto space = std::min(line.find(' ', 2), line.size());
      out.options[line.substr(2, space - 2)] = line.substr(std::min(space + 1, line.size()));
      continue;
    }
    if (line.size() < 2 || line[1] != ':' || (line.size() > 2 && line[2] != ' '))
      throw std::runtime_error(where + ": malformed line");
    const auto text = line.substr(std::min<std::size_t>(3, line.size()));
    switch (line[0]) {
    case 'C': out.items.push_back({'C', text + "\r\n", number}); break;
    case 'R': out.items.push_back({'C', unescape(text, where), number}); break;
    case 'E': out.items.push_back({'E', unescape(text, where), number}); break;
    case 'S':
    case 'X': out.items.push_back({line[0], text, number}); break;
    default: throw std::runtime_error(where + ": unknown kind of line");
    }
  }
  return out;
}

std::vector<transcript> load_transcripts(const std::string& folder) {
  std::vector<std::string> paths;
  for (const auto& entry :
       std::filesystem::directory_iterator(std::string(MERPATI_SOURCE_DIR "/tests/transcripts/") + folder))
    if (entry.path().extension() == ".txt")
      paths.push_back(entry.path().string());
  if (paths.empty())
    throw std::runtime_error("no transcripts in " + folder);
  std::sort(paths.begin(), paths.end());
  std::vector<transcript> out;
  for (const auto& path : paths)
    out.push_back(load_transcript(path));
  return out;
}

std::string run_transcript(const transcript& t, conversation& with, cutting how, std::uint32_t seed) {
  return player(t, with, how, seed).play();
}

std::string escape(std::string_view octets) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  for (char c : octets) {
    const auto octet = static_cast<unsigned char>(c);
    if (c == '\r')
      out += "\\r";
    else if (c == '\n')
      out += "\\n";
    else if (octet < 0x20 || octet >= 0x7f)
      out += std::string("\\x") + digits[octet >> 4u] + digits[octet & 15u];
    else
      out += c;
  }
  return out;
}

} // namespace merpati::test
