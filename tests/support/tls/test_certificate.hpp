// Certificates made on the spot, so that no key lies in the repository and none ever expires.
#pragma once

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "protocols/tls/certificate.hpp"

namespace merpati::test {

namespace detail {

template <auto Free>
struct freer {
  template <class T>
  void operator()(T* p) const noexcept {
    Free(p);
  }
};

inline std::string pem_of(auto&& write) {
  std::unique_ptr<BIO, freer<BIO_free>> bio(BIO_new(BIO_s_mem()));
  write(bio.get());
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

} // namespace detail

/// A self-signed certificate for `names` (the first is the subject), valid from a day ago for `days`. `rsa_bits` 0:
/// P-256.
inline tls::certificate_source make_certificate(const std::vector<std::string>& names, int days = 30,
                                                int rsa_bits = 0) {
  using detail::freer;
  std::unique_ptr<EVP_PKEY, freer<EVP_PKEY_free>> key(rsa_bits == 0 ? EVP_EC_gen("P-256")
                                                                    : EVP_RSA_gen(static_cast<unsigned>(rsa_bits)));
  std::unique_ptr<X509, freer<X509_free>> certificate(X509_new());
  if (!key || !certificate)
    throw std::runtime_error("OpenSSL makes no test certificate");
  X509* x = certificate.get();
  X509_set_version(x, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
  X509_gmtime_adj(X509_getm_notBefore(x), -86400);
  X509_gmtime_adj(X509_getm_notAfter(x), 86400L * days);
  X509_set_pubkey(x, key.get());
  X509_NAME* subject = X509_get_subject_name(x);
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>(names.front().c_str()),
                             -1, -1, 0);
  X509_set_issuer_name(x, subject);
  std::string alternatives;
  for (const auto& name : names)
    alternatives += (alternatives.empty() ? "DNS:" : ",DNS:") + name;
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, alternatives.c_str());
  X509_add_ext(x, extension, -1);
  X509_EXTENSION_free(extension);
  X509_sign(x, key.get(), EVP_sha256());
  tls::certificate_source source;
  source.chain_pem = detail::pem_of([&](BIO* bio) { PEM_write_bio_X509(bio, x); });
  source.key_pem = detail::pem_of(
      [&](BIO* bio) { PEM_write_bio_PrivateKey(bio, key.get(), nullptr, nullptr, 0, nullptr, nullptr); });
  source.chain_label = names.front() + ".crt";
  source.key_label = names.front() + ".key";
  return source;
}

} // namespace merpati::test
