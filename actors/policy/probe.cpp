#include "actors/policy/probe.hpp"

namespace merpati::policy {

std::vector<admin::metric> metrics_of(const counters& from) {
  std::vector<admin::metric> out;
  const auto add = [&out](const char* name, const char* help, const counter& value, const char* labels = "") {
    admin::metric one;
    one.name = name;
    one.help = help;
    one.counter = true;
    one.value = static_cast<double>(value.get());
    one.labels = labels;
    out.push_back(std::move(one));
  };
  static constexpr auto refusals = "Clients, messages and recipients refused by policy";
  add("policy_admitted_total", "Connections admitted by policy", from.admitted);
  add("policy_refused_total", refusals, from.refused_rate, "reason=\"rate\"");
  add("policy_refused_total", refusals, from.refused_listed, "reason=\"listed\"");
  add("policy_refused_total", refusals, from.refused_account, "reason=\"account\"");
  add("policy_welcomed_total", "Clients on a list of good ones", from.welcomed);
  add("policy_greylisted_total", "Recipients asked to be tried again", from.greylisted);
  add("policy_greylist_passed_total", "Recipients that passed greylisting", from.passed);
  add("policy_greylist_save_failures_total", "Times that greylisting could not be saved", from.greylist_save_failures);
  add("policy_list_failures_total", "Address lists that did not answer", from.list_failures);
  add("dns_queries_total", "Queries to the resolver", from.dns_queries);
  add("dns_failures_total", "Queries without an answer", from.dns_failures);
  return out;
}

} // namespace merpati::policy
