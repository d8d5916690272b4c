#include "protocols/tls/stream.hpp"

#include <ctime>
#include <optional>
#include <random>

#include <malloc.h>

#include <openssl/ssl.h>

#include "tests/support/catch2.hpp"
#include "tests/support/tls/test_certificate.hpp"

using namespace merpati;
using merpati::test::make_certificate;

namespace {

std::shared_ptr<const tls::server_context> server(std::vector<tls::certificate_source> certificates) {
  auto made = tls::server_context::create(std::move(certificates));
  REQUIRE(made);
  return *made;
}

std::shared_ptr<const tls::client_context> client(tls::client_options options) {
  auto made = tls::client_context::create(std::move(options));
  REQUIRE(made);
  return *made;
}

tls::client_options trusting_nobody() {
  tls::client_options options;
  options.verify = false;
  return options;
}

bool says(const std::string& text, std::initializer_list<const char*> parts) {
  UNSCOPED_INFO(text);
  return std::all_of(parts.begin(), parts.end(), [&](auto part) { return text.find(part) != std::string::npos; });
}

/// Two streams and the wire between them.
struct pair {
  tls::stream server;
  tls::stream client;
  std::size_t step = SIZE_MAX; // octets carried at a time
  std::vector<char> to_server;
  std::vector<char> to_client;
  std::string at_server;
  std::string at_client;
  std::optional<error> failure;

  pair(std::shared_ptr<const tls::server_context> s, std::shared_ptr<const tls::client_context> c,
       std::string_view name = "mail.example.org", std::string_view alpn = {})
      : server(*tls::stream::server(std::move(s), alpn)), client(*tls::stream::client(std::move(c), name)) {}

  void begin() {
    REQUIRE(client.start(to_server));
    carry();
  }

  static void carry_one(tls::stream& to, std::vector<char>& in, std::vector<char>& out, std::string& text,
                        std::size_t step, std::optional<error>& failure) {
    const auto now = std::exchange(in, {});
    for (std::size_t i = 0; i < now.size(); i += std::min(step, now.size() - i)) {
      std::vector<char> plain;
      auto fed = to.feed({now.data() + i, std::min(step, now.size() - i)}, plain, out);
      text.append(plain.begin(), plain.end());
      if (!fed && !failure)
        failure = fed.error();
    }
  }

  void carry() {
    while (!to_server.empty() || !to_client.empty()) {
      carry_one(server, to_server, to_client, at_server, step, failure);
      carry_one(client, to_client, to_server, at_client, step, failure);
    }
  }
  bool established() const {
    return server.state() == tls::stream_state::established && client.state() == tls::stream_state::established;
  }
};

} // namespace

TEST_CASE("a session under TLS 1.2 and 1.3, cut anywhere") {
  const auto certificate = make_certificate({"mail.example.org"});
  const auto step = GENERATE(std::size_t{1}, std::size_t{7}, SIZE_MAX);
  const bool tls12 = GENERATE(false, true);
  auto options = trusting_nobody();
  options.tls12_only = tls12;
  pair both(server({certificate}), client(options));
  both.step = step;
  both.begin();
  REQUIRE(both.established());
  CHECK(both.server.info().version == (tls12 ? "TLSv1.2" : "TLSv1.3"));
  CHECK(both.server.info().cipher_bits >= 128);
  CHECK(both.server.info().server_name == "mail.example.org");

  REQUIRE(both.client.write("NOOP\r\n", both.to_server));
  both.carry();
  CHECK(both.at_server == "NOOP\r\n");
  const std::string large(100'000, 'x');
  REQUIRE(both.server.write(large, both.to_client));
  both.carry();
  CHECK(both.at_client == large);

  CHECK(both.server.tls_exporter().size() == 32);
  CHECK(both.server.tls_exporter() == both.client.tls_exporter());
  CHECK(both.server.tls_server_end_point().size() == 32);
  CHECK(both.server.tls_server_end_point() == both.client.tls_server_end_point());
  CHECK(both.server.tls_exporter() != both.server.tls_server_end_point());
}

TEST_CASE("close_notify ends one direction in order") {
  pair both(server({make_certificate({"a.example"})}), client(trusting_nobody()));
  both.begin();
  both.client.close(both.to_server);
  both.carry();
  CHECK(both.server.state() == tls::stream_state::closed);
  CHECK_FALSE(both.failure);
  REQUIRE(both.server.write("BYE\r\n", both.to_client));
  both.carry();
  CHECK(both.at_client == "BYE\r\n");
}

TEST_CASE("garbage never throws and breaks the session for good") {
  const auto context = server({make_certificate({"a.example"})});
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    auto stream = *tls::stream::server(context);
    std::string garbage(1 + random() % 600, '\0');
    for (auto& c : garbage)
      c = static_cast<char>(random());
    if (round % 2 == 0) // looks like a handshake record
      garbage.replace(0, std::min<std::size_t>(garbage.size(), 3),
                      std::string("\x16\x03\x01").substr(0, garbage.size()));
    std::vector<char> plain;
    std::vector<char> out;
    (void)stream.feed(garbage, plain, out);
    CHECK(plain.empty());
    CHECK(stream.state() != tls::stream_state::established);
    if (stream.state() == tls::stream_state::failed)
      CHECK_FALSE(stream.feed("more", plain, out));
    CHECK_FALSE(stream.write("x", out));
  }
  auto stream = *tls::stream::server(context);
  std::vector<char> plain;
  std::vector<char> out;
  auto fed = stream.feed("EHLO plain.example\r\n", plain, out);
  REQUIRE_FALSE(fed);
  CHECK(fed.error().code == errc::invalid);
  CHECK(stream.state() == tls::stream_state::failed);
}

