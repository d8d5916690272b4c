#include "protocols/tls/stream.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <new>

#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/ascii.hpp"
#include "protocols/tls/openssl_support.hpp"

namespace merpati::tls {

std::string error_text(unsigned long code) {
  if (code == 0)
    return "no reason given";
  if (const char* reason = ERR_reason_error_string(code))
    return reason;
  return "OpenSSL error " + std::to_string(code);
}

std::string last_error_text() {
  const auto code = ERR_get_error();
  ERR_clear_error();
  return error_text(code);
}

// -- callbacks of OpenSSL: nothing may be thrown through them

int choose_certificate(SSL* ssl, int*, void*) {
  const auto* link = static_cast<const stream_link*>(SSL_get_app_data(ssl));
  const char* host = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  if (link == nullptr || link->certificates == nullptr || host == nullptr)
    return SSL_TLSEXT_ERR_NOACK;
  SSL_set_SSL_CTX(ssl, link->certificates->select(host));
  return SSL_TLSEXT_ERR_OK;
}

int choose_alpn(SSL* ssl, const unsigned char** chosen, unsigned char* chosen_size, const unsigned char* offered,
                unsigned offered_size, void*) {
  const auto* link = static_cast<const stream_link*>(SSL_get_app_data(ssl));
  if (link == nullptr || link->alpn.empty())
    return SSL_TLSEXT_ERR_NOACK;
  for (unsigned i = 0; i < offered_size;) {
    const unsigned size = offered[i++];
    if (size > offered_size - i)
      break;
    if (size == link->alpn.size() && std::memcmp(offered + i, link->alpn.data(), size) == 0) {
      *chosen = offered + i;
      *chosen_size = static_cast<unsigned char>(size);
      return SSL_TLSEXT_ERR_OK;
    }
    i += size;
  }
  return SSL_TLSEXT_ERR_ALERT_FATAL; // RFC 7301 3.2
}

namespace {

// OpenSSL reads from the caller's view and writes to the caller's buffer through a BIO of our own. Between two calls
// there is nothing in it, where a memory BIO would keep the largest buffer it ever had.

int bio_read(BIO* bio, char* to, std::size_t size, std::size_t* done) {
  auto& input = static_cast<stream_link*>(BIO_get_data(bio))->input;
  BIO_clear_retry_flags(bio);
  *done = std::min(size, input.size());
  if (*done == 0) {
    BIO_set_retry_read(bio);
    return 0;
  }
  std::memcpy(to, input.data(), *done);
  input.remove_prefix(*done);
  return 1;
}

int bio_write(BIO* bio, const char* from, std::size_t size, std::size_t* done) {
  auto* output = static_cast<stream_link*>(BIO_get_data(bio))->output;
  BIO_clear_retry_flags(bio);
  *done = 0;
  if (output == nullptr)
    return 0;
  try {
    output->insert(output->end(), from, from + size);
  } catch (const std::bad_alloc&) {
    return 0;
  }
  *done = size;
  return 1;
}

long bio_control(BIO*, int command, long, void*) {
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

/// Lives as long as the process.
const BIO_METHOD* bio_method() {
  static const BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "merpati");
    if (made != nullptr) {
      BIO_meth_set_read_ex(made, bio_read);
      BIO_meth_set_write_ex(made, bio_write);
      BIO_meth_set_ctrl(made, bio_control);
    }
    return made;
  }();
  return method;
}

/// Lends buffers to OpenSSL for the time of one call.
class lending {
public:
  lending(stream_link& link, std::vector<char>& out, std::string_view in = {}) noexcept : link_(link) {
    link_.output = &out;
    link_.input = in;
    ERR_clear_error();
  }
  ~lending() {
    link_.output = nullptr;
    link_.input = {};
  }
  lending(const lending&) = delete;
  lending& operator=(const lending&) = delete;

private:
  stream_link& link_;
};

} // namespace

// -- stream -----------------------------------------------------------------------------------------------------------

struct stream::session {
  std::shared_ptr<const server_context> server;
  std::shared_ptr<const client_context> client;
  stream_link link;
  stream_state state = stream_state::handshaking;
  bool checked = false; // a client's: the certificate is
  ssl_ptr ssl;          // after all that its callbacks use

  bool attach(ssl_ctx_st* context) {
    ssl.reset(SSL_new(context));
    bio_ptr bio(bio_method() != nullptr ? BIO_new(bio_method()) : nullptr);
    if (!ssl || !bio)
      return false;
    BIO_set_data(bio.get(), &link);
    BIO_set_init(bio.get(), 1);
    SSL_set_app_data(ssl.get(), &link);
    SSL_set_bio(ssl.get(), bio.get(), bio.get());
    bio.release(); // belongs to the SSL object now
    return true;
  }

