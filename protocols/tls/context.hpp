// The settings of TLS, one object for all sessions. Immutable: a reload makes a new context and swaps the shared_ptr;
// sessions that run keep the one they began with.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "protocols/tls/certificate.hpp"

struct ssl_ctx_st;

namespace merpati::tls {

struct ssl_ctx_deleter {
  void operator()(ssl_ctx_st* p) const noexcept;
};
using ssl_ctx_ptr = std::unique_ptr<ssl_ctx_st, ssl_ctx_deleter>;

/// TLS 1.2 and 1.3, AEAD suites with forward secrecy only, no renegotiation, compression, 0-RTT or session cache.
/// RFC 9325; RFC 8314 for mail. May be used from any thread at once.
class server_context {
public:
  /// `certificates.front()` answers clients that name no host or an unknown one.
  /// Errors: errc::invalid naming the file and what is wrong (no PEM, unreadable key, key of another certificate,
  /// weak key or signature refused by OpenSSL's security level 2); empty list.
  static result<std::shared_ptr<const server_context>> create(std::vector<certificate_source> certificates);
  ~server_context();
  server_context(const server_context&) = delete;
  server_context& operator=(const server_context&) = delete;

  /// The context whose certificate fits `host` (any case); the first one when none does. Exact names win over
  /// wildcards; a wildcard stands for exactly one label (RFC 6125 6.4.3).
  ssl_ctx_st* select(std::string_view host) const noexcept;
  ssl_ctx_st* first() const noexcept;
  /// When the earliest of the certificates ends, seconds since 1970 UTC; for warnings ahead of time.
  std::int64_t earliest_expiry() const noexcept;

private:
  struct state;
  explicit server_context(std::unique_ptr<state> made);
  std::unique_ptr<state> state_;
};

/// How a client judges the server's certificate.
struct client_options {
  bool verify = true;   ///< chain and host name; false for opportunistic TLS and for tests
  bool observe = false; ///< without `verify`: they are checked all the same, and stream::judgement() tells the outcome
  bool dane = false;    ///< with `verify`: streams are given a dane_check, and no authority is trusted
  std::string trusted_pem; ///< CA certificates; empty: the system's store
  std::vector<std::string> alpn;
  bool tls12_only = false;
};

class client_context {
public:
  static result<std::shared_ptr<const client_context>> create(client_options options);
  ~client_context();
  client_context(const client_context&) = delete;
  client_context& operator=(const client_context&) = delete;
  ssl_ctx_st* get() const noexcept { return context_.get(); }
  bool verifies() const noexcept { return verify_; }
  bool observes() const noexcept { return observe_; }

private:
  client_context(ssl_ctx_ptr context, bool verify, bool observe)
      : context_(std::move(context)), verify_(verify), observe_(observe) {}
  ssl_ctx_ptr context_;
  bool verify_;
  bool observe_;
};

} // namespace merpati::tls
