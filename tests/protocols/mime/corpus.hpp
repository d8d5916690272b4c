// The messages of the third-party test data, and trees as text so that tests can compare them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "protocols/mime/message.hpp"
#include "tests/support/catch2.hpp"

namespace merpati::mime::test {

struct sample {
  std::filesystem::path path;
  std::string octets;
};

inline std::string read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// All messages, in the order of their names; none where the data is absent.
inline std::vector<sample> corpus(const std::string& folder = "") {
  const std::filesystem::path root = std::filesystem::path(MERPATI_TEST_DATA) / "mime" / folder;
  std::vector<sample> all;
  if (std::filesystem::exists(root))
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root))
      if (entry.is_regular_file()
          && (entry.path().extension() == ".msg" || entry.path().extension() == ".eml"
              || entry.path().filename() == "sample_output_multipart"))
        all.push_back({entry.path(), read_file(entry.path())});
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.path < b.path; });
  if (all.empty())
    WARN("SKIPPED: no messages in " << root);
  return all;
}

/// Everything that the parser found, one line for each part.
inline void describe(const part& p, int level, std::string& out) {
  const auto number = [&](std::uint64_t n) { out += std::to_string(n) + ' '; };
  const auto params = [&](const parameters& list) {
    for (const auto& x : list)
      out += "; " + x.name + (x.extended ? "*=" : "=") + x.value;
  };
  out.append(static_cast<std::size_t>(level) * 2, ' ');
  out += p.type + '/' + p.subtype + ' ';
  number(static_cast<std::uint64_t>(p.what));
  number(p.opaque);
  number(p.readable);
  for (const auto n : {p.header_begin, p.body_begin, p.body_end, p.header_lines, p.body_lines})
    number(n);
  params(p.params);
  out += " [" + p.disposition.type;
  params(p.disposition.params);
  out += "] " + p.encoding_name + '|' + p.id + '|' + p.description + '|' + p.md5 + '|' + p.location;
  for (const auto& l : p.languages)
    out += ',' + l;
  if (p.values) {
    const auto& v = *p.values;
    for (const auto* s : {&v.date, &v.subject, &v.from, &v.sender, &v.reply_to, &v.to, &v.cc, &v.bcc, &v.in_reply_to,
                          &v.message_id, &v.references})
      out += '\t' + *s;
  }
  out += '\n';
  for (const auto& child : p.children)
    describe(child, level + 1, out);
}

inline std::string describe(const message& m) {
  std::string out = std::to_string(m.octets) + (m.degraded ? " degraded\n" : "\n");
  describe(m.root, 0, out);
  return out;
}

/// Small deterministic numbers (SplitMix64).
class numbers {
public:
  explicit numbers(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() {
    auto z = state_ += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }
  std::size_t below(std::size_t n) { return static_cast<std::size_t>(next() % n); }

private:
  std::uint64_t state_;
};

} // namespace merpati::mime::test