TEST_CASE("a changed octet in a record breaks an established session") {
  pair both(server({make_certificate({"a.example"})}), client(trusting_nobody()));
  both.begin();
  REQUIRE(both.client.write("DELE 1\r\n", both.to_server));
  both.to_server.back() = static_cast<char>(both.to_server.back() ^ 1);
  both.carry();
  CHECK(both.at_server.empty());
  CHECK(both.server.state() == tls::stream_state::failed);
  CHECK(both.failure);
}

TEST_CASE("SNI selects among several certificates") {
  const auto first = make_certificate({"first.example"});
  const auto second = make_certificate({"second.example", "*.wild.example"});
  auto forced = make_certificate({"third.example"});
  forced.names = {"Alias.example"};
  const auto context = server({first, second, forced});

  // A client that trusts one certificate only, and checks the name, proves which one was shown.
  const auto shows = [&](const tls::certificate_source& trusted, std::string_view name) {
    tls::client_options options;
    options.trusted_pem = trusted.chain_pem;
    pair both(context, client(options), name);
    both.begin();
    return both.established();
  };
  CHECK(shows(first, "first.example"));
  CHECK(shows(second, "second.example"));
  CHECK(shows(second, "SECOND.example"));
  CHECK(shows(second, "imap.wild.example"));
  CHECK_FALSE(shows(second, "a.b.wild.example"));
  CHECK_FALSE(shows(first, "second.example"));

  // Unknown or configured names: the hash of the certificate tells it.
  const auto shown = [&](std::string_view name) {
    pair both(context, client(trusting_nobody()), name);
    both.begin();
    REQUIRE(both.established());
    return both.client.tls_server_end_point();
  };
  CHECK(shown("unknown.example") == shown("first.example"));
  CHECK(shown("a.b.wild.example") == shown("first.example"));
  CHECK(shown("alias.example") != shown("first.example"));
  CHECK(shown("third.example") == shown("first.example"));
  CHECK(shown("") == shown("first.example"));
}

TEST_CASE("ALPN: the port's own protocol or none") {
  const auto context = server({make_certificate({"a.example"})});
  const auto with = [&](std::vector<std::string> offered, std::string_view port) {
    auto options = trusting_nobody();
    options.alpn = std::move(offered);
    pair both(context, client(options), "a.example", port);
    both.begin();
    return both.established() ? both.client.info().alpn : "refused";
  };
  CHECK(with({"imap"}, "imap") == "imap");
  CHECK(with({"http/1.1", "imap"}, "imap") == "imap");
  CHECK(with({"http/1.1", "h2"}, "imap") == "refused");
  CHECK(with({}, "imap").empty());
  CHECK(with({"http/1.1"}, "").empty());
}

TEST_CASE("old protocols and weak suites are refused") {
  const auto context = server({make_certificate({"a.example"}, 30, 2048)});
  const auto attempt = [&](auto&& weaken) {
    tls::ssl_ctx_ptr raw(SSL_CTX_new(TLS_client_method()));
    SSL_CTX_set_security_level(raw.get(), 0);
    weaken(raw.get());
    SSL* ssl = SSL_new(raw.get());
    BIO* in = BIO_new(BIO_s_mem());
    BIO* out = BIO_new(BIO_s_mem());
    SSL_set_bio(ssl, in, out);
    SSL_set_connect_state(ssl);
    SSL_do_handshake(ssl);
    char* data = nullptr;
    const long size = BIO_get_mem_data(out, &data);
    auto stream = *tls::stream::server(context);
    std::vector<char> plain;
    std::vector<char> reply;
    (void)stream.feed({data, static_cast<std::size_t>(size)}, plain, reply);
    SSL_free(ssl);
    return size > 0 && stream.state() == tls::stream_state::handshaking;
  };
  CHECK(attempt([](SSL_CTX*) {}));
  CHECK_FALSE(attempt([](SSL_CTX* c) {
    SSL_CTX_set_min_proto_version(c, TLS1_VERSION);
    SSL_CTX_set_max_proto_version(c, TLS1_1_VERSION);
  }));
  CHECK_FALSE(attempt([](SSL_CTX* c) {
    SSL_CTX_set_max_proto_version(c, TLS1_2_VERSION);
    SSL_CTX_set_cipher_list(c, "AES128-SHA:ECDHE-RSA-AES128-SHA:AES128-GCM-SHA256"); // CBC, or no forward secrecy
  }));
}

