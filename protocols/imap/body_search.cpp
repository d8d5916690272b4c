// body_search: SEARCH BODY, TEXT and HEADER in the octets of one message, piece by piece.
#include <algorithm>

#include "base/ascii.hpp"
#include "protocols/imap/search_tree.hpp"
#include "protocols/mime/fields.hpp"

namespace merpati::imap {
namespace {

using kind = search_key::kind;

/// Of a header this much is looked at.
constexpr std::size_t header_octets = 1024 * 1024;
/// Decoded text is handed to the matchers in pieces of about this size.
constexpr std::size_t piece_octets = 16 * 1024;

/// A run of the message in which text can be.
struct segment {
  enum class form : std::uint8_t { message_header, inner_header, text };
  form what = form::text;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  mime::transfer_encoding encoding = mime::transfer_encoding::seven_bit;
  std::string_view charset;
};

std::vector<segment> segments_of(const mime::summary_view& summary) {
  std::vector<segment> found;
  bool root = true;
  summary.for_each_part([&](const mime::part_entry& part) {
    if (part.header.length > 0)
      found.push_back({root ? segment::form::message_header : segment::form::inner_header,
                       part.header.offset,
                       part.header.offset + part.header.length,
                       mime::transfer_encoding::seven_bit,
                       {}});
    root = false;
    if (part.what == mime::part::kind::leaf && part.text && part.body.length > 0)
      found.push_back(
          {segment::form::text, part.body.offset, part.body.offset + part.body.length, part.encoding, part.charset});
    return true;
  });
  std::stable_sort(found.begin(), found.end(), [](const segment& a, const segment& b) { return a.begin < b.begin; });
  return found;
}

} // namespace

struct body_search::impl {
  impl(search_program::impl& p, std::uint32_t sequence, const message_item& item, const mime::summary_view& summary)
      : program(p), segments(segments_of(summary)), found(p.leaves.size()) {
    subject = {.sequence = sequence, .item = &item, .summary = &summary, .found = &found};
    for (const auto* leaf : program.leaves)
      if (auto known = program.summary_text(*leaf, summary)) {
        // what the summary answers is settled; `false` stays false because no segment is looked at for it
        found[leaf->leaf] = *known;
      }
  }

  bool decided() { return is_decided(program.evaluate(program.root, subject)); }
  static bool is_decided(search_verdict v) { return v == search_verdict::yes || v == search_verdict::no; }

  void begin(const segment& s);
  void octets(const segment& s, std::string_view data);
  void end(const segment& s);
  void match_text();
  void match_header(const segment& s);

  search_program::impl& program;
  search_program::impl::subject subject;
  std::vector<segment> segments;
  std::vector<bool> found;
  std::size_t at = 0; ///< the first segment that has not ended
  bool open = false;  ///< it has begun
  std::uint64_t position = 0;
  std::string header;
  std::optional<mime::text_decoder> decoder;
  std::string decoded;
  bool news = false; ///< something was found since the last look at the whole
};

void body_search::impl::begin(const segment& s) {
  open = true;
  header.clear();
  decoded.clear();
  if (s.what == segment::form::text) {
    decoder.emplace(s.encoding, s.charset);
    for (auto& matcher : program.matchers)
      matcher.reset();
  }
}

void body_search::impl::match_text() {
  for (const auto* leaf : program.leaves) {
    bool wanted = leaf->what == kind::text || leaf->what == kind::body;
    if (!wanted || found[leaf->leaf] || !program.matchers[leaf->leaf].feed(decoded))
      continue;
    found[leaf->leaf] = true;
    news = true;
  }
  decoded.clear();
}

void body_search::impl::octets(const segment& s, std::string_view data) {
  if (s.what != segment::form::text) {
    header += data.substr(0, header_octets - std::min(header_octets, header.size()));
    return;
  }
  for (; !data.empty(); data.remove_prefix(std::min(piece_octets, data.size()))) {
    decoder->feed(data.substr(0, piece_octets), decoded);
    match_text();
  }
}

/// The fields of a header, unfolded and decoded, each a text of its own.
void body_search::impl::match_header(const segment& s) {
  bool top = s.what == segment::form::message_header;
  mime::field_reader fields(header);
  while (auto field = fields.next()) {
    std::string value; // made when the first key wants it
    auto name = ascii::lower(field->name);
    for (const auto* leaf : program.leaves) {
      bool in_field = top && leaf->what == kind::header && leaf->field == name;
      bool anywhere = leaf->what == kind::text || (leaf->what == kind::body && !top);
      if (found[leaf->leaf] || (!in_field && !anywhere))
        continue;
      if (value.empty())
        value = mime::decode_words(mime::unfold(field->value));
      auto& matcher = program.matchers[leaf->leaf];
      // RFC 9051 6.4.4: an empty string asks only whether the field is there
      bool hit = leaf->text.empty() || matcher.contains(in_field ? value : std::string(field->name) + ": " + value);
      if (hit) {
        found[leaf->leaf] = true;
        news = true;
      }
    }
  }
}

void body_search::impl::end(const segment& s) {
  if (s.what == segment::form::text) {
    decoder->finish(decoded);
    match_text();
  } else {
    match_header(s);
  }
  open = false;
  ++at;
}

body_search::body_search(const search_program& program, std::uint32_t sequence, const message_item& item,
                         const mime::summary_view& summary)
    : impl_(std::make_unique<impl>(*program.impl_, sequence, item, summary)) {}
body_search::~body_search() = default;
body_search::body_search(body_search&&) noexcept = default;
body_search& body_search::operator=(body_search&&) noexcept = default;

bool body_search::feed(std::string_view octets) {
  auto& s = *impl_;
  while (!octets.empty() && s.at < s.segments.size()) {
    const auto& segment = s.segments[s.at];
    if (s.position < segment.begin) {
      auto gap = std::min<std::uint64_t>(octets.size(), segment.begin - s.position);
      s.position += gap;
      octets.remove_prefix(static_cast<std::size_t>(gap));
      continue;
    }
    if (!s.open)
      s.begin(segment);
    auto count = segment.end > s.position ? std::min<std::uint64_t>(octets.size(), segment.end - s.position) : 0;
    s.octets(segment, octets.substr(0, static_cast<std::size_t>(count)));
    s.position += count;
    octets.remove_prefix(static_cast<std::size_t>(count));
    if (s.position >= segment.end)
      s.end(segment);
  }
  if (s.at == s.segments.size())
    return false;
  if (!s.news)
    return true;
  s.news = false;
  return !s.decided();
}

bool body_search::finish() {
  auto& s = *impl_;
  if (s.open && s.at < s.segments.size()) // the octets ended early
    s.end(s.segments[s.at]);
  s.subject.complete = true;
  return s.program.evaluate(s.program.root, s.subject) == search_verdict::yes;
}

} // namespace merpati::imap
