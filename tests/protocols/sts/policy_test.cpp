// MTA-STS: the record, the policy, and which hosts it names. Examples of RFC 8461 3.1, 3.2 and 4.1 and what differs
// from them.
#include "protocols/sts/policy.hpp"

#include "tests/support/catch2.hpp"

using namespace merpati;
using namespace merpati::sts;

namespace {

const std::string example = "version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\nmx: *.example.net\r\n"
                            "mx: backupmx.example.com\r\nmax_age: 604800\r\n";

std::string without(const std::string& line) {
  auto text = example;
  text.erase(text.find(line), line.size());
  return text;
}

} // namespace

TEST_CASE("a policy is read, whatever its line ends, order and unknown keys", "[sts]") {
  const policy expected{policy_mode::enforce,
                        {"mail.example.com", "*.example.net", "backupmx.example.com"},
                        std::chrono::seconds(604'800)};
  CHECK(parse_policy(example) == expected);
  auto lf = example;
  std::erase(lf, '\r');
  CHECK(parse_policy(lf) == expected);
  lf.pop_back();
  CHECK(parse_policy(lf) == expected);
  CHECK(parse_policy("future: x\nmax_age: 604800\nmx:mail.example.com\nmode :enforce\nmx: *.EXAMPLE.net \n"
                     "mx: backupmx.example.com\nmode: none\nversion: STSv1\n")
        == expected);
  CHECK(parse_policy("version: STSv1\nmode: none\nmax_age: 0\n")->mode == policy_mode::none);
  CHECK(parse_policy("version: STSv1\nmode: none\nmax_age: 9999999999\n")->max_age == longest_max_age);
}

TEST_CASE("what is no policy is refused", "[sts]") {
  for (const char* line : {"version: STSv1\r\n", "mode: enforce\r\n", "max_age: 604800\r\n"})
    CHECK(parse_policy(without(line)).error().code == errc::invalid);
  CHECK_FALSE(parse_policy("version: STSv1\nmode: enforce\nmax_age: 1\n"));
  CHECK_FALSE(parse_policy("version: STSv1\nmode: testing\nmax_age: 1\n"));
  for (const char* wrong : {"version: STSv2", "mode: strict", "max_age: -1", "max_age: ", "max_age: 99999999999",
                            "mx: ", "mx: *", "mx: a.*.example", "mx: a..example", "mx: a b", "<html>"})
    CHECK_FALSE(parse_policy(wrong + ("\n" + example)));
  CHECK_FALSE(parse_policy(""));
  CHECK(parse_policy(std::string(policy_octets + 1, '\n')).error().code == errc::too_big);
  std::string many = example;
  for (std::size_t i = 0; i < mx_patterns; ++i)
    many += "mx: mx.example.net\n";
  CHECK_FALSE(parse_policy(many));
}

TEST_CASE("the record in DNS", "[sts]") {
  CHECK(find_id({"v=STSv1; id=20160831085700Z;"}) == "20160831085700Z");
  CHECK(find_id({"v=spf1 -all", "v=STSv1;id=a1", "v=STSv12; id=b"}) == "a1");
  CHECK(find_id({"v=STSv1; future=x; id=a1 ; id=b"}) == "a1");
  CHECK(find_id({}).error().code == errc::not_found);
  CHECK(find_id({"v=spf1 -all"}).error().code == errc::not_found);
  CHECK(find_id({"v=STSv1; id=a;", "v=STSv1; id=b;"}).error().code == errc::not_found);
  for (const char* wrong : {"v=STSv1", "v=STSv1;", "v=STSv1; id=", "v=STSv1; id=a-b", "v=STSv1; x",
                            "v=STSv1; id=123456789012345678901234567890123"})
    CHECK(find_id({wrong}).error().code == errc::invalid);
}

TEST_CASE("hosts that a policy names; an asterisk is one label", "[sts]") {
  const auto p = *parse_policy(example);
  CHECK(names_host(p, "mail.example.com"));
  CHECK(names_host(p, "mx1.example.net"));
  for (const char* other :
       {"example.net", "a.mx1.example.net", ".example.net", "mail.example.com.evil.example", "", "mail"})
    CHECK_FALSE(names_host(p, other));
}
