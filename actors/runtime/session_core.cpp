#include "actors/runtime/session_core.hpp"

#include <algorithm>

#include "base/log.hpp"

namespace merpati::runtime {

namespace {

/// Input of a compressed connection that is ready at a time, however much it could become.
constexpr std::size_t inflated_piece = 64 * 1024;

/// The error of an actor whose coroutine threw.
caf::error failed_exit() {
  return caf::exit_reason::unhandled_exception;
}

std::string what_of(std::exception_ptr failure) {
  try {
    std::rethrow_exception(std::move(failure));
  } catch (const std::exception& e) {
    return e.what();
  } catch (...) {
    return "an exception of unknown type";
  }
}

} // namespace

session_core::session_core(caf::actor_config& config, session_settings settings)
    : caf::event_based_actor(config),
      settings_(std::move(settings)),
      stats_(stats_handle::add(id(), settings_.kind, settings_.info.remote_address, settings_.parent)),
      io_(*this),
      progress_(clock().now()),
      host_(this) {}

caf::behavior session_core::make_behavior() {
  set_default_handler(caf::drop);
  set_down_handler([this](caf::down_msg& down) {
    if (settings_.connection && down.source == settings_.connection.address())
      on_peer_closed("the connection is gone");
  });
  monitor(settings_.connection);
  // Before the first octet is looked at: the client's hello may be here before the root has started.
  if (settings_.admit_proxied)
    proxy_ = std::make_unique<proxy::header_reader>();
  else if (settings_.tls)
    (void)begin_tls(tls::stream::server(settings_.tls, settings_.alpn));
  // The root starts by a message of its own: make_behavior runs within spawn's initialisation.
  caf::anon_send(caf::actor_cast<caf::actor>(this), caf::unit);
  return {
      [this](caf::unit_t) { host_.start(run(), [this](std::exception_ptr failure) { on_ended(std::move(failure)); }); },
      [this](net::received& m) { on_received(m.data); },
      [this](const net::write_done& m) { on_write_done(m.total_bytes); },
      [this](net::peer_closed& m) { on_peer_closed(std::move(m.reason)); },
      [this](const notice& n) { on_notice(n); },
      [this](stop_request) { on_stop(); }};
}

task<void> session_core::run() {
  auto announced = co_await proxy_awaiter(*this);
  if (!announced) {
    log::info("{} session of proxy {} ends: {}", settings_.kind, settings_.info.remote_address, reason_);
    co_return;
  }
  if (settings_.tls) {
    auto shaken = co_await handshake_awaiter(*this);
    if (!shaken) {
      log::debug("{} session of {}: {}", settings_.kind, settings_.info.remote_address, shaken.error().what);
      co_return;
    }
  }
  auto session = settings_.root(io_);
  co_await session;
}

caf::invoke_message_result session_core::consume(caf::mailbox_element& message) {
  stats_.set_mailbox_depth(mailbox().size());
  auto timing = stats_.measure();
  return caf::event_based_actor::consume(message);
}

void session_core::on_exit() {
  host_.reset();
  settings_.root = nullptr;
  tls_.reset();
  settings_.connection = nullptr;
  settings_.output = nullptr;
}

void session_core::on_ended(std::exception_ptr failure) {
  if (!failure) {
    close();
    quit();
    return;
  }
  const auto what = what_of(std::move(failure));
  log::error("{} session of {} failed and is closed, others go on: {}", settings_.kind, settings_.info.remote_address,
             what);
  stats_.set_error(what);
  close();
  quit(failed_exit());
}

// -- what happens to the session ----------------------------------------------------------------------------------

void session_core::on_received(net::bytes& data) {
  received_ += data.size();
  if (closed())
    return;
  if (proxy_ && !read_proxy_header(data))
    return after_event();
  if (data.empty())
    return after_event();
  if (compression_) {
    net::bytes wire;
    if (tls_)
      decrypt(std::string_view(data.data(), data.size()), wire);
    else
      wire = std::move(data);
    compression_->feed(std::string_view(wire.data(), wire.size()));
    inflate();
  } else if (tls_) {
    decrypt(std::string_view(data.data(), data.size()), input_);
  } else if (input_.empty()) {
    input_ = std::move(data);
  } else {
    input_.insert(input_.end(), data.begin(), data.end());
  }
  after_event();
}

void session_core::inflate() {
  if (!input_.empty() || closed())
    return;
  if (auto read = compression_->read(inflated_piece, input_); !read)
    give_up("COMPRESS: " + read.error().what);
}

void session_core::start_compression() {
  flush_output();
  compression_ = std::make_unique<compress::deflate_layer>();
  // RFC 4978 3: the client waits for the answer, so all that is here already is compressed.
  compression_->feed(std::string_view(input_.data(), input_.size()));
  input_.clear();
}

bool session_core::read_proxy_header(net::bytes& data) {
  using status = proxy::header_reader::status;
  const auto read = proxy_->feed({data.data(), data.size()});
  if (read == status::malformed)
    give_up("PROXY: " + std::string(proxy_->why()));
  if (read != status::done)
    return false;
  data.erase(data.begin(), data.begin() + static_cast<std::ptrdiff_t>(proxy_->taken()));
  const auto header = proxy_->value();
  proxy_.reset();
  if (header.has_addresses) {
    set_remote(header.source_address, header.source_port);
    settings_.info.local_address = header.destination_address;
    settings_.info.local_port = header.destination_port;
  }
  proxied_ = settings_.admit_proxied(settings_.info.remote_address);
  if (!proxied_)
    give_up("too many connections of " + settings_.info.remote_address);
  else if (settings_.tls)
    (void)begin_tls(tls::stream::server(settings_.tls, settings_.alpn));
  return !closed();
}

void session_core::set_remote(std::string address, std::uint16_t port) {
  settings_.info.remote_address = std::move(address);
  settings_.info.remote_port = port;
  stats_.set_label(settings_.info.remote_address);
}

void session_core::decrypt(std::string_view ciphertext, net::bytes& plain_out) {
  net::bytes reply;
  const auto fed = tls_->feed(ciphertext, plain_out, reply);
  if (!reply.empty())
    send_wire(std::move(reply));
  if (!fed)
    give_up("TLS: " + fed.error().what);
  else
    ended_ = tls_->state() == tls::stream_state::closed;
}

void session_core::on_write_done(std::uint64_t total) {
  acknowledged_ = std::max(acknowledged_, std::min(direct_ + total, sent_));
  progress_ = clock().now();
  after_event();
}

void session_core::on_peer_closed(std::string reason) {
  if (!gone_) {
    gone_ = true;
    if (reason_.empty())
      reason_ = std::move(reason);
  }
  after_event();
}

void session_core::on_notice(const notice& n) {
  if (!notices_)
    notices_ = std::make_unique<std::deque<notice>>();
  if (notices_->size() >= settings_.limits.notices) {
    notices_lost_ = true;
    return;
  }
  notices_->push_back(n);
  after_event();
}

void session_core::on_stop() {
  stop_pending_ = !stopping_;
  stopping_ = true;
  after_event();
}

void session_core::after_event() {
  // Only session_waiters know how to be satisfied by an event; whoever waits for a reply is woken by the reply.
  auto* waiting = dynamic_cast<session_waiter*>(host_.waiting());
  if (waiting != nullptr && waiting->satisfied())
    host_.wake();
}

// -- events taken by the coroutine --------------------------------------------------------------------------------

bool session_core::has_event(bool with_notices) const {
  if (stop_pending_ || closed())
    return true;
  if (ended_ && input_.empty())
    return true;
  if (over_high_water())
    return false;
  return !input_.empty() || (with_notices && notices_ && !notices_->empty());
}

session_event session_core::take_event(bool with_notices) {
  if (std::exchange(stop_pending_, false))
    return session_event::of_stop();
  if (!input_.empty() && !closing_) {
    taken_ = std::move(input_);
    input_ = {};
    return session_event::of_data(std::string_view(taken_.data(), taken_.size()));
  }
  if (with_notices && notices_ && !notices_->empty()) {
    auto first = std::move(notices_->front());
    notices_->pop_front();
    if (notices_->empty())
      notices_.reset();
    return session_event::of_notice(std::move(first));
  }
  return session_event::of_closed(reason_);
}

void session_core::begin_wait() {
  taken_ = {};
  if (compression_)
    inflate();
  if (input_.empty())
    report_consumed();
  flush_output();
}

void session_core::report_consumed() {
  consumed_ = received_;
  if (gone_ || consumed_ - reported_ < net::consumed_step)
    return;
  reported_ = consumed_;
  const net::consumed told{consumed_};
  send(settings_.connection, told);
}

// -- output ---------------------------------------------------------------------------------------------------------

void session_core::send_wire(net::bytes data) {
  if (closed())
    return;
  if (sent_ == acknowledged_)
    progress_ = clock().now();
  sent_ += data.size();
  if (auto* output = settings_.output.get()) {
    const auto taken = output->try_send({data.data(), data.size()});
    direct_ += taken;
    acknowledged_ += taken;
    if (taken == data.size())
      return;
    data.erase(data.begin(), data.begin() + static_cast<std::ptrdiff_t>(taken));
    output->queued(data.size());
  }
  send(settings_.connection, net::send_bytes{std::move(data)});
}

void session_core::flush_output() {
  if (output_.empty() || handshaking())
    return;
  if (compression_) {
    net::bytes squeezed;
    compression_->write(std::string_view(output_.data(), output_.size()), squeezed);
    output_ = std::move(squeezed);
  }
  if (!tls_) {
    send_wire(std::exchange(output_, {}));
    return;
  }
  net::bytes wire;
  const auto written = tls_->write(std::string_view(output_.data(), output_.size()), wire);
  output_ = {};
  if (!wire.empty())
    send_wire(std::move(wire));
  if (!written && !closed())
    give_up("TLS: " + written.error().what);
}

std::string_view session_core::push(std::string_view bytes) {
  // One slice at a time: what waits in memory is the high-water mark and a slice, however much is written.
  constexpr std::size_t slice = 32 * 1024;
  flush_output();
  while (!bytes.empty() && !closed() && !over_high_water()) {
    const auto part = bytes.substr(0, slice);
    bytes.remove_prefix(part.size());
    write_soon(part);
    flush_output();
  }
  return bytes;
}

coroutine_host::time_point session_core::stall_deadline() const {
  if (!over_high_water())
    return coroutine_host::time_point::max();
  return progress_ + settings_.limits.write_timeout;
}

void session_core::give_up(std::string why) {
  if (reason_.empty())
    reason_ = std::move(why);
  input_ = {};
  if (!closed()) {
    closing_ = true;
    send(settings_.connection, net::close_connection{});
  }
}

void session_core::close() {
  if (closed())
    return;
  flush_output();
  if (tls_ && !closed()) {
    net::bytes farewell;
    tls_->close(farewell);
    if (!farewell.empty())
      send_wire(std::move(farewell));
  }
  give_up({});
}

// -- TLS ------------------------------------------------------------------------------------------------------------

bool session_core::handshaking() const noexcept {
  return tls_ && tls_->state() == tls::stream_state::handshaking;
}

const tls::stream* session_core::tls() const noexcept {
  return tls_ && !handshaking() ? &*tls_ : nullptr;
}

result<void> session_core::begin_tls(result<tls::stream> made) {
  if (tls_)
    return fail(errc::invalid, "TLS is on already");
  flush_output();
  // RFC 3207 4.2, RFC 9051 6.2.1, RFC 2595 4: nothing said in clear may be taken as said under TLS.
  taken_ = {};
  input_ = {};
  report_consumed();
  if (!made) {
    log::error("TLS cannot begin for {}: {}", settings_.info.remote_address, made.error().what);
    give_up("TLS: " + made.error().what);
    return tl::unexpected<error>(made.error());
  }
  net::bytes hello; // a client's
  if (auto started = made->start(hello); !started) {
    give_up("TLS: " + started.error().what);
    return started;
  }
  if (!hello.empty())
    send_wire(std::move(hello));
  tls_.emplace(std::move(*made));
  return {};
}

} // namespace merpati::runtime
