// A client on a real socket for tests: blocking, with a limit of time on every call, no thread of its own.
#pragma once

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "protocols/tls/stream.hpp"

namespace merpati::test {

class blocking_client {
public:
  /// Connects to 127.0.0.1 or, with `v6`, to ::1. Throws when that fails.
  explicit blocking_client(std::uint16_t port, bool v6 = false, int receive_buffer = 0)
      : fd_(::socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    limit_time(5000);
    const int on = 1; // else small writes wait for the delayed acknowledgement of the ones before
    ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (receive_buffer > 0)
      ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    sockaddr_in four{};
    four.sin_family = AF_INET;
    four.sin_port = htons(port);
    four.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    sockaddr_in6 six{};
    six.sin6_family = AF_INET6;
    six.sin6_port = htons(port);
    six.sin6_addr = in6addr_loopback;
    const auto* address = v6 ? reinterpret_cast<const sockaddr*>(&six) : reinterpret_cast<const sockaddr*>(&four);
    const auto size = static_cast<socklen_t>(v6 ? sizeof six : sizeof four);
    if (fd_ < 0 || ::connect(fd_, address, size) != 0)
      throw std::runtime_error("cannot connect to port " + std::to_string(port));
  }
  ~blocking_client() { close(); }
  blocking_client(blocking_client&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)), tls_(std::move(other.tls_)), plain_(std::move(other.plain_)) {}
  blocking_client& operator=(blocking_client&& other) noexcept {
    std::swap(fd_, other.fd_);
    std::swap(tls_, other.tls_);
    std::swap(plain_, other.plain_);
    return *this;
  }

  void close() {
    if (fd_ >= 0)
      ::close(std::exchange(fd_, -1));
  }

  /// No call waits longer.
  void limit_time(int milliseconds) {
    timeval t{milliseconds / 1000, (milliseconds % 1000) * 1000};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t);
    ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof t);
  }

  /// How much of `data` was sent before the time was over or the connection broke.
  std::size_t send(std::string_view data) {
    if (!tls_)
      return send_raw(data);
    std::vector<char> cipher;
    if (!tls_->write(data, cipher))
      return 0;
    return send_raw({cipher.data(), cipher.size()}) == cipher.size() ? data.size() : 0;
  }

  /// Some octets; empty at the end of the connection or of the time.
  std::string receive() {
    for (;;) {
      if (!plain_.empty())
        return std::exchange(plain_, {});
      char buffer[64 * 1024];
      const auto got = ::recv(fd_, buffer, sizeof buffer, 0);
      if (got <= 0)
        return {};
      const std::string_view octets(buffer, static_cast<std::size_t>(got));
      if (!tls_)
        return std::string(octets);
      feed(octets);
    }
  }

  /// Exactly `size` octets; fewer at the end.
  std::string receive(std::size_t size) {
    std::string all;
    while (all.size() < size) {
      auto some = receive();
      if (some.empty())
        break;
      all += some;
    }
    if (all.size() > size) {
      plain_ = all.substr(size) + plain_;
      all.resize(size);
    }
    return all;
  }

  std::string receive_line() {
    std::string line;
    while (line.empty() || line.back() != '\n') {
      auto one = receive(1);
      if (one.empty())
        break;
      line += one;
    }
    return line;
  }

  /// True: the other side has closed, in order or by a reset.
  bool at_end() { return receive().empty(); }

  bool start_tls(std::shared_ptr<const tls::client_context> context, std::string_view name) {
    auto made = tls::stream::client(std::move(context), name);
    if (!made)
      return false;
    tls_.emplace(std::move(*made));
    std::vector<char> hello;
    if (!tls_->start(hello))
      return false;
    send_raw({hello.data(), hello.size()});
    while (tls_->state() == tls::stream_state::handshaking) {
      char buffer[16 * 1024];
      const auto got = ::recv(fd_, buffer, sizeof buffer, 0);
      if (got <= 0)
        return false;
      feed({buffer, static_cast<std::size_t>(got)});
    }
    return tls_->state() == tls::stream_state::established;
  }
  const tls::stream* tls() const { return tls_ ? &*tls_ : nullptr; }
  /// Forgets the TLS state but keeps the connection; for measuring the other side's memory.
  void forget_tls() { tls_.reset(); }

private:
  std::size_t send_raw(std::string_view data) {
    std::size_t done = 0;
    while (done < data.size()) {
      const auto sent = ::send(fd_, data.data() + done, data.size() - done, MSG_NOSIGNAL);
      if (sent <= 0)
        break;
      done += static_cast<std::size_t>(sent);
    }
    return done;
  }

  void feed(std::string_view octets) {
    std::vector<char> text;
    std::vector<char> reply;
    (void)tls_->feed(octets, text, reply);
    plain_.append(text.begin(), text.end());
    send_raw({reply.data(), reply.size()});
  }

  int fd_;
  std::optional<tls::stream> tls_;
  std::string plain_;
};

} // namespace merpati::test
