// What the files of this folder share about OpenSSL: owners of its objects, the text of its errors, and the callbacks
// that connect a context with the stream that runs on it. Not for use outside this folder.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "protocols/tls/context.hpp"

namespace merpati::tls {

struct openssl_deleter {
  void operator()(X509* p) const noexcept { X509_free(p); }
  void operator()(EVP_PKEY* p) const noexcept { EVP_PKEY_free(p); }
  void operator()(BIO* p) const noexcept { BIO_free(p); }
  void operator()(SSL* p) const noexcept { SSL_free(p); }
};
using x509_ptr = std::unique_ptr<X509, openssl_deleter>;
using pkey_ptr = std::unique_ptr<EVP_PKEY, openssl_deleter>;
using bio_ptr = std::unique_ptr<BIO, openssl_deleter>;
using ssl_ptr = std::unique_ptr<SSL, openssl_deleter>;

/// OpenSSL's words for an error code.
std::string error_text(unsigned long code);
/// The words for the first error in this thread's queue, which is emptied.
std::string last_error_text();

/// What OpenSSL's callbacks need of a stream; found by the SSL object's application data.
struct stream_link {
  const server_context* certificates = nullptr; ///< null at a client
  std::string alpn;                             ///< server: the one protocol of this port; empty: any
  std::string_view input;                       ///< ciphertext to read during a call
  std::vector<char>* output = nullptr;          ///< where ciphertext goes during a call
};

/// SNI: moves the session to the context of the name asked for.
int choose_certificate(SSL* ssl, int* alert, void*);
/// ALPN: the stream's protocol or a fatal no_application_protocol.
int choose_alpn(SSL* ssl, const unsigned char** chosen, unsigned char* chosen_size, const unsigned char* offered,
                unsigned offered_size, void*);

} // namespace merpati::tls
