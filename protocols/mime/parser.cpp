#include "protocols/mime/parser.hpp"

#include <cstring>

#include "protocols/mime/boundary_set.hpp"
#include "protocols/mime/part_builder.hpp"

namespace merpati::mime {
namespace {

constexpr std::string_view without_line_end(std::string_view line) noexcept {
  if (line.ends_with('\n')) {
    line.remove_suffix(1);
    if (line.ends_with('\r'))
      line.remove_suffix(1);
  }
  return line;
}

} // namespace

// Two states: inside a header, where every line is looked at, and inside a body, where only the beginnings of lines
// are. What is open (a message, its multipart, the part in that, ...) lies on a stack; nodes on the stack are always
// the last children of their parents, so that their addresses are stable while they are open.
class parser::engine {
public:
  explicit engine(const limits& bounds) : bounds_(bounds), builder_(bounds, result_) { open(result_.root, true); }

  void feed(std::string_view octets) {
    while (!octets.empty()) {
      if (in_header_)
        feed_header(octets);
      else if (boundaries_.empty())
        feed_rest(octets);
      else
        feed_body(octets);
    }
  }

  message finish() {
    if (in_line_ && in_header_)
      header_line(line_);
    else if (held_)
      delimiter(line_);
    close_down_to(0, {offset_, lines_});
    result_.octets = offset_;
    return std::move(result_);
  }

private:
  struct frame {
    part* node;
    std::string boundary; // of a multipart that is not closed yet
    std::uint64_t lines_before;
  };

  struct place {
    std::uint64_t offset;
    std::uint64_t lines; // LFs before it
  };

  void open(part& node, bool is_message) {
    node.header_begin = node.body_begin = node.body_end = offset_;
    open_.push_back({&node, {}, lines_});
    in_header_ = true;
    const part* parent = open_.size() > 1 ? open_[open_.size() - 2].node : nullptr;
    builder_.begin(node, is_message, parent);
  }

  // Takes octets up to the end of the line. True once the line is complete: then `line` is its beginning, as far as
  // `most` octets, with its line end if that is among them.
  bool take_line(std::string_view& octets, std::size_t most, std::string_view& line) {
    if (!in_line_) {
      line_.clear();
      line_begin_ = {offset_, lines_};
      line_end_before_ = last_line_end_;
    }
    const auto lf = octets.find('\n');
    const auto piece = octets.substr(0, lf == std::string_view::npos ? lf : lf + 1);
    advance(octets, piece.size());
    if (lf == std::string_view::npos || in_line_)
      line_.append(piece.substr(0, most - std::min(most, line_.size())));
    line = in_line_ ? std::string_view(line_) : piece.substr(0, most);
    in_line_ = lf == std::string_view::npos;
    lines_ += in_line_ ? 0 : 1;
    return !in_line_;
  }

  // Moves on by `count` octets and remembers how the line before the new place ended.
  void advance(std::string_view& octets, std::size_t count) {
    if (count == 0)
      return;
    const char before = count > 1 ? octets[count - 2] : last_octet_;
    last_octet_ = octets[count - 1];
    last_line_end_ = last_octet_ != '\n' ? 0 : before == '\r' ? 2 : 1;
    offset_ += count;
    octets.remove_prefix(count);
  }

  void feed_header(std::string_view& octets) {
    std::string_view line;
    if (take_line(octets, bounds_.field_octets, line))
      header_line(line);
  }

  void header_line(std::string_view line) {
    if (!boundaries_.empty() && line.starts_with("--") && delimiter(line))
      return;
    line = without_line_end(line);
    if (line.empty())
      end_header();
    else
      builder_.line(line, offset_ - line_begin_.offset);
  }

  void end_header() {
    auto& top = open_.back();
    auto& node = *top.node;
    builder_.end();
    in_header_ = false;
    last_line_end_ = 0; // that of the blank line belongs to the header
    node.body_begin = offset_;
    node.header_lines = lines_ - top.lines_before;
    top.lines_before = lines_;
    if (node.what == part::kind::leaf)
      return;
    if (open_.size() >= bounds_.depth) {
      make_opaque(node, false);
    } else if (node.what == part::kind::multipart) {
      top.boundary = builder_.boundary();
      boundaries_.add(top.boundary, open_.size() - 1);
    } else if (count_part()) {
      node.children.emplace_back();
      open(node.children.back(), true);
    } else {
      make_opaque(node, false);
    }
  }

  // Body octets where no boundary can be: the rest of the message.
  void feed_rest(std::string_view& octets) {
    offset_ += octets.size();
    const char* at = octets.data();
    const char* const end = at + octets.size();
    while ((at = static_cast<const char*>(std::memchr(at, '\n', static_cast<std::size_t>(end - at)))) != nullptr) {
      ++lines_;
      if (++at == end)
        break;
    }
    octets = {};
  }

