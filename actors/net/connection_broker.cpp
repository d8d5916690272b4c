#include "actors/net/connection_broker.hpp"

#include <algorithm>

#include <sys/socket.h>

#include "base/log.hpp"

namespace merpati::net {

namespace {

// An idle connection keeps the small buffer; bulk transfer gets one that makes few system calls.
constexpr std::size_t smallest_read = 2 * 1024;
constexpr std::size_t largest_read = 64 * 1024;
// What a conversation of commands and small messages settles on: a message of 4 KB is one read, and so many small reads
// in a row, more than there are commands between two messages, mean that the talk is over.
constexpr std::size_t conversation_read = 8 * 1024;
constexpr unsigned small_reads_to_shrink = 8;

/// How long a peer may take to fetch what was sent before the close. Postfix and Dovecot give up after comparable
/// times.
constexpr auto linger_to_send = std::chrono::seconds(30);
/// How long, and for how many octets, the peer's own close is awaited after ours. Closing at once with unread input
/// makes the kernel reset the connection, and a reset destroys our last reply on its way.
constexpr auto linger_to_close = std::chrono::seconds(5);
constexpr std::size_t most_discarded = 1024 * 1024;
/// The same when the daemon stops, for both: a client that is there needs a round trip to fetch the farewell and close.
constexpr auto linger_to_stop = std::chrono::milliseconds(500);

struct linger_over {};

} // namespace

} // namespace merpati::net

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(merpati::net::linger_over)

namespace merpati::net {

connection_broker::connection_broker(caf::actor_config& config, connection_settings settings)
    : caf::io::broker(config),
      settings_(std::move(settings)),
      stats_(runtime::stats_handle::add(id(), "connection", settings_.info.remote_address, settings_.parent)) {}

caf::behavior connection_broker::make_behavior() {
  set_default_handler(caf::drop);
  set_down_handler([this](caf::down_msg&) { on_session_gone(); });
  begin();
  return {stats_.timed([this](caf::io::new_data_msg& m) { on_data(m); }),
          stats_.timed([this](const caf::io::data_transferred_msg& m) { on_written(m); }),
          [this](const caf::io::connection_closed_msg&) { on_closed(); },
          [](const caf::io::connection_passivated_msg&) {},
          stats_.timed([this](send_bytes& m) { on_send(m); }),
          stats_.timed([this](const consumed& m) { on_consumed(m); }),
          [this](close_connection) { finish_when_sent(); },
          [this](runtime::stop_request) { on_stop(); },
          [this](linger_over) { quit(); }};
}

void connection_broker::begin() {
  socket_ = settings_.scribe->hdl();
  add_scribe(std::move(settings_.scribe));
  settings_.scribe = nullptr;
  output_ = std::make_shared<socket_output>(settings_.descriptor);
  try {
    accepted_connection accepted;
    accepted.connection = caf::actor_cast<connection_actor>(caf::actor_cast<caf::actor>(this));
    accepted.info = settings_.info;
    accepted.output = output_;
    session_ = settings_.make_session(system(), std::move(accepted));
  } catch (const std::exception& e) {
    log::error("no session for the connection from {}: {}", settings_.info.remote_address, e.what());
  }
  settings_.make_session = nullptr;
  if (!session_) {
    quit();
    return;
  }
  monitor(session_);
  if (settings_.sessions) {
    // Both, since a session's farewell is on its way when the session is gone.
    const runtime::adopt_child session{session_, settings_.sessions_phase};
    const runtime::adopt_child connection{caf::actor_cast<caf::actor>(this), settings_.sessions_phase + 1};
    send(settings_.sessions, session);
    send(settings_.sessions, connection);
    settings_.sessions = nullptr;
  }
  ack_writes(socket_, true);
  read_size_ = smallest_read;
  configure_read(socket_, caf::io::receive_policy::at_most(read_size_));
}

void connection_broker::on_exit() {
  if (output_)
    output_->close();
  session_ = nullptr;
  settings_ = {};
}

// -- from the peer

void connection_broker::on_data(caf::io::new_data_msg& m) {
  if (closing_) {
    discarded_ += m.buf.size();
    if (discarded_ > most_discarded)
      quit();
    return;
  }
  const auto got = m.buf.size();
  forwarded_ += got;
  send(session_, received{std::move(m.buf)});
  m.buf = {};
  fit_read_buffer(got);
  if (over_window() && !paused_) {
    // One token: the reading loop, which does not look at halt(), ends after at most one more read.
    paused_ = true;
    trigger(socket_, 1);
  }
}

void connection_broker::fit_read_buffer(std::size_t got) {
  auto wanted = read_size_;
  if (got == read_size_)
    wanted = std::clamp(read_size_ * 2, conversation_read, largest_read);
  else if (got < read_size_ / 4)
    wanted = ++small_reads_ < small_reads_to_shrink ? std::min(read_size_, conversation_read) : smallest_read;
  if (got >= read_size_ / 4)
    small_reads_ = 0;
  if (wanted == read_size_)
    return;
  read_size_ = wanted;
  configure_read(socket_, caf::io::receive_policy::at_most(read_size_));
}

void connection_broker::on_closed() {
  output_->close(); // CAF closes the descriptor when this handler has returned
  if (!closing_)
    send(session_, peer_closed{});
  quit();
}

// -- from the session

void connection_broker::on_consumed(const consumed& m) {
  consumed_ = std::clamp(m.total_bytes, consumed_, forwarded_);
  if (paused_ && !over_window() && !closing_) {
    paused_ = false;
    trigger(socket_);
  }
}

void connection_broker::on_send(send_bytes& m) {
  if (closing_ || m.data.empty())
    return;
  // Most output fits into the kernel's buffer: no need to arm the multiplexer for it.
  const auto sent = accepted_ == written_ ? output_->send_queued({m.data.data(), m.data.size()}) : 0;
  accepted_ += m.data.size();
  written_ += sent;
  if (sent == m.data.size()) {
    tell_progress();
    return;
  }
  auto& out = wr_buf(socket_);
  if (out.empty() && sent == 0)
    out.swap(m.data);
  else
    out.insert(out.end(), m.data.begin() + static_cast<std::ptrdiff_t>(sent), m.data.end());
  flush(socket_);
}

void connection_broker::on_written(const caf::io::data_transferred_msg& m) {
  written_ += m.written;
  output_->written(m.written);
  if (closing_)
    finish_when_sent();
  else
    tell_progress();
}

/// The session waits only while much is on its way, so it need not hear of every reply.
void connection_broker::tell_progress() {
  if (written_ - told_ < write_done_step)
    return;
  told_ = written_;
  const write_done told{written_};
  send(session_, told);
}

// -- the end

void connection_broker::on_session_gone() {
  finish_when_sent();
}

void connection_broker::on_stop() {
  finish_when_sent();
  delayed_send(this, linger_to_stop, linger_over{});
}

void connection_broker::finish_when_sent() {
  if (!closing_) {
    closing_ = true;
    output_->close();
    if (written_ < accepted_)
      delayed_send(this, linger_to_send, linger_over{});
  }
  if (written_ < accepted_ || fin_sent_)
    return;
  fin_sent_ = true;
  if (::shutdown(settings_.descriptor, SHUT_WR) != 0) {
    quit();
    return;
  }
  trigger(socket_); // read on, to see the peer's close
  delayed_send(this, linger_to_close, linger_over{});
}

} // namespace merpati::net
