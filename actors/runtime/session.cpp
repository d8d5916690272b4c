#include "actors/runtime/session.hpp"

#include "actors/runtime/session_core.hpp"

namespace merpati::runtime {

// -- session_waiter -------------------------------------------------------------------------------------------------

session_waiter::session_waiter(session_core& core) noexcept : waiter(core.host()), core_(core) {}

void session_waiter::wait(std::coroutine_handle<> waiting, std::chrono::nanoseconds timeout) {
  until_ = host().deadline(timeout);
  suspend(waiting, std::min(until_, core_.stall_deadline()));
}

bool session_waiter::expired() {
  const auto now = host().now();
  if (now >= core_.stall_deadline()) {
    core_.give_up("the peer takes no output");
    return true;
  }
  if (now >= until_) {
    timed_out_ = true;
    return true;
  }
  set_deadline(std::min(until_, core_.stall_deadline()));
  return false;
}

// -- event_awaiter --------------------------------------------------------------------------------------------------

bool event_awaiter::await_ready() {
  core_.begin_wait();
  return satisfied();
}

void event_awaiter::await_suspend(std::coroutine_handle<> waiting) {
  wait(waiting, timeout_);
}

bool event_awaiter::satisfied() const {
  return core_.has_event(with_notices_);
}

session_event event_awaiter::await_resume() {
  if (timed_out())
    return session_event::of_timeout();
  return core_.take_event(with_notices_);
}

// -- write_awaiter --------------------------------------------------------------------------------------------------

bool write_awaiter::await_ready() {
  return push();
}

bool write_awaiter::push() const {
  rest_ = core_.push(rest_);
  return core_.closed() || (rest_.empty() && !core_.over_high_water());
}

bool write_awaiter::satisfied() const {
  return push();
}

result<void> write_awaiter::await_resume() {
  if (core_.closed())
    return fail(errc::unavailable, "the connection is closed: " + core_.closed_reason());
  return {};
}

// -- session_sleep_awaiter, handshake_awaiter -------------------------------------------------------------------------

bool session_sleep_awaiter::satisfied() const {
  return core_.closed() || core_.stopping();
}

void handshake_awaiter::await_suspend(std::coroutine_handle<> waiting) {
  wait(waiting, core_.settings().limits.handshake_timeout);
}

bool handshake_awaiter::satisfied() const {
  return core_.closed() || !core_.handshaking();
}

result<void> handshake_awaiter::await_resume() const {
  if (timed_out()) {
    core_.give_up("the TLS handshake took too long");
    return fail(errc::unavailable, core_.closed_reason());
  }
  if (core_.tls() != nullptr && core_.tls()->state() == tls::stream_state::established)
    return {};
  if (core_.tls() != nullptr && core_.tls()->state() == tls::stream_state::failed)
    return fail(errc::invalid, core_.closed_reason());
  return fail(errc::unavailable, "closed during the TLS handshake");
}

bool proxy_awaiter::satisfied() const {
  return core_.closed() || !core_.awaits_proxy_header();
}

void proxy_awaiter::await_suspend(std::coroutine_handle<> waiting) {
  wait(waiting, core_.settings().limits.proxy_timeout);
}

bool proxy_awaiter::await_resume() const {
  if (timed_out())
    core_.give_up("the proxy sent no header");
  return !core_.closed();
}

// -- session_io -----------------------------------------------------------------------------------------------------

void session_io::write_soon(std::string_view bytes) {
  core_.write_soon(bytes);
}
std::size_t session_io::pending_output() const noexcept {
  return core_.pending_output();
}
task<result<void>> session_io::start_tls(std::shared_ptr<const tls::server_context> context, std::string alpn) {
  if (auto begun = core_.begin_tls(tls::stream::server(std::move(context), alpn)); !begun)
    co_return begun;
  auto shaken = co_await handshake_awaiter(core_);
  co_return shaken;
}
task<result<void>> session_io::start_client_tls(std::shared_ptr<const tls::client_context> context,
                                                std::string server_name, std::shared_ptr<const tls::dane_check> dane) {
  if (auto begun = core_.begin_tls(tls::stream::client(std::move(context), server_name, dane.get())); !begun)
    co_return begun;
  auto shaken = co_await handshake_awaiter(core_);
  co_return shaken;
}
void session_io::start_compression() {
  core_.start_compression();
}

const tls::stream* session_io::tls() const noexcept {
  return core_.tls();
}
void session_io::close() {
  core_.close();
}
bool session_io::closed() const noexcept {
  return core_.closed();
}
bool session_io::stopping() const noexcept {
  return core_.stopping();
}
const net::endpoint_info& session_io::info() const noexcept {
  return core_.settings().info;
}
void session_io::set_remote(std::string address, std::uint16_t port) {
  core_.set_remote(std::move(address), port);
}
const session_limits& session_io::limits() const noexcept {
  return core_.settings().limits;
}
notice_sink session_io::self() const {
  return caf::actor_cast<notice_sink>(&core_);
}
caf::event_based_actor& session_io::actor() const noexcept {
  return core_;
}
std::chrono::steady_clock::time_point session_io::now() const {
  return core_.host().now();
}
bool session_io::notices_lost() noexcept {
  return core_.take_notices_lost();
}
void session_io::set_label(std::string_view text) {
  core_.stats().set_label(text);
}
coroutine_host& session_io::host() const noexcept {
  return core_.host();
}

session_actor spawn_session(caf::actor_system& system, session_settings settings) {
  return caf::actor_cast<session_actor>(system.spawn<session_core>(std::move(settings)));
}

} // namespace merpati::runtime