  /// RFC 7672 3.2
  result<void> set_dane(const std::string& base, const dane_check& check) {
    if (SSL_dane_enable(ssl.get(), base.c_str()) != 1)
      return fail(errc::invalid, "DANE can't be used: " + last_error_text());
    std::size_t added = 0;
    for (const auto& each : check.records) {
      const auto* data = reinterpret_cast<const unsigned char*>(each.data.data());
      if (SSL_dane_tlsa_add(ssl.get(), each.usage, each.selector, each.matching, data, each.data.size()) == 1)
        ++added;
    }
    ERR_clear_error();
    // Without a record OpenSSL would fall back to authorities, of which none is trusted here.
    if (added == 0)
      return fail(errc::invalid, "no TLSA record can be used");
    for (const auto& name : check.names)
      if (SSL_add1_host(ssl.get(), name.c_str()) != 1)
        return fail(errc::invalid, "not a host name to verify: " + last_error_text());
    return {};
  }

  /// What an unsuccessful call means: wait for more input, an orderly end, or a broken session.
  result<void> after(int outcome, const char* doing) {
    switch (SSL_get_error(ssl.get(), outcome)) {
    case SSL_ERROR_WANT_READ: return {};
    case SSL_ERROR_ZERO_RETURN: state = stream_state::closed; return {};
    default: break;
    }
    state = stream_state::failed;
    auto text = last_error_text();
    if (const auto verified = SSL_get_verify_result(ssl.get()); client && client->verifies() && verified != X509_V_OK)
      text += std::string(" (") + X509_verify_cert_error_string(verified) + ")";
    return fail(errc::invalid, std::string(doing) + ": " + text);
  }
};

stream::stream(std::unique_ptr<session> made) noexcept : session_(std::move(made)) {}
stream::~stream() = default;
stream::stream(stream&&) noexcept = default;
stream& stream::operator=(stream&&) noexcept = default;

result<stream> stream::server(std::shared_ptr<const server_context> context, std::string_view alpn) {
  auto made = std::make_unique<session>();
  made->link.certificates = context.get();
  made->link.alpn = alpn;
  made->server = std::move(context);
  if (!made->attach(made->server->first()))
    return fail(errc::unavailable, "no memory for a TLS session: " + last_error_text());
  SSL_set_accept_state(made->ssl.get());
  return stream(std::move(made));
}

result<stream> stream::client(std::shared_ptr<const client_context> context, std::string_view server_name,
                              const dane_check* dane) {
  auto made = std::make_unique<session>();
  made->client = std::move(context);
  if (!made->attach(made->client->get()))
    return fail(errc::unavailable, "no memory for a TLS session: " + last_error_text());
  const std::string name(server_name);
  if (!name.empty() && SSL_set_tlsext_host_name(made->ssl.get(), name.c_str()) != 1)
    return fail(errc::invalid, "not a host name for SNI: " + last_error_text());
  if (made->client->verifies() && SSL_set1_host(made->ssl.get(), name.c_str()) != 1)
    return fail(errc::invalid, "not a host name to verify: " + last_error_text());
  // An address has no name to check: for a context that only looks, that is no reason to do without TLS.
  if (made->client->observes() && SSL_set1_host(made->ssl.get(), name.c_str()) == 1)
    made->checked = true;
  if (dane != nullptr)
    if (auto set = made->set_dane(name, *dane); !set)
      return tl::make_unexpected(set.error());
  made->checked = made->checked || made->client->verifies();
  SSL_set_hostflags(made->ssl.get(), X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  SSL_set_connect_state(made->ssl.get());
  return stream(std::move(made));
}

result<void> stream::start(std::vector<char>& ciphertext_out) {
  std::vector<char> nothing;
  return feed({}, nothing, ciphertext_out);
}

result<void> stream::feed(std::string_view ciphertext, std::vector<char>& plaintext_out,
                          std::vector<char>& ciphertext_out) {
  auto& s = *session_;
  if (s.state == stream_state::failed)
    return fail(errc::invalid, "the TLS session is broken");
  if (s.state == stream_state::closed)
    return {}; // RFC 8446 6.1: what comes after close_notify is ignored
  lending lent(s.link, ciphertext_out, ciphertext);
  if (s.state == stream_state::handshaking) {
    const int outcome = SSL_do_handshake(s.ssl.get());
    if (outcome != 1)
      return s.after(outcome, "handshake");
    s.state = stream_state::established;
  }
  // A record carries at most 16 KiB of plaintext. RFC 8446 5.1
  char plaintext[16 * 1024];
  for (;;) {
    std::size_t got = 0;
    const int outcome = SSL_read_ex(s.ssl.get(), plaintext, sizeof plaintext, &got);
    if (outcome != 1)
      return s.after(outcome, "reading");
    plaintext_out.insert(plaintext_out.end(), plaintext, plaintext + got);
  }
}

result<void> stream::write(std::string_view plaintext, std::vector<char>& ciphertext_out) {
  auto& s = *session_;
  // close_notify ends the peer's direction only (RFC 8446 6.1): what it waits for may still be sent.
  if (s.state != stream_state::established && s.state != stream_state::closed)
    return fail(errc::invalid, "writing before the handshake is over or after a failure");
  if (plaintext.empty())
    return {};
  lending lent(s.link, ciphertext_out);
  std::size_t done = 0;
  if (SSL_write_ex(s.ssl.get(), plaintext.data(), plaintext.size(), &done) != 1) {
    s.state = stream_state::failed;
    return fail(errc::invalid, "writing: " + last_error_text());
  }
  return {};
}

void stream::close(std::vector<char>& ciphertext_out) {
  auto& s = *session_;
  if (s.state != stream_state::established && s.state != stream_state::closed)
    return;
  lending lent(s.link, ciphertext_out);
  SSL_shutdown(s.ssl.get());
  ERR_clear_error();
}

stream_state stream::state() const noexcept {
  return session_->state;
}

stream_info stream::info() const {
  stream_info info;
  SSL* ssl = session_->ssl.get();
  info.version = SSL_get_version(ssl);
  if (const SSL_CIPHER* cipher = SSL_get_current_cipher(ssl)) {
    info.cipher = SSL_CIPHER_get_name(cipher);
    info.cipher_bits = SSL_CIPHER_get_bits(cipher, nullptr);
  }
  if (const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name))
    info.server_name = ascii::lower(name);
  const unsigned char* alpn = nullptr;
  unsigned alpn_size = 0;
  SSL_get0_alpn_selected(ssl, &alpn, &alpn_size);
  if (alpn_size > 0)
    info.alpn.assign(reinterpret_cast<const char*>(alpn), alpn_size);
  return info;
}

