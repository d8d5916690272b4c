// One client connection: TCP, or TLS over it, with awaitable lines and writes on the event loop.
#pragma once

#include "tests/bench/event_loop.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <openssl/ssl.h>

namespace merpati::bench {

/// TLS settings of the client side. Certificates are not verified: the servers under test make their own.
class tls_client {
public:
  tls_client();
  SSL_CTX* get() const { return context_.get(); }

private:
  struct deleter {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  };
  std::unique_ptr<SSL_CTX, deleter> context_;
};

/// At most one coroutine waits on a stream at a time. Failures of the connection are thrown as load_error.
class client_stream final : private readiness_handler {
public:
  /// `read_size`: bytes asked of the kernel at once; large for mass FETCH, small for thousands of quiet sessions.
  explicit client_stream(event_loop& loop, std::size_t read_size = 16 * 1024);
  ~client_stream();
  client_stream(const client_stream&) = delete;
  client_stream& operator=(const client_stream&) = delete;

  /// Connects to 127.0.0.1:port; with `tls` the handshake is done too.
  task<void> connect(std::uint16_t port, const tls_client* tls);
  /// Turns the connection into TLS (STARTTLS). Anything unread in clear is an error.
  task<void> start_tls(const tls_client* tls);
  void close();

  struct line_awaiter {
    client_stream* stream;
    bool await_ready() const { return stream->has_line(); }
    void await_suspend(std::coroutine_handle<> waiter) const { stream->wait_readable(waiter, wait_kind::line); }
    std::string_view await_resume() const { return stream->take_line(); }
  };
  /// The next line without its CRLF. The view is good until the next await on this stream.
  line_awaiter line() { return line_awaiter{this}; }

  /// Sends all of it; `text` must live until then.
  task<void> write(std::string_view text);

  /// Passes over `count` octets of input (an IMAP literal).
  task<void> skip(std::size_t count);

  std::uint64_t bytes_received() const { return received_; }

private:
  enum class wait_kind : std::uint8_t { none, line, any_input, writable, handshake };

  bool find_line();
  bool has_line() { return find_line() || !failure_.empty(); }
  std::string_view take_line();
  void wait_readable(std::coroutine_handle<> waiter, wait_kind kind);
  void on_ready(bool readable, bool writable) override;
  void fill();
  void fill_tls();
  std::size_t send_some(std::string_view text);
  void ask_writable(bool wanted);
  void fail(std::string what);
  bool satisfied(bool readable, bool writable);
  void throw_if_failed() const;

  struct io_awaiter {
    client_stream* stream;
    wait_kind kind;
    bool await_ready() const { return !stream->failure_.empty(); }
    void await_suspend(std::coroutine_handle<> waiter) const;
    void await_resume() const { stream->throw_if_failed(); }
  };

  event_loop* loop_;
  std::size_t read_size_;
  int fd_ = -1;
  SSL* ssl_ = nullptr;
  std::string input_;
  std::size_t begin_ = 0;   // first unread octet of input_
  std::size_t scanned_ = 0; // input_ holds no line feed in [begin_, scanned_)
  std::uint64_t received_ = 0;
  std::string failure_;
  std::coroutine_handle<> waiter_;
  wait_kind waiting_ = wait_kind::none;
  bool watching_writes_ = false;
};

} // namespace merpati::bench
