// How the engine receives a message: by DATA (RFC 5321 4.1.1.4) or in chunks (RFC 3030).
#include <algorithm>
#include <stdexcept>

#include "protocols/smtp/server_commands.hpp"
#include "protocols/smtp/server_engine.hpp"

namespace merpati::smtp {

// --- DATA ---

std::optional<step> server_engine::next_data() {
  const auto rest = reader_.rest();
  if (rest.empty())
    return need_input{};
  const auto piece = decoder_.decode(rest);
  reader_.consume(piece.consumed);
  if (message_open_ && refusal_of(decoder_.found())) {
    message_open_ = false; // the rest is swallowed
    return data_aborted{};
  }
  if (piece.end) {
    if (message_open_)
      return ask(question::end, data_end{decoder_.found(), &envelope_});
    const auto why = refusal_of(decoder_.found());
    mode_ = mode::command;
    answer_all(why.value_or(replies::part_unavailable()));
    reset_transaction();
    return std::nullopt;
  }
  if (!message_open_ || piece.decoded.empty())
    return std::nullopt;
  return give(piece.decoded);
}

std::optional<reply> server_engine::refusal_of(const message_findings& found) const {
  const bool lines = envelope_.parameters.body != body_type::binary;
  if (lines && options_.bare_newlines == bare_newlines::refuse && found.saw_bare_newline())
    return replies::bare_newline();
  if (found.size_bytes > options_.limits.message_bytes)
    return replies::message_too_big();
  return std::nullopt;
}

step server_engine::give(std::string_view octets) {
  if (options_.bare_newlines == bare_newlines::normalise && envelope_.parameters.body != body_type::binary)
    octets = normaliser_.next(octets);
  return data_chunk{octets};
}

// --- BDAT ---

// Whatever is wrong, the octets that follow belong to the chunk and are read away first (RFC 3030 2): else they would
// be taken for commands.
std::optional<step> server_engine::begin_chunk(std::uint64_t size_bytes, bool last) {
  chunk_left_ = size_bytes;
  chunk_is_last_ = last;
  chunk_refusal_ = refusal_of_chunk(size_bytes);
  if (chunk_refusal_ || in_chunks_) {
    mode_ = mode::chunk;
    return std::nullopt;
  }
  in_chunks_ = true;
  return ask(question::begin, data_begin{&envelope_});
}

std::optional<reply> server_engine::refusal_of_chunk(std::uint64_t size_bytes) const {
  if (options_.kind == server_kind::submission && !authenticated_)
    return replies::authentication_needed();
  if (!(state() & (state_rcpt | state_chunks)))
    return refuse_order(state_rcpt);
  const auto limit = options_.limits.message_bytes;
  const auto so_far = in_chunks_ ? inspector_.found().size_bytes : 0;
  if (size_bytes > limit || so_far > limit - size_bytes)
    return replies::message_too_big();
  return std::nullopt;
}

std::optional<step> server_engine::next_chunk() {
  if (chunk_left_ == 0)
    return end_of_chunk();
  const auto rest = reader_.rest();
  if (rest.empty())
    return need_input{};
  const auto octets = rest.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(rest.size(), chunk_left_)));
  reader_.consume(octets.size());
  chunk_left_ -= octets.size();
  if (chunk_refusal_)
    return std::nullopt;
  inspector_.look_at(octets);
  chunk_refusal_ = refusal_of(inspector_.found());
  if (!chunk_refusal_)
    return give(octets);
  message_open_ = false;
  return data_aborted{};
}

std::optional<step> server_engine::end_of_chunk() {
  if (!chunk_refusal_ && chunk_is_last_) {
    if (const auto held = normaliser_.finish(); !held.empty())
      return data_chunk{held};
    inspector_.finish();
    chunk_refusal_ = refusal_of(inspector_.found());
    if (!chunk_refusal_)
      return ask(question::end, data_end{inspector_.found(), &envelope_});
  }
  mode_ = mode::command;
  if (!chunk_refusal_) {
    say({250, "2.0.0", std::to_string(inspector_.found().size_bytes) + " octets received"});
    return std::nullopt;
  }
  const auto why = std::move(*chunk_refusal_);
  chunk_refusal_.reset();
  // The transaction failed: chunks that are in the pipeline already find none (RFC 3030 2).
  if (chunk_is_last_ && in_chunks_)
    answer_all(why);
  else
    say(why);
  if (why.closes())
    end_session(std::nullopt);
  else if (in_chunks_)
    reset_transaction();
  return std::nullopt;
}

// --- the caller's answers ---

void server_engine::begin_accepted() {
  message_open_ = true;
  normaliser_ = {};
  if (in_chunks_) {
    inspector_.reset();
    mode_ = mode::chunk;
    return;
  }
  decoder_.reset();
  mode_ = mode::data;
  say({354, "", "End data with <CR><LF>.<CR><LF>"});
}

// RFC 2033 4.2: over LMTP each recipient has its own reply to the end of data.
void server_engine::answer_all(const reply& r) {
  const auto times = options_.kind == server_kind::lmtp ? std::max<std::size_t>(envelope_.recipients.size(), 1) : 1;
  for (std::size_t i = 0; i != times; ++i)
    write_reply(r, output_);
  if (r.code >= 500)
    ++errors_;
}

void server_engine::answer_each(std::span<const reply> replies) {
  if (mode_ == mode::closed)
    return;
  const auto wanted = options_.kind == server_kind::lmtp ? envelope_.recipients.size() : 1;
  if (question_ != question::end || replies.size() != wanted)
    throw std::logic_error("smtp: answer_each() answers no open question");
  question_ = question::none;
  bool taken = false;
  bool closes = false;
  for (const auto& r : replies) {
    say(r);
    taken = taken || r.is_positive();
    closes = closes || r.closes();
  }
  end_message(taken);
  if (closes)
    end_session(std::nullopt);
}

void server_engine::end_message(bool taken) {
  mode_ = mode::command;
  message_open_ = false;
  reset_transaction();
  if (taken) {
    errors_ = 0;
    idle_commands_ = 0;
  }
}

} // namespace merpati::smtp
