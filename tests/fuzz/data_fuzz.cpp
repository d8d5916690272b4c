// The decoder of SMTP's message data beside one of twenty lines that looks at the whole input at once: the same octets,
// the same end, the same judgement, however the input is cut.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "protocols/smtp/data_decoder.hpp"

using namespace merpati;

namespace {

struct decoded {
  std::string octets;
  bool ended = false;
  bool bare = false; ///< a CR or LF that is not part of CRLF, before the end
  bool operator==(const decoded&) const = default;
};

/// RFC 5321 4.5.2: a line of one dot ends the message, a dot before more is dropped. Lines end with CRLF alone.
decoded reference(std::string_view input) {
  decoded out;
  bool line_start = true;
  for (std::size_t i = 0; i < input.size(); ++i) {
    if (line_start && input.substr(i, 3) == ".\r\n") {
      out.ended = true;
      return out;
    }
    const bool crlf = input.substr(i, 2) == "\r\n";
    const bool dot = line_start && input[i] == '.';
    line_start = crlf;
    if (crlf)
      out.octets += input.substr(i++, 2);
    else if (!dot)
      out.octets += input[i];
    if (!crlf && (input[i] == '\r' || input[i] == '\n'))
      out.bare = true;
  }
  return out;
}

decoded decode(std::string_view input, std::size_t cut) {
  smtp::data_decoder decoder;
  decoded out;
  while (!input.empty() && !out.ended) {
    // A buffer of its own: a view that is kept too long shows under AddressSanitizer.
    const std::string buffer(input.substr(0, cut));
    input.remove_prefix(buffer.size());
    std::string_view rest = buffer;
    while (!rest.empty() && !out.ended) {
      const auto piece = decoder.decode(rest);
      out.octets += piece.decoded;
      rest.remove_prefix(piece.consumed);
      out.ended = piece.end;
    }
  }
  out.bare = decoder.found().saw_bare_newline();
  if (decoder.found().size_bytes != out.octets.size())
    std::abort();
  return out;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string input(reinterpret_cast<const char*>(data), size);
  input += "\r\n.\r\n";
  const auto expected = reference(input);
  for (std::size_t cut : {input.size(), std::size_t{1}, std::size_t{3}})
    if (decode(input, cut) != expected)
      std::abort();
  return 0;
}
