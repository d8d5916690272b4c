#include "base/crypto.hpp"

#include "tests/support/catch2.hpp"

using namespace merpati;

TEST_CASE("base64 round-trips and refuses what RFC 4648 forbids") {
  for (std::string text : {"", "f", "fo", "foo", "foob", "fooba", "foobar"})
    CHECK(crypto::base64_decode(crypto::base64_encode(text)).value() == text);
  CHECK(crypto::base64_encode("fooba") == "Zm9vYmE=");
  for (const char* bad : {"Zg", "Zg=", "Z===", "====", "Zm 9", "Zm9v\n", "Zm=v", "Zm9vY*=="}) {
    INFO(bad);
    CHECK(!crypto::base64_decode(bad));
  }
}

TEST_CASE("hmac and pbkdf2 match their RFCs") {
  auto hex = [](auto digest) {
    std::string out;
    for (auto octet : digest) {
      char pair[3];
      std::snprintf(pair, sizeof pair, "%02x", octet);
      out += pair;
    }
    return out;
  };
  // RFC 4231 test case 2
  CHECK(hex(crypto::hmac_sha256("Jefe", "what do ya want for nothing?"))
        == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  // RFC 7914 section 11, first 32 octets
  CHECK(hex(crypto::pbkdf2_sha256("passwd", "salt", 1))
        == "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc");
}

TEST_CASE("a password verifies against its own hash only") {
  auto encoded = crypto::argon2id_hash("correct horse");
  CHECK(encoded.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
  CHECK(crypto::argon2id_verify(encoded, "correct horse"));
  CHECK(!crypto::argon2id_verify(encoded, "correct horsf"));
  CHECK(!crypto::argon2id_verify("not a hash", "correct horse"));
}

TEST_CASE("a running checksum equals the checksum of the whole") {
  std::string data = crypto::random_bytes(10000);
  crypto::running_checksum sum;
  for (std::size_t at = 0; at < data.size(); at += 777)
    sum.add(std::string_view(data).substr(at, 777));
  CHECK(sum.value() == crypto::checksum(data));
}
