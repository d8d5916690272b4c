// What SEARCH answers: the SEARCH response of RFC 3501, ESEARCH of RFC 9051, and the set that "$" stands for.
#include <algorithm>

#include "protocols/imap/response_writer.hpp"
#include "protocols/imap/search_program.hpp"

namespace merpati::imap {
namespace {

/// The numbers of `found` that `range` names, in the order of the mailbox.
sequence_set some_of(const sequence_set& found, const result_range& range) {
  auto [skipped, wanted] = slice_of(range, found.count());
  sequence_set out;
  for (auto each : found.ranges()) {
    const std::size_t length = each.last - each.first + std::size_t{1};
    if (skipped >= length) {
      skipped -= length;
      continue;
    }
    const auto taken = std::min(length - skipped, wanted);
    if (taken == 0)
      break;
    const auto first = each.first + static_cast<std::uint32_t>(skipped);
    out.add({first, first + static_cast<std::uint32_t>(taken - 1)});
    skipped = 0;
    wanted -= taken;
  }
  return out;
}

/// RFC 9394 3.1: the range as asked, and NIL where it names nothing.
void write_partial(const sequence_set& found, const result_range& range, std::string& out) {
  const std::string_view sign = range.from_end ? "-" : "";
  out += " PARTIAL (";
  out += sign;
  write_number(range.first, out);
  out += ':';
  out += sign;
  write_number(range.last, out);
  out += ' ';
  const auto part = some_of(found, range);
  if (part.empty())
    out += "NIL";
  else
    part.write(out);
  out += ')';
}

void write_plain(const search_result& found, bool with_modseq, std::string& out) {
  out += "* SEARCH";
  for (auto range : found.numbers.ranges())
    for (std::uint64_t n = range.first; n <= range.last; ++n) {
      out += ' ';
      write_number(n, out);
    }
  if (with_modseq && !found.numbers.empty()) { // RFC 7162 3.1.5
    out += " (MODSEQ ";
    write_number(found.highest_modseq, out);
    out += ')';
  }
  out += "\r\n";
}

} // namespace

void write_search_result(std::string_view tag, const commands::search& command, const search_result& found,
                         std::string& out) {
  bool with_modseq = uses_modseq(command.key);
  if (!command.extended)
    return write_plain(found, with_modseq, out);
  auto returns = command.returns;
  if (returns == search_return::save) // RFC 5182 2.1: nothing is told
    return;
  out += "* ESEARCH (TAG ";
  write_string(tag, false, out);
  out += ')';
  if (command.uid)
    out += " UID";
  const auto& ranges = found.numbers.ranges();
  auto number = [&](std::string_view name, std::uint64_t n) {
    out += name;
    write_number(n, out);
  };
  if (!ranges.empty()) { // RFC 4731 3.1: without a match MIN, MAX and ALL are left out
    if ((returns & search_return::min) != 0)
      number(" MIN ", ranges.front().first);
    if ((returns & search_return::max) != 0)
      number(" MAX ", ranges.back().last);
    if ((returns & search_return::all) != 0) {
      out += " ALL ";
      found.numbers.write(out);
    }
  }
  if (command.partial)
    write_partial(found.numbers, *command.partial, out);
  if ((returns & search_return::count) != 0)
    number(" COUNT ", found.numbers.count());
  if (with_modseq && !ranges.empty())
    number(" MODSEQ ", found.highest_modseq);
  out += "\r\n";
}

sequence_set saved_result(const commands::search& command, const sequence_set& uids) {
  bool everything = (command.returns & (search_return::all | search_return::count)) != 0;
  bool some = command.partial || (command.returns & (search_return::min | search_return::max)) != 0;
  if (everything || !some || uids.ranges().empty())
    return uids;
  sequence_set kept = command.partial ? some_of(uids, *command.partial) : sequence_set(); // RFC 9394 3.2
  if ((command.returns & search_return::min) != 0)
    kept.add(uids.ranges().front().first);
  if ((command.returns & search_return::max) != 0)
    kept.add(uids.ranges().back().last);
  return kept;
}

} // namespace merpati::imap
