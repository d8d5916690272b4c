// Address lists: RFC 5322 3.4, the obsolete forms of 4.4, and what senders make of them.
#include <utility>

#include "protocols/mime/fields.hpp"
#include "protocols/mime/lexer.hpp"

namespace merpati::mime {
namespace {

// Reads one address after the other. Words are collected in a run as long as dots join them; the last run before an
// "@" is the local part, whatever stands before it is the display name.
class address_reader {
public:
  address_reader(std::string_view value, std::size_t most) : in_(value), most_(most) {}

  std::vector<address> read() {
    while (!in_.empty() && out_.size() < most_)
      step();
    end_address();
    close_group();
    return std::move(out_);
  }

private:
  void step() {
    const char c = in_.peek();
    if (is_white(c)) {
      in_.skip_white();
      space_ = true;
      return;
    }
    switch (c) {
    case '(':
      in_.take_comment(&comment_);
      space_ = true;
      return;
    case ',':
      in_.skip();
      end_address();
      break;
    case ';':
      in_.skip();
      end_address();
      close_group();
      break;
    case ':':
      in_.skip();
      begin_group();
      break;
    case '<':
      in_.skip();
      read_angle();
      break;
    case '@':
      in_.skip();
      at_sign();
      break;
    case '"': {
      const auto word = in_.take_quoted();
      add_word(word, true);
      break;
    }
    case '[': read_literal(); break;
    case '>':
    case ')':
    case ']':
    case '\\': in_.skip(); break;
    case '.':
      in_.skip();
      dot();
      break;
    default: add_word(in_.take_until(char_set(" \t\r\n(),;:<>@\"[].\\")), false); break;
    }
    space_ = false;
  }

  void add_word(std::string_view word, bool quoted) {
    any_ = true;
    if (angle_)
      return; // behind <...>: no part of the address
    if (at_) {
      if (address_.domain.empty() || after_dot_)
        address_.domain += word;
      else
        next_ = word;
      after_dot_ = false;
      return;
    }
    if (in_run_ && !after_dot_ && (space_ || quoted || run_quoted_))
      flush_run();
    if (in_run_ && space_)
      run_text_ += ' ';
    run_text_ += word;
    run_ += word;
    in_run_ = true;
    run_quoted_ = quoted;
    after_dot_ = false;
  }

  void dot() {
    any_ = true;
    if (angle_)
      return;
    if (at_) {
      address_.domain += '.';
    } else {
      if (in_run_ && space_)
        run_text_ += ' ';
      run_text_ += '.';
      run_ += '.';
      in_run_ = true;
      run_quoted_ = false;
    }
    after_dot_ = true;
  }

  void flush_run() {
    if (!in_run_)
      return;
    if (!address_.name.empty())
      address_.name += ' ';
    address_.name += run_text_;
    run_text_.clear();
    run_.clear();
    in_run_ = after_dot_ = false;
  }

  void at_sign() {
    any_ = true;
    if (angle_)
      return;
    if (at_ && !next_.empty()) {
      // "a@b c@d": the comma is missing.
      auto local = std::move(next_);
      end_address();
      any_ = in_run_ = true;
      run_ = std::move(local);
    } else if (at_) {
      // "a@b@c": the last one divides.
      run_ += '@';
      run_ += address_.domain;
      address_.domain.clear();
    }
    at_ = true;
    after_dot_ = false;
  }

  void read_literal() {
    const auto literal = take_literal();
    if (at_ && !angle_ && address_.domain.empty())
      address_.domain = literal;
    else
      add_word(literal, false);
  }

  std::string_view take_literal() {
    const auto rest = in_.rest();
    const auto end = rest.find_first_of("],;<>");
    const auto literal = rest.substr(0, end == std::string_view::npos ? end : rest[end] == ']' ? end + 1 : end);
    in_.skip(literal.size());
    return literal;
  }

  // What is inside of <...>: a source route (obsolete), local part, domain.
  void read_angle() {
    any_ = true;
    if (angle_) { // a second one: passed over
      in_.take_until(char_set(">,"));
      return;
    }
    if (at_) { // "a@b <c@d>": the first is the name
      run_text_ = run_ + '@' + address_.domain;
      in_run_ = true;
    }
    flush_run();
    address_.local.clear();
    address_.domain.clear();
    angle_ = true;
    std::string text;
    bool at = false;
    bool routed = false;
    while (!in_.empty() && !in_.skip_if('>')) {
      const char c = in_.peek();
      if (is_white(c)) {
        in_.skip_white();
      } else if (c == '(') {
        in_.take_comment(&comment_);
      } else if (c == '"') {
        text += in_.take_quoted();
      } else if (c == '[') {
        text += take_literal();
      } else if (c == '<') {
        in_.skip();
      } else if (c == '@') {
        in_.skip();
        if (!at && text.empty() && !std::exchange(routed, true)) {
          take_route();
          continue;
        }
        if (at)
          address_.local += '@';
        at = true;
        address_.local += text;
        text.clear();
      } else if (c == ';') {
        break; // not closed
      } else if (c == ',' && at) {
        break; // likewise
      } else {
        text += in_.peek();
        in_.skip();
        text += in_.take_until(char_set(" \t\r\n(\"[<>@;,"));
      }
    }
    (at ? address_.domain : address_.local) += text;
  }

  // "@a,@b:" before the address proper.
  void take_route() {
    const auto rest = in_.rest();
    const auto colon = rest.find_first_of(":>");
    if (colon == std::string_view::npos || rest[colon] != ':')
      return;
    address_.route = '@';
    for (const char c : rest.substr(0, colon))
      if (!is_white(c))
        address_.route += c;
    in_.skip(colon + 1);
  }

  void begin_group() {
    if (in_group_ || at_ || angle_)
      return; // groups don't nest; elsewhere a colon means nothing
    flush_run();
    address_.what = address::kind::group_begin;
    if (address_.name.empty())
      address_.name = std::move(comment_);
    out_.push_back(std::move(address_));
    in_group_ = true;
    start_over();
  }

  void close_group() {
    if (in_group_)
      out_.push_back({address::kind::group_end, {}, {}, {}, {}});
    in_group_ = false;
  }

  void end_address() {
    if (any_) {
      if (at_ && !angle_) {
        address_.local = run_;
      } else if (!angle_) {
        if (address_.name.empty())
          address_.local = run_; // one word: a local name
        else
          flush_run();
      }
      if (address_.name.empty())
        address_.name = std::move(comment_);
      if (!address_.name.empty() || !address_.local.empty() || !address_.domain.empty())
        out_.push_back(std::move(address_));
    }
    start_over();
  }

  void start_over() {
    address_ = {};
    comment_.clear();
    run_.clear();
    run_text_.clear();
    next_.clear();
    any_ = at_ = angle_ = in_run_ = run_quoted_ = after_dot_ = space_ = false;
  }

  lexer in_;
  std::size_t most_;
  std::vector<address> out_;
  address address_;
  std::string comment_;
  std::string run_;      // words and dots, as a local part
  std::string run_text_; // the same with its white space, as a part of a name
  std::string next_;     // a word behind a complete domain
  bool any_ = false;     // something of this address was seen
  bool at_ = false;
  bool angle_ = false;
  bool in_run_ = false;
  bool run_quoted_ = false;
  bool after_dot_ = false;
  bool space_ = false;
  bool in_group_ = false;
};

} // namespace

std::vector<address> parse_addresses(std::string_view value, std::size_t max_addresses) {
  return address_reader(value, max_addresses).read();
}

} // namespace merpati::mime
