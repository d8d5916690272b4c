#include "base/crypto.hpp"
#include "protocols/sasl/plain.hpp"
#include "protocols/sasl/saslprep.hpp"
#include "protocols/sasl/scram.hpp"
#include "protocols/sasl/server_exchange.hpp"
#include "tests/support/catch2.hpp"

using namespace merpati;
using namespace merpati::sasl;
using namespace std::string_view_literals;

TEST_CASE("SASLprep, the examples of RFC 4013 3") {
  auto prepared = [](std::string_view text) { return saslprep(text, saslprep_use::stored).value_or("refused"); };
  CHECK(prepared("I\xc2\xadX") == "IX");
  CHECK(prepared("user") == "user");
  CHECK(prepared("USER") == "USER");
  CHECK(prepared("\xc2\xaa") == "a");
  CHECK(prepared("\xe2\x85\xa8") == "IX");
  CHECK(prepared("\x07") == "refused");
  CHECK(prepared("\xd8\xa7\x31") == "refused");
  CHECK(prepared("a\xc2\xa0"
                 "b")
        == "a b");
  CHECK(prepared("") == "");
  CHECK(prepared("\xff") == "refused");
  CHECK(prepared("a\0b"sv) == "refused");
  // Unassigned in Unicode 3.2: may be asked for, may not be stored.
  CHECK_FALSE(saslprep("\xc8\xa1", saslprep_use::stored));
  CHECK(saslprep("\xc8\xa1", saslprep_use::query));
}

TEST_CASE("PLAIN, the shapes of RFC 4616") {
  CHECK(parse_plain("\0tim\0tanstaaftanstaaf"sv).value() == plain_credentials{"", "tim", "tanstaaftanstaaf"});
  CHECK(parse_plain("Ursel\0Kurt\0xipj3plmq"sv).value() == plain_credentials{"Ursel", "Kurt", "xipj3plmq"});
  CHECK(parse_plain("\0\xe2\x85\xa8\0p\xc2\xadw"sv).value() == plain_credentials{"", "IX", "pw"});
  for (auto bad : {""sv, "a"sv, "\0"sv, "\0a"sv, "\0\0"sv, "\0a\0"sv, "\0\0b"sv, "a\0\0b"sv, "\0a\0b\0"sv,
                   "\0a\0b\0c"sv, "\0\0\0\0"sv})
    CHECK(parse_plain(bad).error().code == errc::invalid);
  for (auto unprepared :
       {"\0a\0\xff"sv, "\0\xff\0b"sv, "\xff\0a\0b"sv, "\0a\x07\0b"sv, "\0\xc2\xad\0b"sv, "\xc2\xad\0a\0b"sv})
    CHECK(parse_plain(unprepared).error().code == errc::auth_failed);
  auto sized = [](std::size_t authzid, std::size_t authcid, std::size_t password) {
    return std::string(authzid, 'z') + '\0' + std::string(authcid, 'c') + '\0' + std::string(password, 'p');
  };
  CHECK(parse_plain(sized(255, 255, 1024)));
  CHECK(parse_plain(sized(256, 1, 1)).error().code == errc::too_big);
  CHECK(parse_plain(sized(0, 256, 1)).error().code == errc::too_big);
  CHECK(parse_plain(sized(0, 1, 1025)).error().code == errc::too_big);
  const plain_credentials c{"a", "b", "c"};
  CHECK(parse_plain_base64(crypto::base64_encode(write_plain(c))).value() == c);
  CHECK_FALSE(parse_plain_base64("="));
  CHECK_FALSE(parse_plain_base64("AGFsaWNlAHNlY3JldA="));
  CHECK_FALSE(parse_plain_base64("AGFsaWNlAHNlY3JldA== "));
}

namespace {
constexpr auto client_nonce = "rOprNGfwEbeRWgbNEkqO"sv;
constexpr auto server_nonce = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"sv;
const std::string salt = crypto::base64_decode("W22ZaJ0SNY7soEsUEjb6gQ==").value();

std::string failure_of(const scram_server::step& s) {
  const auto* f = std::get_if<scram_server::failure>(&s);
  return f ? f->message : "no failure";
}

// The client's last message for a password, from the definition in RFC 5802 3.
std::string client_final(std::string_view password, const std::string& first_bare, const std::string& server_first,
                         const std::string& channel = "biws") {
  const auto nonce = server_first.substr(2, server_first.find(",s=") - 2);
  const auto without_proof = "c=" + channel + ",r=" + nonce;
  const auto text = first_bare + "," + server_first + "," + without_proof;
  const auto salted = crypto::pbkdf2_sha256(password, salt, 4096);
  const auto key = crypto::hmac_sha256(crypto::as_text(salted), "Client Key");
  const auto stored = crypto::sha256(crypto::as_text(key));
  const auto signature = crypto::hmac_sha256(crypto::as_text(stored), text);
  std::string proof;
  for (std::size_t i = 0; i != key.size(); ++i)
    proof += static_cast<char>(key[i] ^ signature[i]);
  return without_proof + ",p=" + crypto::base64_encode(proof);
}
} // namespace