certificate_fault stream::judgement() const {
  SSL* ssl = session_->ssl.get();
  // OpenSSL's result is "good" as long as nothing was checked, and keeps no certificate that it refused.
  const auto verified = SSL_get_verify_result(ssl);
  if (!session_->checked || (verified == X509_V_OK && SSL_get0_peer_certificate(ssl) == nullptr))
    return certificate_fault::not_checked;
  switch (verified) {
  case X509_V_OK: return certificate_fault::none;
  case X509_V_ERR_CERT_HAS_EXPIRED: return certificate_fault::expired;
  case X509_V_ERR_HOSTNAME_MISMATCH:
  case X509_V_ERR_IP_ADDRESS_MISMATCH: return certificate_fault::wrong_name;
  case X509_V_ERR_DANE_NO_MATCH:
  case X509_V_ERR_CERT_UNTRUSTED:
  case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
  case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
  case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
  case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
  case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE: return certificate_fault::not_trusted;
  default: return certificate_fault::other;
  }
}

std::string stream::tls_exporter() const {
  SSL* ssl = session_->ssl.get();
  if (session_->state == stream_state::handshaking || session_->state == stream_state::failed)
    return {};
  // RFC 9266 4.2: TLS 1.2 binds to the channel only with the extended master secret.
  if (SSL_version(ssl) < TLS1_3_VERSION && SSL_get_extms_support(ssl) != 1)
    return {};
  constexpr std::string_view label = "EXPORTER-Channel-Binding";
  std::array<unsigned char, 32> binding{};
  const unsigned char no_context = 0;
  if (SSL_export_keying_material(ssl, binding.data(), binding.size(), label.data(), label.size(), &no_context, 0, 1)
      != 1) {
    ERR_clear_error();
    return {};
  }
  return {reinterpret_cast<const char*>(binding.data()), binding.size()};
}

std::string stream::tls_server_end_point() const {
  SSL* ssl = session_->ssl.get();
  if (session_->state == stream_state::handshaking || session_->state == stream_state::failed)
    return {};
  const X509* certificate = session_->server ? SSL_get_certificate(ssl) : SSL_get0_peer_certificate(ssl);
  if (certificate == nullptr)
    return {};
  int digest = NID_undef;
  if (OBJ_find_sigid_algs(X509_get_signature_nid(certificate), &digest, nullptr) != 1 || digest == NID_undef)
    return {}; // RFC 5929 4.1: undefined for signatures without a hash, such as Ed25519
  if (digest == NID_md5 || digest == NID_sha1)
    digest = NID_sha256; // RFC 5929 4.1
  const EVP_MD* method = EVP_get_digestbynid(digest);
  std::array<unsigned char, EVP_MAX_MD_SIZE> hash{};
  unsigned size = 0;
  if (method == nullptr || X509_digest(certificate, method, hash.data(), &size) != 1) {
    ERR_clear_error();
    return {};
  }
  return {reinterpret_cast<const char*>(hash.data()), size};
}

} // namespace merpati::tls
