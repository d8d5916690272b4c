// Any octets on their way to a server that takes 7 bits: what is converted is ASCII, does not depend on how it was cut,
// needs no second conversion and stays within what was estimated.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "protocols/mime/seven_bit_writer.hpp"
#include "protocols/text/utf8.hpp"

using namespace merpati::mime;

namespace {

void require(bool holds) {
  if (!holds)
    std::abort();
}

template <class Take>
void in_pieces(std::string_view octets, std::size_t step, Take take) {
  for (; !octets.empty(); octets.remove_prefix(std::min(step, octets.size())))
    take(octets.substr(0, step));
}

/// False: it goes as it is, or not at all.
bool convert(std::string_view octets, std::size_t step, bool utf8, bool binary, std::string& out) {
  seven_bit_plan plan(binary);
  in_pieces(octets, step, [&](auto piece) { plan.survey(piece); });
  if (!plan.end_survey())
    return false;
  in_pieces(octets, step, [&](auto piece) { plan.measure(piece); });
  if (plan.decide(utf8) != seven_bit_plan::verdict::convert)
    return false;
  seven_bit_writer writer(plan);
  in_pieces(octets, step, [&](auto piece) { writer.write(piece, out); });
  require(out.size() <= plan.estimated_octets());
  return true;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2)
    return 0;
  const std::size_t step = 1 + data[0] % 61;
  const bool utf8 = (data[1] & 1) != 0;
  const bool binary = (data[1] & 2) != 0;
  const std::string_view octets(reinterpret_cast<const char*>(data) + 2, size - 2);
  std::string at_once;
  std::string pieces;
  const bool done = convert(octets, octets.size() + 1, utf8, binary, at_once);
  require(convert(octets, step, utf8, binary, pieces) == done);
  require(at_once == pieces);
  if (done && !utf8)
    require(merpati::text::is_ascii(at_once));
  return 0;
}