TEST_CASE("SCRAM-SHA-256, the exchange of RFC 7677 3") {
  scram_server server{std::string(server_nonce)};
  const auto asked = std::get<scram_server::lookup>(server.receive("n,,n=user,r=rOprNGfwEbeRWgbNEkqO"));
  CHECK(asked.username == "user");
  CHECK(asked.authzid.empty());
  const auto challenge = std::get<scram_server::challenge>(server.credentials(derive("pencil", salt, 4096).value()));
  CHECK(challenge.message == "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096");
  const auto done = server.receive("c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
                                   "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
  const auto success = std::get<scram_server::success>(done);
  CHECK(success.message == "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
  CHECK(success.username == "user");
  CHECK(failure_of(server.receive("c=biws")) == "e=other-error");
}

TEST_CASE("SCRAM refuses what is wrong") {
  const std::string bare = "n=user,r=" + std::string(client_nonce);
  auto final_with = [&](auto change) {
    scram_server server{std::string(server_nonce)};
    server.receive("n,," + bare);
    const auto first = std::get<scram_server::challenge>(server.credentials(derive("pencil", salt).value())).message;
    return server.receive(change(client_final("pencil", bare, first), first));
  };
  using text = std::string;
  CHECK(std::holds_alternative<scram_server::success>(final_with([](text m, text) { return m; })));
  CHECK(failure_of(final_with([&](text, text first) { return client_final("Pencil", bare, first); }))
        == "e=invalid-proof");
  CHECK(failure_of(final_with([&](text, text first) { return client_final("pencil", bare, first, "eSws"); }))
        == "e=channel-bindings-dont-match");
  CHECK(failure_of(final_with([](text m, text) { return m.replace(m.find("%hv"), 3, "%hx"); })) == "e=other-error");
  CHECK(failure_of(final_with([](text m, text) { return m.substr(0, m.find(",p=")); })) == "e=invalid-encoding");
  CHECK(failure_of(final_with([](text m, text) { return m + "="; })) == "e=invalid-proof");
  CHECK(failure_of(final_with([](text, text) { return text(5000, 'x'); })) == "e=other-error");
  CHECK(failure_of(final_with([](text, text) { return text(); })) == "e=invalid-encoding");
  struct row {
    std::string_view message;
    std::string_view failure;
  };
  for (const auto& r : std::vector<row>{{"p=tls-exporter,,n=u,r=x", "e=channel-binding-not-supported"},
                                        {"x,,n=u,r=x", "e=invalid-encoding"},
                                        {"n,n=u,r=x", "e=invalid-encoding"},
                                        {"n,a=,n=u,r=x", "e=invalid-encoding"},
                                        {"n,,m=1,n=u,r=x", "e=extensions-not-supported"},
                                        {"n,,n=,r=x", "e=invalid-username-encoding"},
                                        {"n,,n=a=2c,r=x", "e=invalid-username-encoding"},
                                        {"n,,n=a=,r=x", "e=invalid-username-encoding"},
                                        {"n,,n=\xff,r=x", "e=invalid-username-encoding"},
                                        {"n,,n=u,r=", "e=invalid-encoding"},
                                        {"n,,n=u,r=a b", "e=invalid-encoding"},
                                        {"n,,n=u", "e=invalid-encoding"},
                                        {"", "e=invalid-encoding"}}) {
    scram_server server("nonce");
    INFO(r.message);
    CHECK(failure_of(server.receive(r.message)) == r.failure);
    CHECK(failure_of(server.receive("n,,n=user,r=x")) == "e=other-error");
  }
  scram_server names("nonce");
  const auto asked = std::get<scram_server::lookup>(names.receive("y,a=b=3Dc,n=x=2Cy,r=abc,ext=1"));
  CHECK(asked.authzid == "b=c");
  CHECK(asked.username == "x,y");
}

TEST_CASE("SCRAM-SHA-256-PLUS is bound to the connection that it runs over") {
  const std::string bare = "n=user,r=" + std::string(client_nonce);
  const channel_bindings bindings{"exported 32 octets", "hash of the certificate"};
  auto run = [&](const std::string& header, const std::string& data, bool plus = true, channel_bindings offered = {}) {
    scram_server server{std::string(server_nonce), offered.any() ? offered : bindings, plus};
    const auto step = server.receive(header + bare);
    if (!std::holds_alternative<scram_server::lookup>(step))
      return failure_of(step);
    const auto first = std::get<scram_server::challenge>(server.credentials(derive("pencil", salt).value())).message;
    const auto done = server.receive(client_final("pencil", bare, first, crypto::base64_encode(header + data)));
    return std::holds_alternative<scram_server::success>(done) ? "success" : failure_of(done);
  };
  CHECK(run("p=tls-exporter,,", bindings.tls_exporter) == "success");
  CHECK(run("p=tls-server-end-point,,", bindings.tls_server_end_point) == "success");
  CHECK(run("p=tls-exporter,,", bindings.tls_server_end_point) == "e=channel-bindings-dont-match");
  CHECK(run("p=tls-exporter,,", "") == "e=channel-bindings-dont-match");
  CHECK(run("p=tls-unique,,", "x") == "e=unsupported-channel-binding-type");
  CHECK(run("p=tls-exporter,,", "", true, {"", "only this"}) == "e=unsupported-channel-binding-type");
  CHECK(run("p=,,", "") == "e=unsupported-channel-binding-type");
  CHECK(run("p=tls-exporter", "") == "e=unsupported-channel-binding-type");
  CHECK(run("n,,", "") == "e=server-does-support-channel-binding");
  CHECK(run("p=tls-exporter,,", bindings.tls_exporter, false) == "e=channel-binding-not-supported");
  CHECK(run("n,,", "", false) == "success");
  // Somebody took -PLUS out of the list that the client saw.
  CHECK(run("y,,", "", false) == "e=server-does-support-channel-binding");
}

TEST_CASE("one exchange object runs any mechanism") {
  using exchange = server_exchange;
  CHECK(find_mechanism("scram-sha-256-plus") == mechanism::scram_sha_256_plus);
  CHECK_FALSE(find_mechanism("CRAM-MD5").has_value());
  CHECK(mechanism_list({}) == "PLAIN LOGIN SCRAM-SHA-256");
  CHECK(mechanism_list({"x", ""}) == "PLAIN LOGIN SCRAM-SHA-256 SCRAM-SHA-256-PLUS");
  auto is_challenge = [](const exchange::step& s, std::string_view text) {
    const auto* c = std::get_if<exchange::challenge>(&s);
    return c && c->message == text;
  };
  exchange plain(mechanism::plain, "nonce", {});
  CHECK(is_challenge(plain.begin(std::nullopt), ""));
  const auto asked = std::get<exchange::check_password>(plain.receive("z\0a\0b"sv));
  CHECK((asked.authzid == "z" && asked.authcid == "a" && asked.password == "b"));
  CHECK(std::holds_alternative<exchange::malformed>(exchange(mechanism::plain, "n", {}).begin("x")));
  CHECK(std::holds_alternative<exchange::failed>(exchange(mechanism::plain, "n", {}).begin("\0a\0\x07"sv)));
  exchange login(mechanism::login, "nonce", {});
  CHECK(is_challenge(login.begin(std::nullopt), "Username:"));
  CHECK(is_challenge(login.receive("a"), "Password:"));
  CHECK(std::get<exchange::check_password>(login.receive("b")).authcid == "a");
  exchange short_login(mechanism::login, "nonce", {});
  CHECK(is_challenge(short_login.begin("a\0x"sv), "Password:"));
  CHECK(std::holds_alternative<exchange::failed>(short_login.receive("b")));
  exchange scram(mechanism::scram_sha_256, std::string(server_nonce), {});
  CHECK(is_challenge(scram.begin(std::nullopt), ""));
  const std::string bare = "n=user,r=" + std::string(client_nonce);
  CHECK(std::get<exchange::keys_wanted>(scram.receive("n,," + bare)).username == "user");
  const auto first = std::get<exchange::challenge>(scram.keys(derive("pencil", salt).value())).message;
  const auto done = scram.receive(client_final("pencil", bare, first));
  CHECK(std::get<exchange::proven>(done).message.starts_with("v="));
  CHECK(std::holds_alternative<exchange::malformed>(exchange(mechanism::scram_sha_256, "n", {}).begin("")));
  CHECK(std::holds_alternative<exchange::failed>(exchange(mechanism::scram_sha_256, "n", {}).begin("p=x,,n=u,r=x")));
}

TEST_CASE("derived keys") {
  CHECK_FALSE(derive("", salt));
  CHECK_FALSE(derive("x", ""));
  CHECK_FALSE(derive("x", salt, 0));
  CHECK_FALSE(derive("\x01", salt));
  CHECK(derive("I\xc2\xadX", salt, 1).value() == derive("IX", salt, 1).value());
  CHECK_FALSE(derive("a", salt, 1).value() == derive("b", salt, 1).value());
  const auto decoy = decoy_credentials("secret", "nobody");
  CHECK(decoy.salt.size() == scram_salt_bytes);
  CHECK(decoy == decoy_credentials("secret", "nobody"));
  CHECK_FALSE(decoy == decoy_credentials("secret", "nobody2"));
  CHECK(decoy.stored_key.size() == 32);
}
