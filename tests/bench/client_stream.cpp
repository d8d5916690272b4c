#include "tests/bench/client_stream.hpp"

#include <cerrno>
#include <cstring>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <sys/socket.h>
#include <unistd.h>

namespace merpati::bench {

namespace {

// A server that sends an endless line is broken; better to say so than to fill memory.
constexpr std::size_t line_limit = 16 * 1024 * 1024;

} // namespace

tls_client::tls_client() : context_(SSL_CTX_new(TLS_client_method())) {
  if (!context_)
    throw load_error("no TLS context");
  SSL_CTX_set_verify(context_.get(), SSL_VERIFY_NONE, nullptr);
  SSL_CTX_set_mode(context_.get(),
                   SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
}

client_stream::client_stream(event_loop& loop, std::size_t read_size) : loop_(&loop), read_size_(read_size) {}

client_stream::~client_stream() {
  close();
}

void client_stream::close() {
  if (ssl_ != nullptr)
    SSL_free(std::exchange(ssl_, nullptr));
  if (fd_ >= 0) {
    loop_->forget(fd_);
    ::close(std::exchange(fd_, -1));
  }
  input_.clear();
  begin_ = scanned_ = 0;
  failure_.clear();
  watching_writes_ = false;
}

task<void> client_stream::connect(std::uint16_t port, const tls_client* tls) {
  fd_ = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd_ < 0)
    throw load_error(std::string("socket: ") + std::strerror(errno));
  const int on = 1;
  setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int started = ::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  if (started != 0 && errno != EINPROGRESS)
    throw load_error("connect to port " + std::to_string(port) + ": " + std::strerror(errno));
  watching_writes_ = started != 0;
  loop_->watch(fd_, this, watching_writes_);
  if (started != 0) {
    co_await io_awaiter{this, wait_kind::writable};
    int problem = 0;
    socklen_t size = sizeof problem;
    getsockopt(fd_, SOL_SOCKET, SO_ERROR, &problem, &size);
    if (problem != 0)
      throw load_error("connect to port " + std::to_string(port) + ": " + std::strerror(problem));
    ask_writable(false);
  }
  if (tls != nullptr)
    co_await start_tls(tls);
}

task<void> client_stream::start_tls(const tls_client* tls) {
  if (begin_ != input_.size())
    throw load_error("the server sent more in clear after its answer to STARTTLS");
  ssl_ = SSL_new(tls->get());
  SSL_set_fd(ssl_, fd_);
  SSL_set_connect_state(ssl_);
  while (true) {
    ERR_clear_error();
    const int done = SSL_do_handshake(ssl_);
    if (done == 1)
      break;
    const int reason = SSL_get_error(ssl_, done);
    if (reason != SSL_ERROR_WANT_READ && reason != SSL_ERROR_WANT_WRITE)
      throw load_error("TLS handshake failed");
    ask_writable(reason == SSL_ERROR_WANT_WRITE);
    co_await io_awaiter{this, wait_kind::handshake};
  }
  ask_writable(false);
}

void client_stream::io_awaiter::await_suspend(std::coroutine_handle<> waiter) const {
  stream->waiter_ = waiter;
  stream->waiting_ = kind;
}

void client_stream::wait_readable(std::coroutine_handle<> waiter, wait_kind kind) {
  waiter_ = waiter;
  waiting_ = kind;
}

bool client_stream::find_line() {
  const auto end = input_.find('\n', scanned_);
  scanned_ = end == std::string::npos ? input_.size() : end;
  return end != std::string::npos;
}

std::string_view client_stream::take_line() {
  if (!find_line())
    throw_if_failed();
  std::string_view line(input_.data() + begin_, scanned_ - begin_);
  begin_ = ++scanned_;
  if (line.ends_with('\r'))
    line.remove_suffix(1);
  return line;
}

task<void> client_stream::skip(std::size_t count) {
  while (true) {
    const auto here = std::min(count, input_.size() - begin_);
    begin_ += here;
    scanned_ = begin_;
    count -= here;
    if (count == 0)
      co_return;
    co_await io_awaiter{this, wait_kind::any_input};
  }
}

task<void> client_stream::write(std::string_view text) {
  while (true) {
    throw_if_failed();
    text.remove_prefix(send_some(text));
    if (text.empty())
      break;
    ask_writable(true);
    co_await io_awaiter{this, wait_kind::writable};
  }
  ask_writable(false);
}

std::size_t client_stream::send_some(std::string_view text) {
  if (ssl_ != nullptr) {
    ERR_clear_error();
    std::size_t sent = 0;
    const int done = SSL_write_ex(ssl_, text.data(), text.size(), &sent);
    if (done == 1)
      return sent;
    const int reason = SSL_get_error(ssl_, done);
    if (reason == SSL_ERROR_WANT_READ || reason == SSL_ERROR_WANT_WRITE)
      return 0;
    throw load_error("TLS write failed");
  }
  const auto sent = ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
  if (sent >= 0)
    return static_cast<std::size_t>(sent);
  if (errno == EAGAIN || errno == EINTR)
    return 0;
  throw load_error(std::string("send: ") + std::strerror(errno));
}

void client_stream::ask_writable(bool wanted) {
  if (wanted == watching_writes_)
    return;
  watching_writes_ = wanted;
  loop_->change(fd_, this, wanted);
}

void client_stream::fill() {
  if (begin_ == input_.size()) {
    input_.clear();
    begin_ = scanned_ = 0;
  } else if (begin_ >= read_size_) {
    input_.erase(0, begin_);
    scanned_ -= begin_;
    begin_ = 0;
  }
  if (input_.size() - begin_ > line_limit)
    return fail("the server sent a line without end");
  if (ssl_ != nullptr)
    return fill_tls();
  // Reading into a scratch area keeps the buffer of a quiet session as small as what it holds.
  static thread_local std::string scratch;
  scratch.resize(std::max(scratch.size(), read_size_));
  const auto got = ::recv(fd_, scratch.data(), read_size_, 0);
  if (got > 0) {
    input_.append(scratch.data(), static_cast<std::size_t>(got));
    received_ += static_cast<std::uint64_t>(got);
  } else if (got == 0) {
    fail("the server closed the connection");
  } else if (errno != EAGAIN && errno != EINTR) {
    fail(std::string("recv: ") + std::strerror(errno));
  }
}

void client_stream::fill_tls() {
  static thread_local std::string scratch(16 * 1024, '\0');
  while (true) {
    ERR_clear_error();
    std::size_t got = 0;
    const int done = SSL_read_ex(ssl_, scratch.data(), scratch.size(), &got);
    if (done != 1) {
      const int reason = SSL_get_error(ssl_, done);
      if (reason != SSL_ERROR_WANT_READ && reason != SSL_ERROR_WANT_WRITE)
        fail("the server closed the TLS connection");
      return;
    }
    input_.append(scratch.data(), got);
    received_ += got;
  }
}

void client_stream::fail(std::string what) {
  failure_ = std::move(what);
  // Level-triggered readiness of a dead connection would otherwise be reported for ever.
  loop_->forget(fd_);
}

void client_stream::throw_if_failed() const {
  if (!failure_.empty())
    throw load_error(failure_);
}

bool client_stream::satisfied(bool readable, bool writable) {
  if (!failure_.empty())
    return true;
  switch (waiting_) {
  case wait_kind::none: return false;
  case wait_kind::line: return find_line();
  case wait_kind::any_input: return begin_ != input_.size();
  case wait_kind::writable: return writable;
  case wait_kind::handshake: return readable || writable;
  }
  return false;
}

void client_stream::on_ready(bool readable, bool writable) {
  // The handshake reads the socket by itself, and so does the check of a fresh connection.
  const bool own_reading = waiting_ == wait_kind::handshake || (waiting_ == wait_kind::writable && writable);
  if (readable && !own_reading)
    fill();
  if (satisfied(readable, writable)) {
    waiting_ = wait_kind::none;
    std::exchange(waiter_, nullptr).resume();
  }
}

} // namespace merpati::bench
