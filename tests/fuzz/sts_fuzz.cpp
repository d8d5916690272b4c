// The MTA-STS record and policy; and TLSA records, which strangers publish too.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "protocols/sts/policy.hpp"
#include "protocols/tls/tlsa.hpp"

using namespace merpati;

namespace {

void require(bool holds) {
  if (!holds)
    std::abort();
}

std::string written(const sts::policy& p) {
  const char* const modes[] = {"enforce", "testing", "none"};
  std::string out = std::string("version: STSv1\nmode: ") + modes[static_cast<std::size_t>(p.mode)] + "\n";
  for (const auto& mx : p.mx)
    out += "mx: " + mx + "\n";
  return out + "max_age: " + std::to_string(p.max_age.count()) + "\n";
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  if (const auto policy = sts::parse_policy(text)) {
    require(policy->mx.size() <= sts::mx_patterns && policy->max_age <= sts::longest_max_age);
    const auto again = sts::parse_policy(written(*policy));
    require(again && *again == *policy);
    for (const auto& mx : policy->mx)
      require(sts::names_host(*policy, mx.starts_with("*.") ? "x" + mx.substr(1) : mx));
  }
  if (const auto id = sts::find_id({text})) {
    require(!id->empty() && id->size() <= 32);
    require(!sts::find_id({text, text}));
  }
  if (const auto record = tls::read_tlsa(text))
    require(!tls::is_usable(*record) || record->usage == 2 || record->usage == 3);
  return 0;
}
