// A name server on loopback for tests, over UDP, with a thread of its own: names and what it says of them.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

namespace merpati::test {

class dns_server {
public:
  using zone =
      std::map<std::pair<std::string, std::uint16_t>, std::vector<std::string>>; ///< record data, as on the wire

  /// What is in no zone does not exist. A name in `failing` gets SERVFAIL, one in `silent` no answer.
  struct content {
    zone records;
    std::vector<std::string> failing;
    std::vector<std::string> silent;
  };

  explicit dns_server(content what) : what_(std::move(what)), fd_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    const timeval often{0, 20'000}; // how soon the thread notices the end
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &often, sizeof often);
    if (fd_ < 0 || ::bind(fd_, reinterpret_cast<sockaddr*>(&at), sizeof at) != 0
        || ::getsockname(fd_, reinterpret_cast<sockaddr*>(&at), &size) != 0)
      throw std::runtime_error("can't bind a UDP socket on loopback");
    port_ = ntohs(at.sin_port);
    thread_ = std::thread([this] { run(); });
  }
  ~dns_server() {
    ending_ = true;
    thread_.join();
    ::close(fd_);
  }
  dns_server(const dns_server&) = delete;
  dns_server& operator=(const dns_server&) = delete;

  /// As libunbound writes it.
  std::string address() const { return "127.0.0.1@" + std::to_string(port_); }
  unsigned queries() const { return queries_; }

  /// "mail.example" as it travels.
  static std::string wire_name(std::string_view name) {
    std::string out;
    while (!name.empty()) {
      const auto dot = std::min(name.find('.'), name.size());
      out += static_cast<char>(dot);
      out += name.substr(0, dot);
      name.remove_prefix(std::min(dot + 1, name.size()));
    }
    return out + '\0';
  }
  static std::string wire_address(const std::string& text) {
    char octets[16];
    const bool v6 = text.find(':') != std::string::npos;
    ::inet_pton(v6 ? AF_INET6 : AF_INET, text.c_str(), octets);
    return {octets, v6 ? std::size_t{16} : std::size_t{4}};
  }

private:
  void run() {
    char buffer[4096];
    while (!ending_) {
      sockaddr_in from{};
      socklen_t size = sizeof from;
      const auto got = ::recvfrom(fd_, buffer, sizeof buffer, 0, reinterpret_cast<sockaddr*>(&from), &size);
      if (got < 17)
        continue;
      const auto reply = answer({buffer, static_cast<std::size_t>(got)});
      if (!reply.empty())
        ::sendto(fd_, reply.data(), reply.size(), 0, reinterpret_cast<sockaddr*>(&from), size);
    }
  }

  static std::string number(std::size_t value) {
    return {static_cast<char>(value >> 8 & 255), static_cast<char>(value & 255)};
  }
  static bool has(const std::vector<std::string>& names, const std::string& name) {
    for (const auto& each : names)
      if (each == name)
        return true;
    return false;
  }

  std::string answer(std::string_view query) {
    std::string name;
    std::size_t at = 12;
    while (at < query.size() && query[at] != 0) {
      const auto length = static_cast<std::size_t>(query[at]);
      for (char c : query.substr(at + 1, length))
        name += static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
      name += '.';
      at += length + 1;
    }
    if (at + 5 > query.size() || name.empty())
      return {};
    name.pop_back();
    ++queries_;
    if (has(what_.silent, name))
      return {};
    const auto type = static_cast<std::uint16_t>(query[at + 1] << 8 | query[at + 2]);
    const auto question = std::string(query.substr(12, at + 5 - 12));
    const auto found = what_.records.find({name, type});
    bool exists = false;
    for (const auto& [key, data] : what_.records)
      exists = exists || key.first == name;
    const char rcode = has(what_.failing, name) ? 2 : exists ? 0 : 3;
    std::string out(query.substr(0, 2));
    out += static_cast<char>(0x85); // an answer, authoritative, recursion wanted
    out += static_cast<char>(0x80 | rcode);
    const auto count = rcode == 0 && found != what_.records.end() ? found->second.size() : 0;
    out += number(1) + number(count) + number(0) + number(0) + question;
    for (std::size_t i = 0; i < count; ++i)
      out += std::string("\xc0\x0c", 2) + number(type) + number(1) + number(0) + number(300)
             + number(found->second[i].size()) + found->second[i];
    return out;
  }

  content what_;
  int fd_;
  std::uint16_t port_ = 0;
  std::atomic<bool> ending_{false};
  std::atomic<unsigned> queries_{0};
  std::thread thread_;
};

} // namespace merpati::test
