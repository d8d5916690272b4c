// TLSA records: which can be used, and which certificates they let pass.
#include "protocols/tls/tlsa.hpp"

#include <openssl/pem.h>
#include <openssl/sha.h>

#include "protocols/tls/openssl_support.hpp"
#include "protocols/tls/stream.hpp"
#include "tests/support/catch2.hpp"
#include "tests/support/tls/test_certificate.hpp"

using namespace merpati;
using merpati::test::make_certificate;
using tls::tlsa_record;

namespace {

tls::x509_ptr read_certificate(const std::string& pem) {
  const tls::bio_ptr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  return tls::x509_ptr(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
}

std::string der_of(const tls::certificate_source& source, std::uint8_t selector) {
  const auto certificate = read_certificate(source.chain_pem);
  REQUIRE(certificate);
  unsigned char* out = nullptr;
  const int size =
      selector == 0 ? i2d_X509(certificate.get(), &out) : i2d_PUBKEY(X509_get0_pubkey(certificate.get()), &out);
  REQUIRE(size > 0);
  std::string der(reinterpret_cast<char*>(out), static_cast<std::size_t>(size));
  OPENSSL_free(out);
  return der;
}

tlsa_record record_for(const tls::certificate_source& source, std::uint8_t usage, std::uint8_t selector,
                       std::uint8_t matching) {
  auto data = der_of(source, selector);
  unsigned char hash[SHA512_DIGEST_LENGTH];
  const auto* octets = reinterpret_cast<const unsigned char*>(data.data());
  if (matching == 1)
    data.assign(reinterpret_cast<char*>(SHA256(octets, data.size(), hash)), SHA256_DIGEST_LENGTH);
  else if (matching == 2)
    data.assign(reinterpret_cast<char*>(SHA512(octets, data.size(), hash)), SHA512_DIGEST_LENGTH);
  return {usage, selector, matching, data};
}

/// Signs `subject` again, with the key of `authority` and in its name.
void sign(tls::certificate_source& subject, const tls::certificate_source& authority, bool as_authority) {
  const auto certificate = read_certificate(subject.chain_pem);
  const auto issuer = read_certificate(authority.chain_pem);
  const tls::bio_ptr bio(BIO_new_mem_buf(authority.key_pem.data(), static_cast<int>(authority.key_pem.size())));
  const tls::pkey_ptr key(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
  REQUIRE((certificate && issuer && key));
  X509_set_issuer_name(certificate.get(), X509_get_subject_name(issuer.get()));
  if (as_authority) {
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, NID_basic_constraints, "critical,CA:TRUE");
    X509_add_ext(certificate.get(), extension, -1);
    X509_EXTENSION_free(extension);
  }
  REQUIRE(X509_sign(certificate.get(), key.get(), EVP_sha256()) > 0);
  subject.chain_pem = test::detail::pem_of([&](BIO* out) { PEM_write_bio_X509(out, certificate.get()); });
}

struct outcome {
  bool established = false;
  tls::certificate_fault fault = tls::certificate_fault::not_checked;
};

outcome handshake(const tls::certificate_source& certificate, std::string_view base, const tls::dane_check& check) {
  tls::client_options options;
  options.dane = true;
  auto server = tls::stream::server(*tls::server_context::create({certificate}));
  auto client = tls::stream::client(*tls::client_context::create(options), base, &check);
  REQUIRE((server && client));
  std::vector<char> to_server, to_client, nothing;
  REQUIRE(client->start(to_server));
  for (int turn = 0; turn < 8; ++turn) {
    auto sent = std::exchange(to_server, {});
    (void)server->feed({sent.data(), sent.size()}, nothing, to_client);
    auto came = std::exchange(to_client, {});
    if (!client->feed({came.data(), came.size()}, nothing, to_server))
      break;
  }
  return {client->state() == tls::stream_state::established, client->judgement()};
}

} // namespace

TEST_CASE("TLSA records as they travel", "[tlsa]") {
  const auto read = tls::read_tlsa(std::string("\3\1\1", 3) + std::string(32, 'h'));
  REQUIRE(read);
  CHECK(*read == tlsa_record{3, 1, 1, std::string(32, 'h')});
  CHECK_FALSE(tls::read_tlsa(""));
  CHECK_FALSE(tls::read_tlsa(std::string("\3\1\1", 3)));
}

TEST_CASE("only records that a certificate can be checked against are usable (RFC 7672 3.1)", "[tlsa]") {
  const auto certificate = make_certificate({"mx.example.net"});
  const std::string hash(32, 'h');
  for (const std::uint8_t usage : std::initializer_list<std::uint8_t>{0, 1, 4, 255})
    CHECK_FALSE(tls::is_usable({usage, 1, 1, hash}));
  for (const std::uint8_t usage : std::initializer_list<std::uint8_t>{2, 3}) {
    for (const std::uint8_t selector : std::initializer_list<std::uint8_t>{0, 1}) {
      CHECK(tls::is_usable({usage, selector, 1, hash}));
      CHECK(tls::is_usable({usage, selector, 2, hash + hash}));
      CHECK(tls::is_usable(record_for(certificate, usage, selector, 0)));
      CHECK_FALSE(tls::is_usable({usage, selector, 0, "no DER"}));
      CHECK_FALSE(tls::is_usable({usage, selector, 0, der_of(certificate, selector) + "x"}));
    }
    CHECK_FALSE(tls::is_usable({usage, 2, 1, hash}));
    CHECK_FALSE(tls::is_usable({usage, 1, 3, hash}));
    CHECK_FALSE(tls::is_usable({usage, 1, 1, hash + "x"}));
    CHECK_FALSE(tls::is_usable({usage, 1, 2, hash}));
  }
}

TEST_CASE("a certificate passes by its TLSA record", "[tlsa]") {
  const auto certificate = make_certificate({"mx.example.net"});
  for (const std::uint8_t selector : std::initializer_list<std::uint8_t>{0, 1})
    for (const std::uint8_t matching : std::initializer_list<std::uint8_t>{0, 1, 2}) {
      const auto record = record_for(certificate, 3, selector, matching);
      CHECK(handshake(certificate, "mx.example.net", {{record}, {}}).established);
      // RFC 7672 3.1.1: usage 3 asks for no name.
      CHECK(handshake(certificate, "other.example.net", {{record}, {}}).established);
    }
}

TEST_CASE("nor do dates count for usage 3", "[tlsa]") {
  const auto expired = make_certificate({"mx.example.net"}, 0);
  CHECK(handshake(expired, "mx.example.net", {{record_for(expired, 3, 1, 1)}, {}}).established);
}

TEST_CASE("another certificate does not pass", "[tlsa]") {
  const auto certificate = make_certificate({"mx.example.net"});
  const auto other = make_certificate({"mx.example.net"});
  const auto refused = handshake(other, "mx.example.net", {{record_for(certificate, 3, 1, 1)}, {}});
  CHECK_FALSE(refused.established);
  CHECK(refused.fault == tls::certificate_fault::not_trusted);
  // One that matches is enough.
  CHECK(handshake(other, "mx.example.net", {{record_for(certificate, 3, 1, 1), record_for(other, 3, 1, 1)}, {}})
            .established);
}

TEST_CASE("below an authority of usage 2 the name counts (RFC 7672 3.2.2)", "[tlsa]") {
  auto authority = make_certificate({"authority.example.net"});
  sign(authority, authority, true);
  auto certificate = make_certificate({"mx.example.net"});
  sign(certificate, authority, false);
  certificate.chain_pem += authority.chain_pem;
  const auto record = record_for(authority, 2, 0, 1);
  CHECK(handshake(certificate, "mx.example.net", {{record}, {}}).established);
  CHECK(handshake(certificate, "alias.example.net", {{record}, {"example.net", "mx.example.net"}}).established);
  const auto refused = handshake(certificate, "other.example.net", {{record}, {"example.net"}});
  CHECK_FALSE(refused.established);
  CHECK(refused.fault == tls::certificate_fault::wrong_name);
}

TEST_CASE("without a record that OpenSSL takes nothing is trusted", "[tlsa]") {
  tls::client_options options;
  options.dane = true;
  const tls::dane_check check{{{3, 1, 1, "short"}}, {}};
  CHECK_FALSE(tls::stream::client(*tls::client_context::create(options), "mx.example.net", &check));
}
