#include "config/policy_parser.hpp"

#include <algorithm>
#include <utility>

#include "base/address_range.hpp"
#include "base/ascii.hpp"
#include "base/ip_address.hpp"

namespace merpati::config {

namespace {

constexpr std::int64_t day = 86'400;
/// What one network or account may do at most; beyond it a limit is none.
constexpr std::int64_t rate_most = 1'000'000;

template <class T>
void take(table_reader& table, std::string_view key, std::int64_t least, std::int64_t most, T& into) {
  if (auto value = table.integer(key, least, most))
    into = T(*value);
}

/// Lists are asked about each client, all at once.
constexpr std::size_t lists_most = 20;
/// A name has 253 characters (RFC 1035 2.3.4, without the length octets of its ends), of which an IPv6 address
/// backwards takes 64 (RFC 5782 2.4).
constexpr std::size_t zone_most = 253 - 64;
constexpr std::size_t label_most = 63; // RFC 1035 2.3.4

bool is_label(std::string_view text) {
  return !text.empty() && text.size() <= label_most
         && std::all_of(text.begin(), text.end(), [](char c) { return ascii::is_alnum(c) || c == '-' || c == '_'; });
}

bool is_zone(std::string_view text) {
  if (text.size() > zone_most)
    return false;
  for (;;) {
    const auto dot = text.find('.');
    if (!is_label(text.substr(0, dot)))
      return false;
    if (dot == std::string_view::npos)
      return true;
    text.remove_prefix(dot + 1);
  }
}

/// "127.0.0.2" or "127.0.0.2-127.0.0.11".
std::optional<answer_range> parse_answer(std::string_view text) {
  const auto dash = text.find('-');
  auto number = [](std::string_view part) -> std::optional<std::uint32_t> {
    std::uint32_t out = 0;
    for (int i = 0; i != 4; ++i) {
      const auto dot = i == 3 ? part.size() : part.find('.');
      if (dot == std::string_view::npos)
        return std::nullopt;
      const auto octet = ascii::parse_number<std::uint32_t>(part.substr(0, dot));
      if (!octet || *octet > 255)
        return std::nullopt;
      out = out << 8u | *octet;
      part.remove_prefix(std::min(dot + 1, part.size()));
    }
    return out;
  };
  const auto first = number(text.substr(0, dash));
  const auto last = dash == std::string_view::npos ? first : number(text.substr(dash + 1));
  if (!first || !last || *first > *last || *first >> 24u != 127 || *last >> 24u != 127)
    return std::nullopt;
  return answer_range{*first, *last};
}

void read_list(const toml::table& entry, bool welcome, policy_settings& into, problem_list& report) {
  const std::string name = welcome ? "[[policy.dnswl]]" : "[[policy.dnsbl]]";
  table_reader table(&entry, name, report);
  address_list out;
  out.welcome = welcome;
  const auto zone = table.text("zone");
  out.zone = ascii::lower(zone.value_or(""));
  if (!welcome)
    take(table, "weight", 1, 1'000, out.weight);
  for (const auto& text : table.texts("answers")) {
    if (auto range = parse_answer(text))
      out.answers.push_back(*range);
    else
      report.add(table.line("answers"), "\"" + text + "\" in answers of " + name + " is no answer of a list",
                 "write \"127.0.0.2\", or \"127.0.0.2-127.0.0.11\" for a range");
  }
  table.finish();
  if (!table.has("zone"))
    report.add(table.line(), name + " has no zone",
               "add zone = \"list.example\": the domain below which the list answers");
  else if (zone && !is_zone(out.zone))
    report.add(table.line("zone"), "zone \"" + *zone + "\" of " + name + " is no domain that a list can be below",
               "write it like \"list.example\"");
  into.lists.push_back(std::move(out));
}

void read_lists(table_reader& policy, policy_settings& into, problem_list& report) {
  bool too_many = false;
  for (const bool welcome : {false, true}) {
    for (const auto* entry : policy.tables(welcome ? "dnswl" : "dnsbl")) {
      if (into.lists.size() < lists_most) {
        read_list(*entry, welcome, into, report);
      } else if (!std::exchange(too_many, true)) {
        report.add(line_of(*entry),
                   "more than " + std::to_string(lists_most)
                       + " lists of addresses in [policy], each of which is asked about each client",
                   "keep those that you need, and remove the others");
      }
    }
  }
}

void read_greylist(table_reader& policy, greylist_settings& into, problem_list& report) {
  table_reader table(policy.table("greylist"), "[policy.greylist]", report);
  into.enabled = table.boolean("enabled").value_or(into.enabled);
  take(table, "delay_seconds", 1, day, into.delay);
  take(table, "window_seconds", 600, 30 * day, into.window);
  take(table, "known_after", 1, 1'000, into.known_after);
  take(table, "known_seconds", 3'600, 400 * day, into.known);
  table.finish();
  if (into.delay >= into.window)
    report.add(table.line("delay_seconds"), "delay_seconds in [policy.greylist] is not below window_seconds",
               "make it shorter: a minute is enough");
}

void read_rates(table_reader& policy, rate_settings& into, problem_list& report) {
  table_reader table(policy.table("rates"), "[policy.rates]", report);
  take(table, "connections_per_minute", 0, rate_most, into.connections_per_minute);
  take(table, "messages_per_minute", 0, rate_most, into.messages_per_minute);
  take(table, "recipients_per_minute", 0, rate_most, into.recipients_per_minute);
  take(table, "account_messages_per_hour", 0, rate_most, into.account_messages_per_hour);
  take(table, "account_recipients_per_hour", 0, rate_most, into.account_recipients_per_hour);
  table.finish();
}

} // namespace

void read_policy(table_reader& root, policy_settings& into, problem_list& report) {
  table_reader table(root.table("policy"), "[policy]", report);
  into.reverse_dns = table.boolean("reverse_dns").value_or(into.reverse_dns);
  take(table, "greet_pause_ms", 0, 60'000, into.greet_pause);
  take(table, "dnsbl_threshold", 1, 1'000'000, into.threshold);
  into.exempt = table.texts("exempt");
  for (const auto& text : into.exempt)
    if (!address_range::parse(text))
      report.add(table.line("exempt"), "\"" + text + "\" in exempt of [policy] is no address and no range",
                 "write \"192.0.2.1\", \"192.0.2.0/24\" or \"2001:db8::/32\"");
  read_lists(table, into, report);
  read_greylist(table, into.greylist, report);
  read_rates(table, into.rates, report);
  table.finish();
}

void read_resolver(table_reader& root, const std::filesystem::path& folder, resolver_settings& into,
                   problem_list& report) {
  table_reader table(root.table("resolver"), "[resolver]", report);
  into.forwarders = table.texts("forwarders");
  for (const auto& text : into.forwarders) {
    const auto at = text.find('@');
    const auto port = at == std::string::npos
                          ? std::uint32_t{53}
                          : ascii::parse_number<std::uint32_t>(std::string_view(text).substr(at + 1)).value_or(0);
    if (!ip_address::parse(text.substr(0, at)) || port == 0 || port > 65'535)
      report.add(table.line("forwarders"), "\"" + text + "\" in forwarders of [resolver] is no address of a server",
                 "write a numeric one, such as \"192.0.2.53\" or \"192.0.2.53@5353\"");
  }
  into.recursive = table.boolean("recursive").value_or(into.recursive);
  if (into.recursive && !into.forwarders.empty())
    report.add(table.line("recursive"), "recursive in [resolver] together with forwarders", "remove one of them");
  if (auto anchor = table.text("trust_anchor"))
    into.trust_anchor = (folder / *anchor).lexically_normal();
  take(table, "timeout_ms", 100, 60'000, into.timeout);
  take(table, "queries", 10, 100'000, into.queries);
  table.finish();
}

} // namespace merpati::config
