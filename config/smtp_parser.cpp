#include "config/smtp_parser.hpp"

namespace merpati::config {

namespace {

/// "local@domain", or "@domain"; whether it has a canonical form shows when the daemon takes it.
bool is_address_like(std::string_view text, bool whole_domain_allowed) {
  const auto at = text.rfind('@');
  return at != std::string_view::npos && at + 1 != text.size() && (at != 0 || whole_domain_allowed);
}

void read_delegation(const toml::table& entry, smtp_settings& into, problem_list& report) {
  table_reader table(&entry, "[[delegation]]", report);
  delegation out;
  out.line = table.line();
  out.account = table.text("account").value_or("");
  out.addresses = table.texts("addresses");
  table.finish();
  if (!table.has("account"))
    report.add(out.line, "[[delegation]] has no account", "add account = \"office@example.org\": who may send");
  else if (!out.account.empty() && !is_address_like(out.account, false))
    report.add(table.line("account"), "account \"" + out.account + "\" in [[delegation]] is no address",
               "write a whole address such as \"office@example.org\"");
  if (!table.has("addresses"))
    report.add(out.line, "[[delegation]] has no addresses",
               "add addresses = [\"info@example.org\"]: what it may send as");
  for (const auto& address : out.addresses)
    if (!is_address_like(address, true))
      report.add(table.line("addresses"), "\"" + address + "\" in addresses of [[delegation]] is no address",
                 "write \"info@example.org\", or \"@example.org\" for all of a domain");
  into.delegations.push_back(std::move(out));
}

} // namespace

void read_smtp(table_reader& root, smtp_settings& into, problem_list& report) {
  table_reader table(root.table("smtp"), "[smtp]", report);
  if (auto which = table.choice("bare_newlines", {"refuse", "normalise"}))
    into.newlines = static_cast<bare_newlines>(*which);
  if (auto separators = table.text("detail_separators")) {
    into.detail_separators = *separators;
    constexpr std::string_view possible = "+-_=#%/!";
    if (separators->find_first_not_of(possible) != std::string::npos)
      report.add(table.line("detail_separators"),
                 "detail_separators \"" + *separators + "\" in [smtp] has a character that separates nothing",
                 "write one or several of " + std::string(possible) + ", or nothing");
  }
  table.finish();
  for (const auto* entry : root.tables("delegation"))
    read_delegation(*entry, into, report);
}

} // namespace merpati::config