TEST_CASE("a verifying client refuses a stranger and a wrong name") {
  const auto own = make_certificate({"own.example"});
  const auto other = make_certificate({"own.example"});
  tls::client_options options;
  options.trusted_pem = own.chain_pem;
  pair good(server({own}), client(options), "own.example");
  good.begin();
  CHECK(good.established());
  pair stranger(server({other}), client(options), "own.example");
  stranger.begin();
  CHECK_FALSE(stranger.established());
  pair renamed(server({own}), client(options), "else.example");
  renamed.begin();
  CHECK_FALSE(renamed.established());
}

TEST_CASE("a session outlives the context it began with") {
  auto context = server({make_certificate({"old.example"})});
  std::weak_ptr<const tls::server_context> seen = context;
  {
    pair both(std::move(context), client(trusting_nobody()), "old.example");
    both.begin();
    REQUIRE(both.established());
    context = server({make_certificate({"new.example"})});
    CHECK_FALSE(seen.expired());
    REQUIRE(both.client.write("still here", both.to_server));
    both.carry();
    CHECK(both.at_server == "still here");
  }
  CHECK(seen.expired());
}

TEST_CASE("what is wrong with a certificate is said with the file's name") {
  const auto good = make_certificate({"a.example"});
  const auto other = make_certificate({"b.example"});
  const auto message = [](tls::certificate_source source) {
    auto made = tls::server_context::create({std::move(source)});
    REQUIRE_FALSE(made);
    CHECK(made.error().code == errc::invalid);
    return made.error().what;
  };
  auto bad = good;
  bad.chain_pem = "nothing here";
  CHECK(says(message(bad), {"a.example.crt", "no certificate"}));
  bad = good;
  bad.key_pem.clear();
  CHECK(says(message(bad), {"a.example.key", "no private key"}));
  bad = good;
  bad.key_pem = other.key_pem;
  CHECK(says(message(bad), {"a.example.key", "not the key", "a.example.crt"}));
  bad = good;
  bad.key_pem[60] = '!';
  CHECK(says(message(bad), {"a.example.key", "damaged"}));
  bad = good;
  bad.chain_pem += "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
  CHECK(says(message(bad), {"a.example.crt", "number 2"}));
  bad = good;
  bad.key_pem = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
  CHECK(says(message(bad), {"a.example.key", "passphrase"}));
  CHECK(says(message(make_certificate({"weak.example"}, 30, 1024)), {"weak.example.crt", "too small"}));
  CHECK_FALSE(tls::server_context::create({}));
}

TEST_CASE("the earliest expiry of several certificates") {
  const auto now = static_cast<std::int64_t>(std::time(nullptr));
  const auto context = server({make_certificate({"a.example"}, 90), make_certificate({"b.example"}, 10)});
  CHECK(context->earliest_expiry() > now + 9 * 86400);
  CHECK(context->earliest_expiry() < now + 11 * 86400);
}

TEST_CASE("an idle established stream is small") {
  const auto context = server({make_certificate({"a.example"})});
  const bool tls12 = GENERATE(false, true);
  auto options = trusting_nobody();
  options.tls12_only = tls12;
  const auto other = client(options);
  constexpr std::size_t count = 1000;
  std::vector<tls::stream> idle;
  idle.reserve(count + 1);
  const auto establish = [&] {
    pair both(context, other);
    both.begin();
    REQUIRE(both.established());
    REQUIRE(both.client.write(std::string(20'000, 'x'), both.to_server));
    REQUIRE(both.server.write(std::string(40'000, 'y'), both.to_client));
    both.carry();
    idle.push_back(std::move(both.server));
  };
  establish(); // what is made once is made
  const auto before = mallinfo2().uordblks;
  for (std::size_t i = 0; i < count; ++i)
    establish();
  const auto each = (mallinfo2().uordblks - before) / count;
  WARN((tls12 ? "TLS 1.2: " : "TLS 1.3: ") << each << " octets of heap for an idle server stream");
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  CHECK(each < 20 * 1024);
#endif
}

TEST_CASE("a client that only looks tells what it saw, and talks all the same") {
  const auto certificate = make_certificate({"mail.example.org"});
  tls::client_options options;
  options.verify = false;
  options.observe = true;
  options.trusted_pem = certificate.chain_pem;
  using tls::certificate_fault;
  const auto judged = [&](const tls::certificate_source& shown, std::string_view name) {
    pair p(server({shown}), client(options), name);
    p.begin();
    CHECK(p.client.state() == tls::stream_state::established);
    return p.client.judgement();
  };
  CHECK(judged(certificate, "mail.example.org") == certificate_fault::none);
  CHECK(judged(certificate, "other.example.org") == certificate_fault::wrong_name);
  CHECK(judged(make_certificate({"mail.example.org"}), "mail.example.org") == certificate_fault::not_trusted);
  options.observe = false;
  CHECK(judged(certificate, "mail.example.org") == certificate_fault::not_checked);
}