  void feed_body(std::string_view& octets) {
    if (held_) {
      continue_held(octets);
      return;
    }
    const char* const begin = octets.data();
    const char* const end = begin + octets.size();
    const char* at = begin;
    while (at != end) {
      if (!in_line_ && *at == '-' && (at + 1 == end || at[1] == '-')) {
        advance(octets, static_cast<std::size_t>(at - begin));
        held_ = true;
        return;
      }
      const auto* lf = static_cast<const char*>(std::memchr(at, '\n', static_cast<std::size_t>(end - at)));
      in_line_ = lf == nullptr;
      if (in_line_)
        break;
      ++lines_;
      at = lf + 1;
    }
    advance(octets, octets.size());
  }

  // A line that begins with a hyphen: it is held until it is whole or can't be a delimiter any more.
  void continue_held(std::string_view& octets) {
    std::string_view line;
    if (take_line(octets, bounds_.boundary_octets + 4, line)) {
      held_ = false;
      delimiter(line);
    } else if (line_.size() >= 2 && line_[1] != '-') {
      held_ = false;
    }
  }

  // Acts on `line` if it is the delimiter of an open multipart.
  bool delimiter(std::string_view line) {
    if (!line.starts_with("--"))
      return false;
    line.remove_prefix(2);
    const auto match = boundaries_.find(without_line_end(line));
    if (!match)
      return false;
    auto end = line_begin_;
    // The line end before a delimiter belongs to it (RFC 2046 5.1.1), unless it ends the header.
    if (!in_header_ && line_end_before_ > 0)
      end = {end.offset - line_end_before_, end.lines - 1};
    close_down_to(match->level + 1, end);
    auto& multipart = open_.back();
    if (line.substr(match->length).starts_with("--")) {
      boundaries_.remove(multipart.boundary, match->level);
      multipart.boundary.clear();
      in_header_ = false;
      return true;
    }
    multipart.node->children.emplace_back();
    auto& child = multipart.node->children.back();
    const bool allowed = count_part();
    open(child, false);
    if (!allowed) {
      builder_.end();
      child.type = "application";
      child.subtype = "octet-stream";
      child.opaque = true;
      in_header_ = false;
      boundaries_.clear();
    }
    return true;
  }

  // Closes what is open above `level`.
  void close_down_to(std::size_t level, place end) {
    if (open_.size() <= level)
      return;
    auto& top = open_.back();
    if (in_header_) {
      builder_.end();
      top.node->body_begin = end.offset;
      top.node->header_lines = end.lines - top.lines_before;
      top.lines_before = end.lines;
      if (top.node->what != part::kind::leaf)
        make_opaque(*top.node, true);
      in_header_ = false;
    }
    while (open_.size() > level) {
      auto& last = open_.back();
      last.node->body_end = end.offset;
      last.node->body_lines = end.lines - last.lines_before;
      if (!last.boundary.empty())
        boundaries_.remove(last.boundary, open_.size() - 1);
      if (last.node->what == part::kind::multipart && last.node->children.empty())
        make_opaque(*last.node, true);
      open_.pop_back();
    }
  }

  void make_opaque(part& node, bool readable) {
    node.what = part::kind::leaf;
    node.opaque = true;
    node.readable = readable;
    if (!readable)
      result_.degraded = true;
  }

  bool count_part() {
    if (++parts_ < bounds_.parts)
      return true;
    result_.degraded = true;
    return false;
  }

  limits bounds_;
  message result_;
  part_builder builder_;
  std::vector<frame> open_;
  boundary_set boundaries_;
  std::size_t parts_ = 1;
  std::uint64_t offset_ = 0; // of the next octet
  std::uint64_t lines_ = 0;  // LFs so far
  bool in_header_ = true;
  bool in_line_ = false; // not at the beginning of a line
  bool held_ = false;    // the current line of a body may be a delimiter
  std::string line_;     // the held line or header line as far as it came
  place line_begin_{0, 0};
  char last_octet_ = '\n';
  std::uint8_t last_line_end_ = 0;   // octets of the line end right before offset_; 0 inside a line
  std::uint8_t line_end_before_ = 0; // the same before line_begin_
};

parser::parser(const limits& bounds) : engine_(std::make_unique<engine>(bounds)) {}
parser::parser(parser&&) noexcept = default;
parser& parser::operator=(parser&&) noexcept = default;
parser::~parser() = default;

void parser::feed(std::string_view octets) {
  engine_->feed(octets);
}

message parser::finish() {
  return engine_->finish();
}

message parse(std::string_view octets, const limits& bounds) {
  parser p(bounds);
  p.feed(octets);
  return p.finish();
}

} // namespace merpati::mime
