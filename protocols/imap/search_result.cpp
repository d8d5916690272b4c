// What SEARCH answers: the SEARCH response of RFC 3501, ESEARCH of RFC 9051, and the set that "$" stands for.
#include "protocols/imap/response_writer.hpp"
#include "protocols/imap/search_program.hpp"

namespace merpati::imap {
namespace {

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
  if ((returns & search_return::count) != 0)
    number(" COUNT ", found.numbers.count());
  if (with_modseq && !ranges.empty())
    number(" MODSEQ ", found.highest_modseq);
  out += "\r\n";
}

sequence_set saved_result(const commands::search& command, const sequence_set& uids) {
  bool everything = (command.returns & (search_return::all | search_return::count)) != 0;
  bool ends = (command.returns & (search_return::min | search_return::max)) != 0;
  if (everything || !ends || uids.ranges().empty())
    return uids;
  sequence_set kept;
  if ((command.returns & search_return::min) != 0)
    kept.add(uids.ranges().front().first);
  if ((command.returns & search_return::max) != 0 && uids.ranges().back().last != uids.ranges().front().first)
    kept.add(uids.ranges().back().last);
  if (kept.empty())
    kept.add(uids.ranges().back().last);
  return kept;
}

} // namespace merpati::imap
