// One TLS session as a machine without I/O: ciphertext in, plaintext out and the other way round. It holds no
// buffer between calls other than the unfinished record inside OpenSSL. Not for use from two threads at once.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "protocols/tls/context.hpp"
#include "protocols/tls/tlsa.hpp"

struct ssl_st;

namespace merpati::tls {

/// What was agreed; valid once established.
struct stream_info {
  std::string version;     ///< "TLSv1.3", "TLSv1.2"
  std::string cipher;      ///< OpenSSL's name
  int cipher_bits = 0;     ///< strength of the key
  std::string server_name; ///< SNI as the client sent it, lower case; empty without
  std::string alpn;        ///< chosen protocol; empty without
};

enum class stream_state : std::uint8_t {
  handshaking,
  established,
  closed, ///< the peer sent close_notify: nothing more will come
  failed  ///< fatal alert sent or received, or garbage; nothing can be read or written any more
};

/// What is known of the peer's certificate, at a client.
enum class certificate_fault : std::uint8_t {
  none,        ///< it was checked and is good
  not_checked, ///< or the handshake did not come so far
  expired,
  wrong_name,
  not_trusted, ///< by no authority that counts, or by no TLSA record
  other,
};

class stream {
public:
  /// A server's end. `alpn`: the one protocol name this port speaks ("imap", "pop3", ...). A client that offers ALPN
  /// without it is refused (RFC 7301 3.2; the answer to cross-protocol attacks). Empty: ALPN is ignored.
  static result<stream> server(std::shared_ptr<const server_context> context, std::string_view alpn = {});
  /// A client's end; its first flight is made by start(). `server_name` is sent as SNI and, when the context verifies,
  /// checked against the certificate.
  /// `dane`: for a context that was made for it; the certificate has to match one of its records (RFC 7672 2.3.2).
  static result<stream> client(std::shared_ptr<const client_context> context, std::string_view server_name,
                               const dane_check* dane = nullptr);

  ~stream();
  stream(stream&&) noexcept;
  stream& operator=(stream&&) noexcept;

  /// The client's hello, appended to `ciphertext_out`; a server's stream has nothing to send first.
  result<void> start(std::vector<char>& ciphertext_out);

  /// Takes what came from the peer, cut anywhere. Appends what there is to read to `plaintext_out` and what must be
  /// sent (handshake, key updates, alerts) to `ciphertext_out`, which is to be sent even when an error comes back.
  /// errc::invalid: the session is broken (state() is failed); the text says how, for the log.
  result<void> feed(std::string_view ciphertext, std::vector<char>& plaintext_out, std::vector<char>& ciphertext_out);

  /// Encrypts; only when established (errc::invalid otherwise). Any size; records of at most 16 KiB are appended.
  result<void> write(std::string_view plaintext, std::vector<char>& ciphertext_out);

  /// Says that we write nothing more (close_notify). Does nothing before the handshake is over or after a failure.
  void close(std::vector<char>& ciphertext_out);

  stream_state state() const noexcept;
  stream_info info() const;
  /// At a client, also after a handshake that failed.
  certificate_fault judgement() const;

  /// Channel bindings for SASL SCRAM-*-PLUS. Empty when there is none (handshake unfinished, or TLS 1.2 without the
  /// extended master secret).
  std::string tls_exporter() const;         ///< RFC 9266, 32 octets
  std::string tls_server_end_point() const; ///< RFC 5929 4: hash of the server's certificate

private:
  struct session;
  explicit stream(std::unique_ptr<session> made) noexcept;
  std::unique_ptr<session> session_;
};

} // namespace merpati::tls
