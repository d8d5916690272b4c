// MIME from the octets to the answers: the tree must not depend on how a message is cut, places must lie inside, and
// the summary must survive its own damage.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "protocols/mime/decoder.hpp"
#include "protocols/mime/fields.hpp"
#include "protocols/mime/header_selection.hpp"
#include "protocols/mime/parser.hpp"
#include "protocols/mime/summary.hpp"

using namespace merpati::mime;

namespace {

void require(bool holds) {
  if (!holds)
    std::abort();
}

void check_places(const part& p, std::uint64_t from, std::uint64_t to) {
  require(from <= p.header_begin && p.header_begin <= p.body_begin && p.body_begin <= p.body_end && p.body_end <= to);
  auto at = p.body_begin;
  for (const auto& child : p.children) {
    check_places(child, at, p.body_end);
    at = child.body_end;
  }
}

void use_summary(std::string_view octets) {
  const auto view = summary_view::open(octets);
  if (!view)
    return;
  std::string text;
  view->append_body(text);
  view->sort_mailbox(address_field::to);
  view->sort_display(address_field::from);
  view->for_each_part([&](const part_entry& e) {
    require(e.body.offset + e.body.length <= view->octets());
    return true;
  });
  for (std::uint32_t a = 1; a < 4; ++a)
    for (std::uint32_t b = 1; b < 4; ++b) {
      const std::uint32_t numbers[] = {a, b, 1};
      for (std::size_t n = 1; n <= 3; ++n)
        view->section(std::span(numbers).subspan(0, n), section_kind::header);
    }
}

void read_values(std::string_view text) {
  parse_addresses(text);
  parse_date(text);
  parse_message_ids(text);
  parse_content_type(text);
  parse_base_subject(decode_words(text));
}

void decode(std::string_view text, transfer_encoding encoding, std::string_view charset, std::size_t step) {
  std::string whole;
  std::string pieces;
  text_decoder at_once(encoding, charset);
  at_once.feed(text, whole);
  at_once.finish(whole);
  text_decoder in_pieces(encoding, charset);
  for (auto rest = text; !rest.empty(); rest.remove_prefix(std::min(step, rest.size())))
    in_pieces.feed(rest.substr(0, step), pieces);
  in_pieces.finish(pieces);
  require(whole == pieces);
  text_matcher matcher(text.substr(0, 8));
  matcher.contains(whole);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2)
    return 0;
  const std::size_t step = 1 + data[0] % 61;
  const auto mode = data[1];
  const std::string_view octets(reinterpret_cast<const char*>(data) + 2, size - 2);

  const auto m = parse(octets);
  check_places(m.root, 0, octets.size());
  parser pieces;
  for (auto rest = octets; !rest.empty(); rest.remove_prefix(std::min(step, rest.size())))
    pieces.feed(rest.substr(0, step));
  auto summary = summarise(m);
  require(summary == summarise(pieces.finish()));
  use_summary(summary);
  summary[(step * 131 + mode) % summary.size()] ^= static_cast<char>(1u << (mode % 8));
  use_summary(summary);
  use_summary(octets);

  read_values(octets);
  constexpr std::string_view charsets[] = {"",      "utf-8",  "iso-8859-1", "gb2312", "iso-2022-jp",
                                           "utf-7", "koi8-r", "shift_jis"};
  decode(octets, static_cast<transfer_encoding>(mode % 6), charsets[mode / 6 % 8], step);
  std::string selected;
  const std::string_view names[] = {"to", "subject", "content-type"};
  select_header(octets, names, mode % 2 == 0 ? selection::only : selection::except, selected);
  return 0;
}
