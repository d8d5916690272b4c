#include "protocols/imap/server_engine.hpp"

#include "base/ascii.hpp"
#include "protocols/imap/engine_impl.hpp"
#include "protocols/imap/response_writer.hpp"

namespace merpati::imap {

namespace {

reply literal_minus_refusal() {
  return {reply_status::bad, "TOOBIG", "Non-synchronising literal too big"};
}

} // namespace

// ---- input: lines, literals, what is refused ----

std::size_t server_engine::impl::line_limit() const noexcept {
  return logged_in() ? bounds().line_after_login : bounds().line_before_login;
}

bool server_engine::impl::read_line() {
  auto room = line_limit() + 1 - line_length;
  auto part = input.take_line_part(room);
  text += part;
  line_length += part.size();
  if (!part.empty() && part.back() == '\n') {
    if (line_length <= line_limit())
      return true;
  } else if (line_length <= line_limit()) {
    return false;
  }
  // RFC 9051 has no reply to a line without end; strangers are sent away, others have the rest of it passed over
  if (now == phase::command)
    tag = tag_of(text);
  if (!logged_in() || now == phase::idling) {
    say_bye("TOOBIG", "Line too long");
    return false;
  }
  bool ended = text.back() == '\n';
  line_tail.assign(text, text.size() - std::min(text.size(), tail_length));
  skipped = 0;
  refusal = {reply_status::bad, "TOOBIG", "Line too long"};
  now = phase::discard_line;
  if (ended)
    end_discarded_line();
  return false;
}

void server_engine::impl::discard_line() {
  while (now == phase::discard_line && !input.empty()) {
    auto part = input.take_line_part(line_limit());
    skipped += part.size();
    line_tail += part;
    if (line_tail.size() > tail_length)
      line_tail.erase(0, line_tail.size() - tail_length);
    if (line_tail.back() == '\n')
      end_discarded_line();
    else if (skipped > bounds().swallow_bytes)
      say_bye("TOOBIG", "Line too long");
  }
}

void server_engine::impl::end_discarded_line() {
  std::string_view line = line_tail;
  while (!line.empty() && (line.back() == '\n' || line.back() == '\r'))
    line.remove_suffix(1);
  auto mark = literal_at_end(line);
  if (mark && !mark->synchronising)
    return swallow(mark->size_bytes);
  finish_refusal();
}

void server_engine::impl::swallow(std::uint64_t size) {
  auto most = logged_in() ? bounds().swallow_bytes : bounds().command_before_login;
  if (size > most)
    return say_bye("TOOBIG", "Literal too big");
  left = size;
  now = phase::swallow;
}

void server_engine::impl::swallow_some() {
  left -= input.take(left).size();
  if (left > 0)
    return;
  line_tail.clear();
  skipped = 0;
  now = phase::discard_line;
}

void server_engine::impl::finish_refusal() {
  auto answer = std::move(refusal);
  refusal = {};
  next_command();
  respond(answer);
}

void server_engine::impl::refuse_literal(const literal_mark& mark, reply answer) {
  refusal = std::move(answer);
  if (mark.synchronising) // the client waits for "+" and takes the tagged reply in its place (RFC 7888 4)
    finish_refusal();
  else
    swallow(mark.size_bytes);
}

void server_engine::impl::next_command() {
  text.clear();
  line_length = 0;
  now = phase::command;
}

// ---- a line is complete ----

step server_engine::impl::line_done() {
  std::string_view line(text);
  auto this_line = line.substr(text.size() - line_length);
  tag = tag_of(line.substr(0, line.find_first_of("\r\n")));
  if (!this_line.ends_with("\r\n")) { // the CR before a lone LF may belong to a literal
    next_command();
    respond(bad("Lines end with CRLF"));
    return none();
  }
  line.remove_suffix(2);
  this_line.remove_suffix(2);
  tag = tag_of(line);
  auto mark = literal_at_end(this_line);
  if (mark)
    return literal_announced(line, *mark);
  auto complete = std::move(text);
  complete.resize(complete.size() - 2);
  next_command();
  return dispatch(complete);
}

std::optional<reply> server_engine::impl::refused_by_table(std::string_view line) const {
  if (tag.empty())
    return bad("Expected a tag and a command");
  auto name = verb_of(line);
  if (ascii::iequals(name, "UID")) {
    // "tag UID verb": what is behind the tag is read as a tag and a verb once more
    name = verb_of(line.substr(tag.size() + 1));
    if (auto row = find_verb(name); row == nullptr || !row->takes_uid)
      return bad("Unknown UID command");
    return logged_in() && state == session_state::selected ? std::nullopt : std::optional(bad(wrong_state()));
  }
  auto row = find_verb(name);
  if (row == nullptr)
    return bad("Unknown command");
  if ((row->states & state_bit()) == 0)
    return bad(wrong_state());
  if (row->needs_privacy && !private_line()) // RFC 9051 6.2.3, 11.1: whatever the password is
    return no("PRIVACYREQUIRED", "Log in over TLS");
  return std::nullopt;
}

bool server_engine::impl::exceeds_literal_minus(const literal_mark& mark) const noexcept {
  const bool minus_only = !logged_in() || !options.literal_plus;
  return minus_only && !mark.synchronising && mark.size_bytes > bounds().literal_minus; // RFC 7888 5
}

step server_engine::impl::literal_announced(std::string_view line, literal_mark mark) {
  if (auto refused = refused_by_table(line)) {
    refuse_literal(mark, *refused);
    return none();
  }
  if (exceeds_literal_minus(mark)) {
    refuse_literal(mark, literal_minus_refusal());
    return none();
  }
  if (append_head_of(line)) {
    auto parsed = parse_append(line, mode(), bounds());
    if (parsed)
      return append_announced(std::get<commands::append>(std::move(parsed->body)), mark);
    if (parsed.error().code != errc::unavailable) {
      refuse_literal(mark, parse_failure(parsed.error()));
      return none();
    }
  }
  auto most = logged_in() ? bounds().command_after_login : bounds().command_before_login;
  if (mark.binary || mark.size_bytes > most || text.size() + mark.size_bytes > most) {
    refuse_literal(mark, mark.binary ? bad("Binary literals are for APPEND only")
                                     : reply{reply_status::bad, "TOOBIG", "Literal too big"});
    return none();
  }
  if (mark.synchronising)
    out += "+ Ready for literal\r\n";
  left = mark.size_bytes;
  now = phase::literal;
  return none();
}

std::optional<reply> server_engine::impl::unfit_message(const literal_mark& mark) const {
  if (exceeds_literal_minus(mark))
    return literal_minus_refusal();
  if (mark.size_bytes == 0) // RFC 3502 6.3.11
    return no("", "A message can't be empty");
  if (mark.size_bytes > bounds().append_bytes)
    return no("TOOBIG", "Message too big");
  return std::nullopt;
}

step server_engine::impl::append_announced(commands::append what, literal_mark mark) {
  append_mark = mark;
  replacing = what.replaces.has_value();
  messages_so_far = 1;
  verb = replacing ? "REPLACE" : "APPEND";
  if (auto unfit = unfit_message(mark)) {
    refuse_literal(mark, *unfit);
    return none();
  }
  now = phase::append_question;
  return steps::append_begin{std::move(what)};
}

step server_engine::impl::further_message(std::string_view line, literal_mark mark) {
  std::optional<reply> refused;
  auto parsed = parse_further_message(line, mode(), bounds());
  if (replacing)
    refused = bad("REPLACE takes one message");
  else if (!parsed)
    refused = parse_failure(parsed.error());
  else if (++messages_so_far > bounds().append_messages)
    refused = no("LIMIT", "Too many messages in one command");
  else
    refused = unfit_message(mark);
  if (refused) {
    refuse_literal(mark, *refused);
    return steps::append_cancelled{};
  }
  append_mark = mark;
  next_command(); // its text is used up
  now = phase::append_question;
  return steps::append_next{*std::move(parsed)};
}

step server_engine::impl::append_octets() {
  auto octets = input.take(left);
  if (octets.empty())
    return steps::need_input{};
  left -= octets.size();
  // RFC 9051 9: only literal8 may hold NUL, and nothing is altered in silence
  if (!append_mark.binary && octets.find('\0') != std::string_view::npos) {
    refusal = bad("Message holds NUL, which needs a binary literal");
    now = phase::swallow;
    if (left == 0)
      swallow_some();
    return steps::append_cancelled{};
  }
  if (left == 0) {
    text.clear();
    line_length = 0;
    now = phase::append_tail;
  }
  return steps::append_data{octets};
}

step server_engine::impl::append_line_done() {
  if (text == "\r\n") {
    text.clear();
    now = phase::executing;
    return steps::append_end{};
  }
  std::string_view line(text);
  if (line.ends_with("\r\n") && line.starts_with(' ')) {
    line.remove_suffix(2);
    if (auto mark = literal_at_end(line))
      return further_message(line, *mark);
  }
  refusal = bad("Expected the end of the command after the message");
  line_tail.assign(text, text.size() - std::min(text.size(), tail_length));
  end_discarded_line();
  return steps::append_cancelled{};
}

// ---- commands ----

step server_engine::impl::dispatch(std::string_view line) {
  if (auto refused = refused_by_table(line)) {
    respond(*refused);
    return none();
  }
  auto parsed = parse_command(line, mode(), bounds());
  if (!parsed) {
    respond(parse_failure(parsed.error()));
    return none();
  }
  verb = row_of(parsed->body).verb;
  return std::visit([&](auto& c) { return run(c, *parsed); }, parsed->body);
}

reply server_engine::impl::parse_failure(const error& e) const {
  switch (e.code) {
  case errc::not_found: return no("BADCHARSET (US-ASCII UTF-8)", e.what); // RFC 9051 6.4.4
  case errc::too_big: return {reply_status::bad, "TOOBIG", e.what};
  case errc::too_many: return {reply_status::bad, "LIMIT", e.what};
  default: return bad(e.what);
  }
}

void server_engine::impl::respond(const reply& answer) {
  if (now == phase::closing)
    return;
  write_tagged(tag.empty() ? std::string_view("*") : std::string_view(tag), answer, out);
  if (answer.status != reply_status::bad) {
    if (logged_in())
      bad_commands = 0;
    return;
  }
  auto most = logged_in() ? bounds().bad_commands : bounds().bad_commands_before_login;
  if (++bad_commands >= most)
    say_bye("", "Too many bad commands");
}

void server_engine::impl::say_bye(std::string_view code, std::string_view what) {
  if (now == phase::closing)
    return;
  write_bye(code, what, out);
  state = session_state::logout;
  now = phase::closing;
  input.clear();
}

} // namespace merpati::imap
