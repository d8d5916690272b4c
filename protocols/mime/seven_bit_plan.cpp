#include "protocols/mime/seven_bit_plan.hpp"

#include <algorithm>

#include "base/ascii.hpp"
#include "protocols/mime/fields.hpp"
#include "protocols/text/utf8.hpp"

namespace merpati::mime {
namespace {

using kind = seven_bit_piece::kind;

/// RFC 5322 2.1.1
constexpr std::uint64_t longest_line = 998;
/// A delimiter with its hyphens has to fit into a line. RFC 2046 5.1.1 allows 70.
constexpr std::size_t longest_boundary = 900;
/// Enough of a header's line to know a field that matters here.
constexpr std::size_t name_octets = 64;

bool is_identity(transfer_encoding e) noexcept {
  return e == transfer_encoding::seven_bit || e == transfer_encoding::eight_bit || e == transfer_encoding::binary;
}

/// Which encoding makes less of it, and stays readable where that costs little.
transfer_encoding shorter_encoding(const part& node, const octet_tally& tally) noexcept {
  const bool text = node.type == "text" || node.type == "message";
  return text && tally.unprintable <= tally.octets / 6 ? transfer_encoding::quoted_printable
                                                       : transfer_encoding::base64;
}

/// Types that stay what they are only without an encoding. RFC 2045 6.4, RFC 2046 5.2.2.1, 5.2.3
bool allows_no_encoding(const part& node) noexcept {
  return node.type == "multipart"
         || (node.type == "message" && (node.subtype == "partial" || node.subtype == "external-body"));
}

} // namespace

void octet_tally::count_bare_newline() noexcept {
  bare_newline = true;
  ++unprintable;
}

void octet_tally::look_at(std::string_view more) noexcept {
  octets += more.size();
  for (const char c : more) {
    if (c == '\n') {
      if (!after_cr_)
        count_bare_newline();
      long_line = long_line || line_octets_ > longest_line + (after_cr_ ? 1 : 0);
      line_octets_ = 0;
      after_cr_ = false;
      continue;
    }
    if (after_cr_)
      count_bare_newline();
    after_cr_ = c == '\r';
    ++line_octets_;
    eight_bit = eight_bit || static_cast<unsigned char>(c) > 0x7f;
    nul = nul || c == '\0';
    if (c == '=' || c == '\x7f' || static_cast<unsigned char>(c) > 0x7f || (c < ' ' && c != '\t' && c != '\r'))
      ++unprintable;
  }
}

void octet_tally::finish() noexcept {
  if (after_cr_)
    count_bare_newline();
  long_line = long_line || line_octets_ > longest_line;
  after_cr_ = false;
  line_octets_ = 0;
}

void seven_bit_plan::survey(std::string_view octets) {
  parser_.feed(octets);
  total_.look_at(octets);
}

bool seven_bit_plan::end_survey() {
  total_.finish();
  message_ = parser_.finish();
  if (!total_.eight_bit && !total_.nul && !(binary_ && (total_.bare_newline || total_.long_line)))
    return false;
  add_part(message_.root);
  return true;
}

void seven_bit_plan::add(kind what, const part& node, std::uint64_t end) {
  if (end == (pieces_.empty() ? 0 : pieces_.back().end))
    return;
  seven_bit_piece piece;
  piece.what = what;
  piece.node = &node;
  piece.end = end;
  pieces_.push_back(piece);
}

void seven_bit_plan::add_part(const part& node) {
  add(kind::header, node, node.body_begin);
  for (const auto& child : node.children) {
    add(kind::filler, node, child.header_begin);
    add_part(child);
  }
  add(node.children.empty() ? kind::body : kind::filler, node, node.body_end);
}

void seven_bit_plan::measure(std::string_view octets) {
  while (!octets.empty() && current_ < pieces_.size()) {
    auto& piece = pieces_[current_];
    const auto now =
        octets.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(octets.size(), piece.end - offset_)));
    piece.tally.look_at(now);
    if (piece.what == kind::header)
      watch_names(piece, now);
    offset_ += now.size();
    octets.remove_prefix(now.size());
    if (offset_ == piece.end)
      end_piece();
  }
}

void seven_bit_plan::end_piece() {
  pieces_[current_].tally.finish();
  ++current_;
  line_begin_.clear();
  in_long_line_ = false;
}

/// Which fields a header has.
void seven_bit_plan::watch_names(seven_bit_piece& header, std::string_view octets) {
  for (const char c : octets) {
    if (c == '\n') {
      line_begin_.clear();
      in_long_line_ = false;
      continue;
    }
    if (in_long_line_)
      continue;
    line_begin_ += c;
    in_long_line_ = c == ':' || line_begin_.size() == name_octets;
    if (c != ':')
      continue;
    const auto name = std::string_view(line_begin_).substr(0, field_name_length(line_begin_));
    header.has_version = header.has_version || ascii::iequals(name, "mime-version");
    header.has_type = header.has_type || ascii::iequals(name, "content-type");
    header.has_dkim = header.has_dkim || ascii::iequals(name, "dkim-signature");
  }
}

bool seven_bit_plan::has_8bit_header(std::size_t first, std::uint64_t end) const {
  for (auto i = first; i < pieces_.size() && pieces_[i].end <= end; ++i)
    if (pieces_[i].what == kind::header && pieces_[i].tally.eight_bit)
      return true;
  return false;
}

