#include "actors/delivery/dane_finder.hpp"

#include <utility>

namespace merpati::delivery {

namespace {

dane_finding judge(const dns::record_set& found, std::string base) {
  dane_finding out;
  out.base = std::move(base);
  for (const auto& record : found.records) {
    auto read = tls::read_tlsa(record.value);
    if (read && tls::is_usable(*read) && out.records.size() < tls::tlsa_records_max)
      out.records.push_back(std::move(*read));
  }
  out.what = out.records.empty() ? dane_state::unusable : dane_state::usable;
  return out;
}

} // namespace

runtime::task<dane_finding> find_dane(runtime::coroutine_host& asker, dns::resolver_actor resolver, mail_host host,
                                      std::uint16_t port) {
  dane_finding out;
  for (auto& base : host.tlsa_bases) {
    dns::query query{"_" + std::to_string(port) + "._tcp." + base, dns::record_type::tlsa}; // RFC 6698 3
    auto answered = co_await asker.ask<dns::answer>(resolver, std::move(query));
    if (!answered || !answered->records) { // RFC 7672 2.1.2: no downgrade by an answer that is held back or forged
      out.what = dane_state::failed;
      out.base = base;
      out.why = answered ? answered->records.error().what : answered.error().what;
      co_return out;
    }
    if (!answered->secure || answered->records->records.empty())
      continue;
    out = judge(*answered->records, base);
    co_return out;
  }
  co_return out;
}

} // namespace merpati::delivery
