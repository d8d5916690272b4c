// The PROXY header, whole and octet by octet, and the arguments of XCLIENT.
#include <cstdint>
#include <cstdlib>

#include "protocols/proxy/header_reader.hpp"
#include "protocols/smtp/xclient.hpp"

using namespace merpati;
using status = proxy::header_reader::status;

namespace {

void require(bool holds) {
  if (!holds)
    std::abort();
}

void check_header(std::string_view octets) {
  proxy::header_reader whole;
  const auto end = whole.feed(octets);
  proxy::header_reader single;
  auto single_end = status::more;
  std::size_t used = 0;
  while (used < octets.size() && single_end == status::more)
    single_end = single.feed(octets.substr(used++, 1));
  require(single_end == end);
  require(used == whole.taken());
  if (end == status::more)
    require(octets.size() < 16 + proxy::v2_payload_bytes);
  if (end != status::done)
    return;
  require(whole.value() == single.value());
  const auto written = proxy::write_header(whole.value());
  proxy::header_reader again;
  require(again.feed(written) == status::done);
  require(again.taken() == written.size() && again.value() == whole.value());
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check_header(text);
  if (const auto client = smtp::parse_xclient(text)) {
    const auto again = smtp::parse_xclient(smtp::write_xclient(*client));
    require(again && *again == *client);
  }
  return 0;
}
