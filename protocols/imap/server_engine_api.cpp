// server_engine's public face: steps out, answers in.
#include <stdexcept>

#include "protocols/imap/engine_impl.hpp"

namespace merpati::imap {
namespace {

/// An answer without its question is a bug of the caller's.
void require(bool holds, const char* what) {
  if (!holds)
    throw std::logic_error(what);
}

} // namespace

step server_engine::impl::advance() {
  // steps::need_input from a function below means "dealt with"; only running out of octets ends the loop.
  for (;;) {
    if (now == phase::closing)
      return steps::close{};
    if (now == phase::executing || now == phase::logging_in || now == phase::append_question || now == phase::handshake
        || now == phase::compressing)
      throw std::logic_error("imap engine: next() before the answer");
    if (out.size() > bounds().output_bytes)
      return steps::send_output{};
    if (input.empty())
      return steps::need_input{};
    step s;
    switch (now) {
    case phase::command:
      if (read_line())
        s = line_done();
      break;
    case phase::sasl:
      if (read_line())
        s = sasl_line_done();
      break;
    case phase::idling:
      if (read_line())
        s = idle_line_done();
      break;
    case phase::append_tail:
      if (read_line())
        s = append_line_done();
      else if (now != phase::append_tail && now != phase::closing)
        s = steps::append_cancelled{}; // the line was too long
      break;
    case phase::append_data: s = append_octets(); break;
    case phase::literal: {
      auto octets = input.take(left);
      text += octets;
      left -= octets.size();
      break;
    }
    case phase::discard_line: discard_line(); break;
    case phase::swallow: swallow_some(); break;
    default: break;
    }
    if (now == phase::literal && left == 0) {
      line_length = 0;
      now = phase::command;
    }
    if (!std::holds_alternative<steps::need_input>(s))
      return s;
  }
}

server_engine::server_engine(engine_options options) : impl_(std::make_unique<impl>(std::move(options))) {}
server_engine::~server_engine() = default;
server_engine::server_engine(server_engine&&) noexcept = default;
server_engine& server_engine::operator=(server_engine&&) noexcept = default;

void server_engine::start() {
  impl_->out += "* OK [CAPABILITY " + impl_->capabilities() + "] " + impl_->options.server_name + " ready\r\n";
}

void server_engine::refuse(std::string_view code, std::string_view text) {
  impl_->say_bye(code, text);
}

void server_engine::feed(std::string_view octets) {
  if (impl_->now != impl::phase::closing)
    impl_->input.feed(octets);
}

step server_engine::next() {
  return impl_->advance();
}

std::string server_engine::take_output() {
  std::string taken;
  taken.swap(impl_->out);
  return taken;
}

std::string& server_engine::output() noexcept {
  return impl_->out;
}

void server_engine::finish(const reply& answer) {
  require(impl_->now == impl::phase::executing || impl_->now == impl::phase::closing,
          "imap engine: finish() without a command");
  impl_->finish(answer);
}

void server_engine::login_succeeded() {
  if (impl_->now == impl::phase::closing)
    return;
  require(impl_->now == impl::phase::logging_in, "imap engine: login_succeeded() without log_in");
  impl_->state = session_state::authenticated;
  impl_->bad_commands = 0;
  impl_->failed_logins = 0;
  impl_->next_command();
  impl_->respond(ok_code("CAPABILITY " + impl_->capabilities(), "Logged in"));
}

void server_engine::scram_keys(sasl::scram_credentials of_user) {
  if (impl_->now == impl::phase::closing)
    return;
  require(impl_->now == impl::phase::logging_in && impl_->exchange, "imap engine: scram_keys() without scram_lookup");
  impl_->carry(impl_->exchange->keys(std::move(of_user))); // always a challenge
}

void server_engine::set_channel_bindings(sasl::channel_bindings bindings) {
  impl_->bindings = std::move(bindings);
}

void server_engine::login_failed(const error& reason) {
  if (impl_->now == impl::phase::closing)
    return;
  require(impl_->now == impl::phase::logging_in, "imap engine: login_failed() without log_in");
  impl_->login_refused(reason);
}

void server_engine::accept_append() {
  if (impl_->now == impl::phase::closing)
    return;
  require(impl_->now == impl::phase::append_question, "imap engine: accept_append() without append_begin");
  if (impl_->append_mark.synchronising)
    impl_->out += "+ Ready for the message\r\n";
  impl_->left = impl_->append_mark.size_bytes;
  impl_->now = impl::phase::append_data;
}

void server_engine::refuse_append(const reply& answer) {
  switch (impl_->now) {
  case impl::phase::closing: return;
  case impl::phase::append_question: return impl_->refuse_literal(impl_->append_mark, answer);
  case impl::phase::append_data:
    impl_->refusal = answer;
    impl_->now = impl::phase::swallow;
    return;
  case impl::phase::append_tail: // all octets are there, the end of the line isn't
    impl_->refusal = answer;
    impl_->line_tail = impl_->text;
    impl_->skipped = 0;
    impl_->now = impl::phase::discard_line;
    return;
  default: require(impl_->now == impl::phase::executing, "imap engine: refuse_append() without append_begin");
  }
  impl_->finish(answer);
}

void server_engine::tls_started() {
  require(impl_->now == impl::phase::handshake, "imap engine: tls_started() without start_tls");
  impl_->tls = true;
  // what came in clear could have been put there by anybody (RFC 9051 11.3); capabilities are asked for anew
  impl_->input.clear();
  impl_->client_id.clear();
  impl_->next_command();
}

void server_engine::compression_started() {
  require(impl_->now == impl::phase::compressing, "imap engine: compression_started() without start_compression");
  impl_->compressed = true;
  impl_->input.clear(); // RFC 4978 3: nothing may come before the answer is there
  impl_->next_command();
}

void server_engine::shutdown(std::string_view code, std::string_view text) {
  impl_->say_bye(code, text);
}

void server_engine::mailbox_closed() {
  if (impl_->state != session_state::selected)
    return;
  impl_->state = session_state::authenticated;
  impl_->out += "* OK [CLOSED] The mailbox is gone\r\n";
}

void server_engine::enable_condstore() noexcept {
  impl_->enabled.condstore = true;
}

session_state server_engine::state() const noexcept {
  return impl_->state;
}
const enabled_extensions& server_engine::enabled() const noexcept {
  return impl_->enabled;
}
bool server_engine::tls_active() const noexcept {
  return impl_->tls;
}
bool server_engine::idling() const noexcept {
  return impl_->now == impl::phase::idling;
}
bool server_engine::busy() const noexcept {
  return impl_->now == impl::phase::executing;
}
const std::vector<std::pair<std::string, std::string>>& server_engine::client_id() const noexcept {
  return impl_->client_id;
}
std::string_view server_engine::tag() const noexcept {
  return impl_->tag;
}

} // namespace merpati::imap
