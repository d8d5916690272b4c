// Milter client engine: the first octet chooses the stage that waits and how the input is cut, the second the steps the
// filter negotiated; the rest is what the filter says. Whole and cut input must have the same outcome, and what it
// makes of a header block must keep to its lines.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "protocols/milter/client_engine.hpp"
#include "protocols/milter/header_changes.hpp"

using namespace merpati;
using namespace merpati::milter;

namespace {

constexpr std::string_view block = "From: a\r\nSubject: b\r\n\tc\r\nFrom: d\r\n";

step stage(unsigned choice) {
  switch (choice % 6u) {
  case 0: return connect_step{"h.example", address_family::inet, 25, "192.0.2.1"};
  case 1: return mail_step{{"<a@b.example>"}};
  case 2: return rcpt_step{{"<a@b.example>"}};
  case 3: return header_step{"Subject", " x"};
  case 4: return body_step{"text\r\n"};
  default: return end_of_message_step{};
  }
}

std::string run(unsigned choice, unsigned steps, std::string_view input, std::size_t cut) {
  engine_limits limits;
  limits.packet_bytes = 4096;
  limits.changes = 50;
  client_engine engine(limits);
  engine.start();
  if (steps < 255) { // else the input begins with the negotiation
    std::string options;
    append_number(newest_version, options);
    append_number(action::all, options);
    append_number(steps << 13u, options);
    std::string wire;
    write_packet('O', options, wire);
    engine.feed(wire);
  }
  std::string outcome;
  for (;;) {
    auto told = engine.next();
    outcome += static_cast<char>('0' + told.index());
    if (std::holds_alternative<broken>(told))
      return outcome + std::get<broken>(told).what;
    if (std::holds_alternative<need_input>(told)) {
      outcome.pop_back();
      if (input.empty())
        return outcome;
      engine.feed(input.substr(0, cut));
      input.remove_prefix(std::min(cut, input.size()));
    } else if (auto* verdict = std::get_if<said>(&told)) {
      outcome += static_cast<char>('a' + static_cast<int>(verdict->verdict));
      const auto changed = apply_header_changes(block, verdict->changes);
      if (!changed.empty() && (!changed.ends_with("\r\n") || changed.find("\n\r\n") != std::string::npos))
        std::abort();
      outcome += changed;
    }
    // One question more for each answer, and an end to it.
    if (!std::holds_alternative<need_input>(told) && !engine.waiting()) {
      if (outcome.size() > 4096)
        return outcome;
      engine.begin(stage(choice), {});
    }
  }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2)
    return 0;
  const unsigned choice = data[0];
  const unsigned steps = data[1];
  const std::string_view input(reinterpret_cast<const char*>(data + 2), size - 2);
  const auto whole = run(choice, steps, input, input.size() + 1);
  const auto single = run(choice, steps, input, 1);
  if (whole != single)
    std::abort();
  return 0;
}
