#include "config/milter_parser.hpp"

#include <algorithm>

#include "base/ascii.hpp"
#include "base/ip_address.hpp"
#include "base/socket_path.hpp"

namespace merpati::config {

namespace {

/// sun_path of Linux is 108 octets with its NUL.

const std::vector<std::string> kind_words{"smtp", "submission", "submissions"};
constexpr listener_kind kinds[] = {listener_kind::smtp, listener_kind::submission, listener_kind::submissions};

void read_kinds(table_reader& table, milter& into, problem_list& report) {
  if (!table.has("listeners"))
    return;
  const auto words = table.texts("listeners");
  into.listeners.clear();
  for (const auto& word : words) {
    const auto at = std::find(kind_words.begin(), kind_words.end(), word);
    if (at == kind_words.end()) {
      const auto meant = nearest(ascii::lower(word), kind_words);
      report.add(table.line("listeners"), "listeners in [[milter]] names \"" + word + "\", where no mail comes in",
                 meant ? "did you mean \"" + *meant + "\"?" : "write " + enumerate(kind_words));
      continue;
    }
    into.listeners.push_back(kinds[at - kind_words.begin()]);
  }
  if (words.empty())
    report.add(table.line("listeners"), "listeners in [[milter]] is empty: the filter would never be asked",
               "write " + enumerate(kind_words) + ", or remove the table");
}

void read_seconds(table_reader& table, std::string_view key, std::chrono::seconds& into) {
  if (const auto value = table.integer(key, 1, 3'600))
    into = std::chrono::seconds(*value);
}

} // namespace

std::optional<milter_socket> parse_milter_socket(std::string_view text) {
  milter_socket out;
  if (is_socket_path(text)) {
    out.path = socket_path(text);
    if (!out.path.starts_with('/') || out.path.size() > longest_socket_path || out.path.find('\0') != std::string::npos)
      return std::nullopt;
    return out;
  }
  const auto colon = text.rfind(':');
  if (!text.starts_with("inet:") || colon < 5)
    return std::nullopt;
  auto host = text.substr(5, colon - 5);
  const bool brackets = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (brackets)
    host = host.substr(1, host.size() - 2);
  const auto address = ip_address::parse(host);
  const auto port = ascii::parse_number<std::uint16_t>(text.substr(colon + 1));
  if (!address || !port || *port == 0 || brackets != (host.find(':') != std::string_view::npos))
    return std::nullopt;
  out.address = host;
  out.port = *port;
  return out;
}

std::optional<milter> read_milter(const toml::table& entry, problem_list& report) {
  table_reader table(&entry, "[[milter]]", report);
  milter out;
  out.line = table.line();
  const auto name = table.text("name");
  const auto socket = table.text("socket");
  if (!socket && !table.has("socket"))
    report.add(out.line, "[[milter]] has no socket",
               "add socket = \"inet:127.0.0.1:11332\" or \"unix:/run/filter.sock\"");
  const auto where = socket ? parse_milter_socket(*socket) : std::nullopt;
  if (socket && !where)
    report.add(table.line("socket"), "socket \"" + *socket + "\" in [[milter]] is none",
               "write \"inet:127.0.0.1:11332\" with a numeric address, or \"unix:/run/filter.sock\"");
  if (const auto word = table.text("when_down")) {
    if (*word == "accept" || *word == "tempfail")
      out.accept_when_down = *word == "accept";
    else
      report.add(table.line("when_down"), "when_down \"" + *word + "\" in [[milter]] is unknown",
                 "write \"tempfail\" or \"accept\"");
  }
  read_seconds(table, "connect_seconds", out.connect_timeout);
  read_seconds(table, "command_seconds", out.command_timeout);
  read_seconds(table, "content_seconds", out.content_timeout);
  read_kinds(table, out, report);
  table.finish();
  if (!where)
    return std::nullopt;
  out.socket = *where;
  out.name = name.value_or(*socket);
  return out;
}

} // namespace merpati::config