/// RFC 6532 3.7: a message/global may be encoded as a whole, with the headers in it that could not go otherwise.
void seven_bit_plan::wrap_global_messages() {
  std::vector<seven_bit_piece> out;
  for (std::size_t i = 0; i < pieces_.size(); ++i) {
    out.push_back(pieces_[i]);
    const auto& node = *pieces_[i].node;
    if (pieces_[i].what != kind::header || node.what != part::kind::message || node.subtype != "global"
        || !has_8bit_header(i + 1, node.body_end))
      continue;
    seven_bit_piece inside;
    inside.node = &node;
    inside.end = node.body_end;
    for (; i + 1 < pieces_.size() && pieces_[i + 1].end <= node.body_end; ++i) {
      inside.tally.octets += pieces_[i + 1].tally.octets;
      inside.tally.unprintable += pieces_[i + 1].tally.unprintable;
      inside.tally.eight_bit = true;
    }
    out.push_back(inside);
  }
  pieces_ = std::move(out);
}

seven_bit_plan::verdict seven_bit_plan::decide(bool utf8_headers) {
  if (!utf8_headers) {
    wrap_global_messages();
    if (has_8bit_header(0, message_.octets))
      return verdict::header_is_8bit;
  }
  if (message_.degraded) {
    obstacle_ = "it has too many parts";
    return verdict::impossible;
  }
  for (std::size_t i = 0; i < pieces_.size(); ++i)
    if (pieces_[i].what == kind::body && !decide_body(i))
      return verdict::impossible;
  for (std::size_t i = 0; i < pieces_.size(); ++i)
    if (pieces_[i].what == kind::header)
      decide_header(i);
  const auto& root = pieces_.front();
  breaks_signature_ = root.what == kind::header && root.has_dkim;
  find_signature(message_.root, false);
  return obstacle_.empty() ? verdict::convert : verdict::impossible;
}

bool seven_bit_plan::decide_body(std::size_t at) {
  auto& body = pieces_[at];
  const auto& node = *body.node;
  const auto& tally = body.tally;
  const bool identity = is_identity(node.encoding);
  const bool unfit = tally.eight_bit || tally.nul || tally.long_line || (identity && tally.bare_newline);
  body.encoding = identity && node.encoding_name.empty() ? transfer_encoding::seven_bit : node.encoding;
  if (unfit && (node.encoding == transfer_encoding::other || allows_no_encoding(node))) {
    obstacle_ = "its part of type " + node.type + '/' + node.subtype + " can't be encoded anew";
    return false;
  }
  body.encode = unfit;
  if (unfit && identity)
    body.encoding = shorter_encoding(node, tally);
  else if (identity)
    body.encoding = transfer_encoding::seven_bit;
  return true;
}

void seven_bit_plan::decide_header(std::size_t at) {
  auto& header = pieces_[at];
  const auto& node = *header.node;
  const bool has_body = at + 1 < pieces_.size() && pieces_[at + 1].what == kind::body && pieces_[at + 1].node == &node;
  header.encoding = has_body ? pieces_[at + 1].encoding : transfer_encoding::seven_bit;
  header.relabel =
      is_identity(node.encoding)
      && (header.encoding != transfer_encoding::seven_bit || node.encoding != transfer_encoding::seven_bit);
  if (node.values && !header.has_version) // RFC 2045 4
    for (auto i = at + 1; i < pieces_.size() && pieces_[i].end <= node.body_end && !header.add_version; ++i)
      header.add_version = pieces_[i].encode;
  if (node.what == part::kind::multipart && !node.children.empty()) {
    const auto* boundary = find(node.params, "boundary");
    const auto text = boundary == nullptr  ? std::string()
                      : boundary->extended ? decoded_value(*boundary)
                                           : boundary->value;
    if (text.empty() || text.size() > longest_boundary || !text::is_ascii(text))
      obstacle_ = "the boundary of a multipart is no line of ASCII";
  }
}

/// Signed parts had to be made 7-bit before they were signed: nobody on the way can change them and keep the signature.
void seven_bit_plan::find_signature(const part& node, bool is_signed) {
  is_signed = is_signed || (node.type == "multipart" && node.subtype == "signed");
  if (is_signed && std::any_of(pieces_.begin(), pieces_.end(), [&](const seven_bit_piece& p) {
        return p.node == &node && (p.encode || p.relabel);
      }))
    breaks_signature_ = true;
  for (const auto& child : node.children)
    if (!breaks_signature_)
      find_signature(child, is_signed);
}

std::uint64_t seven_bit_plan::estimated_octets() const noexcept {
  constexpr std::uint64_t field_octets = 128; // Content-Transfer-Encoding, MIME-Version and Content-Type
  std::uint64_t out = 0;
  for (const auto& piece : pieces_) {
    auto octets = piece.tally.octets;
    if (piece.encode && piece.encoding == transfer_encoding::base64)
      octets = (octets / 3 + 1) * 4 * 78 / 76 + 2;
    else if (piece.encode)
      octets = (octets + 2 * piece.tally.unprintable) * 78 / 72 + 3;
    out += octets + (piece.what == kind::header ? field_octets : 0);
  }
  return out;
}

} // namespace merpati::mime
