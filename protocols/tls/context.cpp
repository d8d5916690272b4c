#include "protocols/tls/context.hpp"

#include <algorithm>
#include <ctime>
#include <limits>
#include <unordered_map>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/ascii.hpp"
#include "protocols/tls/openssl_support.hpp"

namespace merpati::tls {

void ssl_ctx_deleter::operator()(ssl_ctx_st* p) const noexcept {
  SSL_CTX_free(p);
}

namespace {

// RFC 9325 4.2: forward secrecy and authenticated encryption only. TLS 1.3 has nothing else.
constexpr const char* tls12_ciphers = "ECDHE+AESGCM:ECDHE+CHACHA20";
constexpr const char* groups = "X25519:P-256:P-384";

/// Never asks for a passphrase: the daemon has no terminal.
int no_passphrase(char*, int, int, void*) {
  return -1;
}

result<std::vector<x509_ptr>> read_chain(const certificate_source& source) {
  std::vector<x509_ptr> chain;
  bio_ptr bio(BIO_new_mem_buf(source.chain_pem.data(), static_cast<int>(source.chain_pem.size())));
  ERR_clear_error();
  while (X509* next = PEM_read_bio_X509(bio.get(), nullptr, no_passphrase, nullptr))
    chain.emplace_back(next);
  const auto why = ERR_peek_last_error();
  ERR_clear_error();
  if (chain.empty())
    return fail(errc::invalid, source.chain_label + ": holds no certificate in PEM form (BEGIN CERTIFICATE)");
  if (ERR_GET_REASON(why) != PEM_R_NO_START_LINE)
    return fail(errc::invalid, source.chain_label + ": certificate number " + std::to_string(chain.size() + 1)
                                   + " in it is damaged: " + error_text(why));
  return chain;
}

result<pkey_ptr> read_key(const certificate_source& source) {
  bio_ptr bio(BIO_new_mem_buf(source.key_pem.data(), static_cast<int>(source.key_pem.size())));
  ERR_clear_error();
  pkey_ptr key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr));
  if (key)
    return key;
  if (source.key_pem.find("ENCRYPTED") != std::string::npos)
    return fail(errc::invalid, source.key_label
                                   + ": the key is encrypted; store it without a passphrase, readable by the "
                                     "server's user only");
  if (source.key_pem.find("PRIVATE KEY-----") == std::string::npos)
    return fail(errc::invalid, source.key_label + ": holds no private key in PEM form (BEGIN PRIVATE KEY)");
  return fail(errc::invalid, source.key_label + ": the private key is damaged: " + last_error_text());
}

std::vector<std::string> names_in(X509* certificate) {
  std::vector<std::string> names;
  auto* alternatives =
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; i < sk_GENERAL_NAME_num(alternatives); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(alternatives, i);
    if (name->type != GEN_DNS)
      continue;
    const auto* text = reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.dNSName));
    names.push_back(ascii::lower({text, static_cast<std::size_t>(ASN1_STRING_length(name->d.dNSName))}));
  }
  GENERAL_NAMES_free(alternatives);
  return names;
}

std::int64_t expiry_of(X509* certificate) {
  std::tm when{};
  if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &when) != 1)
    return std::numeric_limits<std::int64_t>::max();
  return static_cast<std::int64_t>(timegm(&when));
}

/// Sets what every server context has in common.
bool configure(SSL_CTX* context) {
  SSL_CTX_set_security_level(context, 2);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET
                                   | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
  // RELEASE_BUFFERS: an idle session keeps no record buffers (34 KiB otherwise).
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(context, 0);
  SSL_CTX_set_max_early_data(context, 0);
  SSL_CTX_set_alpn_select_cb(context, choose_alpn, nullptr);
  return SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1
         && SSL_CTX_set_cipher_list(context, tls12_ciphers) == 1 && SSL_CTX_set1_groups_list(context, groups) == 1;
}

result<ssl_ctx_ptr> make_context(const certificate_source& source, const std::vector<x509_ptr>& chain) {
  auto key = read_key(source);
  if (!key)
    return tl::unexpected<error>(std::move(key.error()));
  ssl_ctx_ptr context(SSL_CTX_new(TLS_server_method()));
  if (!context || !configure(context.get()))
    return fail(errc::internal, "OpenSSL cannot be set up: " + last_error_text());
  ERR_clear_error();
  if (SSL_CTX_use_certificate(context.get(), chain.front().get()) != 1)
    return fail(errc::invalid, source.chain_label + ": the certificate cannot be used: " + last_error_text());
  for (std::size_t i = 1; i < chain.size(); ++i) {
    if (SSL_CTX_add1_chain_cert(context.get(), chain[i].get()) != 1)
      return fail(errc::invalid, source.chain_label + ": certificate number " + std::to_string(i + 1)
                                     + " in it cannot be used: " + last_error_text());
  }
  if (X509_check_private_key(chain.front().get(), key->get()) != 1)
    return fail(errc::invalid, source.key_label + ": is not the key of the certificate in " + source.chain_label);
  if (SSL_CTX_use_PrivateKey(context.get(), key->get()) != 1)
    return fail(errc::invalid, source.key_label + ": the key cannot be used: " + last_error_text());
  return context;
}

} // namespace

// -- server_context ---------------------------------------------------------------------------------------------------

struct server_context::state {
  std::vector<ssl_ctx_ptr> contexts;
  std::unordered_map<std::string, ssl_ctx_st*> exact;
  std::unordered_map<std::string, ssl_ctx_st*> wildcard; // ".example.org" for "*.example.org"
  std::int64_t expiry = std::numeric_limits<std::int64_t>::max();

