#include "protocols/smtp/srs.hpp"

#include "base/ascii.hpp"
#include "tests/support/catch2.hpp"

using namespace merpati;

namespace {

const std::vector<std::string> secrets{"the secret of today", "the secret of last year"};
const timestamp now{std::chrono::days(20'784)};

smtp::mailbox forward(const smtp::mailbox& sender, std::string_view domain) {
  auto made = smtp::srs_forward(sender, domain, secrets[0], now);
  REQUIRE(made);
  return *made;
}

} // namespace

TEST_CASE("a rewritten sender leads back to the first one") {
  const smtp::mailbox sender{"Some.One", "first.example"};
  const auto once = forward(sender, "one.example");
  CHECK(once.domain == "one.example");
  CHECK(once.local_part.starts_with("SRS0="));
  CHECK(once.local_part.ends_with("=first.example=Some.One"));
  CHECK(smtp::is_srs(once.local_part));
  CHECK(smtp::srs_reverse(once.local_part, secrets, now).value() == sender);
  const auto twice = smtp::srs_forward(once, "two.example", "another's secret", now).value();
  const std::vector<std::string> theirs{"another's secret"};
  CHECK(twice.local_part.starts_with("SRS1="));
  CHECK(smtp::srs_reverse(twice.local_part, theirs, now).value() == once);
  const auto thrice = forward(twice, "three.example");
  CHECK(thrice.local_part.size() == twice.local_part.size());
  CHECK(smtp::srs_reverse(thrice.local_part, secrets, now).value() == once);
}

TEST_CASE("case that servers on the way changed does no harm, and old secrets are known") {
  const auto made = smtp::srs_forward({"user", "first.example"}, "one.example", secrets[1], now).value();
  const auto lower = ascii::lower(made.local_part);
  CHECK(smtp::srs_reverse(lower, secrets, now).value() == smtp::mailbox{"user", "first.example"});
}

TEST_CASE("what was not made here, or too long ago, leads nowhere") {
  const auto local = forward({"user", "first.example"}, "one.example").local_part;
  auto other = local;
  other.back() = 'x';
  CHECK(smtp::srs_reverse(other, secrets, now).error().code == errc::invalid);
  for (std::size_t n = 0; n != local.size(); ++n)
    CHECK_FALSE(smtp::srs_reverse(std::string_view(local).substr(0, n), secrets, now));
  CHECK(smtp::srs_reverse(local, secrets, now + std::chrono::days(21)));
  CHECK(smtp::srs_reverse(local, secrets, now + std::chrono::days(22)).error().code == errc::not_permitted);
  CHECK_FALSE(smtp::srs_reverse("user", secrets, now));
  CHECK_FALSE(smtp::srs_reverse("SRS0=", secrets, now));
  CHECK_FALSE(smtp::srs_reverse(local, std::vector<std::string>{}, now));
}

TEST_CASE("senders that can't be rewritten") {
  CHECK(smtp::srs_forward({std::string(60, 'a'), "first.example"}, "one.example", secrets[0], now).error().code
        == errc::too_big);
  CHECK_FALSE(smtp::srs_forward({"user", "[192.0.2.1]"}, "one.example", secrets[0], now));
  CHECK_FALSE(smtp::srs_forward({"postmaster", ""}, "one.example", secrets[0], now));
}