  // The first certificate that claims a name keeps it.
  void claim(const std::string& name, ssl_ctx_st* context) {
    if (name.starts_with("*."))
      wildcard.emplace(name.substr(1), context);
    else
      exact.emplace(name, context);
  }
};

server_context::server_context(std::unique_ptr<state> made) : state_(std::move(made)) {}
server_context::~server_context() = default;

result<std::shared_ptr<const server_context>> server_context::create(std::vector<certificate_source> certificates) {
  if (certificates.empty())
    return fail(errc::invalid, "TLS needs at least one certificate");
  auto made = std::make_unique<state>();
  for (const auto& source : certificates) {
    auto chain = read_chain(source);
    if (!chain)
      return tl::unexpected<error>(std::move(chain.error()));
    auto context = make_context(source, *chain);
    if (!context)
      return tl::unexpected<error>(std::move(context.error()));
    made->expiry = std::min(made->expiry, expiry_of(chain->front().get()));
    const auto names = source.names.empty() ? names_in(chain->front().get()) : source.names;
    for (const auto& name : names)
      made->claim(ascii::lower(name), context->get());
    made->contexts.push_back(std::move(*context));
  }
  // SSL_set_SSL_CTX in the callback moves a session to the context of the name it asked for.
  SSL_CTX_set_tlsext_servername_callback(made->contexts.front().get(), choose_certificate);
  return std::shared_ptr<const server_context>(new server_context(std::move(made)));
}

ssl_ctx_st* server_context::first() const noexcept {
  return state_->contexts.front().get();
}

std::int64_t server_context::earliest_expiry() const noexcept {
  return state_->expiry;
}

ssl_ctx_st* server_context::select(std::string_view host) const noexcept {
  // A DNS name has at most 255 octets; anything longer is nobody's name.
  if (host.ends_with('.'))
    host.remove_suffix(1);
  if (host.empty() || host.size() > 255 || state_->contexts.size() == 1)
    return first();
  try {
    const auto name = ascii::lower(host);
    if (auto i = state_->exact.find(name); i != state_->exact.end())
      return i->second;
    if (const auto dot = name.find('.'); dot != std::string::npos && dot > 0) {
      if (auto i = state_->wildcard.find(name.substr(dot)); i != state_->wildcard.end())
        return i->second;
    }
  } catch (const std::bad_alloc&) {
    return first(); // OpenSSL calls from C: nothing may be thrown through it
  }
  return first();
}

// -- client_context ---------------------------------------------------------------------------------------------------

namespace {

result<void> trust(SSL_CTX* context, const std::string& pem) {
  if (pem.empty()) {
    if (SSL_CTX_set_default_verify_paths(context) != 1)
      return fail(errc::unavailable, "the system's store of CA certificates cannot be read: " + last_error_text());
    return {};
  }
  certificate_source source;
  source.chain_pem = pem;
  source.chain_label = "trusted certificates";
  auto chain = read_chain(source);
  if (!chain)
    return tl::unexpected<error>(std::move(chain.error()));
  for (const auto& certificate : *chain)
    X509_STORE_add_cert(SSL_CTX_get_cert_store(context), certificate.get());
  return {};
}

/// RFC 7301 3.1: each name after its length.
result<std::string> alpn_list(const std::vector<std::string>& names) {
  std::string list;
  for (const auto& name : names) {
    if (name.empty() || name.size() > 255)
      return fail(errc::invalid, "an ALPN name has 1 to 255 octets");
    list += static_cast<char>(name.size());
    list += name;
  }
  return list;
}

} // namespace

client_context::~client_context() = default;

result<std::shared_ptr<const client_context>> client_context::create(client_options options) {
  ssl_ctx_ptr context(SSL_CTX_new(TLS_client_method()));
  if (!context || SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION) != 1
      || SSL_CTX_set_cipher_list(context.get(), tls12_ciphers) != 1)
    return fail(errc::internal, "OpenSSL cannot be set up: " + last_error_text());
  SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  if (options.tls12_only)
    SSL_CTX_set_max_proto_version(context.get(), TLS1_2_VERSION);
  if ((options.verify || options.observe) && !options.dane)
    if (auto trusted = trust(context.get(), options.trusted_pem); !trusted)
      return tl::unexpected<error>(std::move(trusted.error()));
  if (options.verify)
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  if (options.dane) {
    if (SSL_CTX_dane_enable(context.get()) != 1)
      return fail(errc::internal, "OpenSSL cannot be set up for DANE: " + last_error_text());
    // RFC 7672 3.1.1: of usage 3 the record alone counts, neither names nor dates.
    SSL_CTX_dane_set_flags(context.get(), DANE_FLAG_NO_DANE_EE_NAMECHECKS);
  }
  auto list = alpn_list(options.alpn);
  if (!list)
    return tl::unexpected<error>(std::move(list.error()));
  // Returns 0 for success, unlike its neighbours.
  if (!list->empty()
      && SSL_CTX_set_alpn_protos(context.get(), reinterpret_cast<const unsigned char*>(list->data()),
                                 static_cast<unsigned>(list->size()))
             != 0)
    return fail(errc::invalid, "the ALPN names cannot be used: " + last_error_text());
  return std::shared_ptr<const client_context>(new client_context(std::move(context), options.verify, options.observe));
}

} // namespace merpati::tls
