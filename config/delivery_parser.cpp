#include "config/delivery_parser.hpp"

#include <algorithm>
#include <fstream>
#include <optional>

#include "base/ascii.hpp"
#include "base/ip_address.hpp"
#include "base/socket_path.hpp"

namespace merpati::config {

namespace {

constexpr std::int64_t longest_seconds = 2'592'000; // 30 days

const std::vector<std::string> tls_words = {"none", "may", "need", "verify", "auto", "dane"};

bool has_name_characters(std::string_view text) {
  return !text.empty() && text.size() <= 253 && std::all_of(text.begin(), text.end(), [](char c) {
    return ascii::is_alnum(c) || c == '-' || c == '.' || c == '_';
  }) && text.find("..") == std::string_view::npos;
}

/// Without its line end; nothing where there is none or it is longer than any password.
std::optional<std::string> first_line(const std::filesystem::path& path) {
  constexpr std::size_t longest = 1'024; // octets; servers take fewer (RFC 4616 2 has no limit of its own)
  std::error_code ec;
  if (!std::filesystem::is_regular_file(path, ec)) // reading from a pipe or a device may never end
    return std::nullopt;
  std::ifstream in(path, std::ios::binary);
  std::string text(longest + 2, '\0'); // and CRLF
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  text.resize(std::min(text.find('\n'), text.size()));
  if (text.ends_with('\r'))
    text.pop_back();
  if (text.empty() || text.size() > longest)
    return std::nullopt;
  return text;
}

/// Nothing where there is none or it is empty, or larger than any bundle of authorities.
std::optional<std::string> whole_file(const std::filesystem::path& path) {
  constexpr std::uintmax_t largest = 4 * 1024 * 1024; // octets; Debian's bundle of all authorities has 220 KB
  std::error_code ec;
  if (!std::filesystem::is_regular_file(path, ec))
    return std::nullopt;
  std::string text(std::filesystem::file_size(path, ec), '\0');
  if (ec || text.empty() || text.size() > largest)
    return std::nullopt;
  std::ifstream in(path, std::ios::binary);
  if (!in.read(text.data(), static_cast<std::streamsize>(text.size())))
    return std::nullopt;
  return text;
}

class delivery_parser {
public:
  delivery_parser(const std::filesystem::path& folder, delivery_settings& into, problem_list& report)
      : folder_(folder), into_(into), report_(report) {}

  void read(table_reader& root) {
    table_reader table(root.table("delivery"), "[delivery]", report_);
    if (auto port = table.integer("port", 1, 65'535))
      into_.port = static_cast<std::uint16_t>(*port);
    if (auto word = table.choice("tls", tls_words))
      into_.tls = static_cast<hop_tls>(*word);
    read_source(table, into_.source_address);
    read_authorities(table);
    read_number(table, "connections", 1, 10'000, into_.connections);
    read_number(table, "connections_per_destination", 1, 1'000, into_.connections_per_destination);
    read_seconds(table, "connect_timeout_seconds", 1, 300, into_.connect_timeout);
    read_seconds(table, "first_retry_seconds", 1, longest_seconds, into_.first_retry);
    read_seconds(table, "longest_retry_seconds", 1, longest_seconds, into_.longest_retry);
    read_seconds(table, "delay_warning_seconds", 0, longest_seconds, into_.delay_warning);
    read_seconds(table, "expiry_seconds", 1, longest_seconds, into_.expiry);
    if (into_.longest_retry < into_.first_retry)
      report_.add(table.line("longest_retry_seconds"),
                  "longest_retry_seconds in [delivery] is below first_retry_seconds",
                  "write " + std::to_string(into_.first_retry.count()) + " or more");
    table.finish();
    for (const auto* entry : root.tables("route"))
      read_route(*entry);
  }

private:
  template <class Number>
  static void read_number(table_reader& table, std::string_view key, std::int64_t least, std::int64_t most,
                          Number& into) {
    if (auto value = table.integer(key, least, most))
      into = static_cast<Number>(*value);
  }
  static void read_seconds(table_reader& table, std::string_view key, std::int64_t least, std::int64_t most,
                           std::chrono::seconds& into) {
    if (auto value = table.integer(key, least, most))
      into = std::chrono::seconds(*value);
  }

  void read_source(table_reader& table, std::string& into) {
    const auto text = table.text("source_address");
    if (!text)
      return;
    if (const auto address = ip_address::parse(*text))
      into = address->to_string();
    else
      report_.add(table.line("source_address"), "source_address \"" + *text + "\" is no numeric address",
                  "write one address of this machine, such as \"192.0.2.1\"");
  }

  void read_authorities(table_reader& table) {
    const auto file = table.text("ca_file");
    if (!file)
      return;
    const auto path = (folder_ / *file).lexically_normal();
    if (auto content = whole_file(path))
      into_.trusted_certificates = std::move(*content);
    else
      report_.add(table.line("ca_file"), "no certificates can be read from " + path.string(),
                  "name a PEM file of authorities, readable for the user that runs merpati, or remove the line");
  }

  void read_route(const toml::table& entry) {
    table_reader table(&entry, "[[route]]", report_);
    route out;
    out.line = table.line();
    read_domain(table, out);
    read_host(table, out);
    if (auto port = table.integer("port", 1, 65'535))
      out.port = static_cast<std::uint16_t>(*port);
    if (auto word = table.choice("protocol", {"smtp", "lmtp"}))
      out.protocol = static_cast<hop_protocol>(*word);
    out.tls = into_.tls;
    if (auto word = table.choice("tls", tls_words))
      out.tls = static_cast<hop_tls>(*word);
    out.implicit_tls = table.boolean("implicit_tls").value_or(false);
    read_login(table, out);
    read_source(table, out.source_address);
    table.finish();
    for (const auto& other : into_.routes)
      if (other.domain == out.domain && !out.domain.empty())
        report_.add(table.line("domain"),
                    "the route for \"" + out.domain + "\" is in line " + std::to_string(other.line) + " already",
                    "remove one of them");
    into_.routes.push_back(std::move(out));
  }

  void read_domain(table_reader& table, route& out) {
    const auto domain = table.text("domain");
    if (!table.has("domain")) {
      report_.add(out.line, "[[route]] has no domain",
                  "add domain = \"example.net\", \".example.net\" for all below it, or \"*\" for all mail");
      return;
    }
    out.domain = ascii::lower(domain.value_or(""));
    const auto name = std::string_view(out.domain).substr(out.domain.starts_with('.') ? 1 : 0);
    if (domain && out.domain != "*" && !has_name_characters(name))
      report_.add(table.line("domain"), "domain \"" + *domain + "\" in [[route]] is no domain",
                  "write \"example.net\" (A-labels), \".example.net\" for all below it, or \"*\" for all mail");
  }

  void read_host(table_reader& table, route& out) {
    const auto host = table.text("host");
    if (!host)
      return;
    if (is_socket_path(*host)) {
      out.host = at_socket_path((folder_ / socket_path(*host)).lexically_normal().string());
    } else if (const auto address = ip_address::parse(*host)) {
      out.host = address->to_string();
    } else {
      out.host = ascii::lower(*host);
      if (!has_name_characters(out.host))
        report_.add(table.line("host"), "host \"" + *host + "\" in [[route]] is no host",
                    "write a name, a numeric address, or \"unix:PATH\"; the port goes into port = ...");
    }
  }

  void read_login(table_reader& table, route& out) {
    out.user = table.text("user").value_or("");
    const auto file = table.text("password_file");
    if (table.has("user") != table.has("password_file"))
      report_.add(table.has("user") ? table.line("user") : table.line("password_file"),
                  "[[route]] has only one of user and password_file", "add the other, or remove this one");
    if (!file)
      return;
    const auto path = (folder_ / *file).lexically_normal();
    if (auto password = first_line(path))
      out.password = std::move(*password);
    else
      report_.add(table.line("password_file"), "no password can be read from " + path.string(),
                  "put it into the first line of that file, readable for the user that runs merpati");
    const auto address = ip_address::parse(out.host);
    const bool here = (address && address->is_loopback()) || out.host.starts_with(socket_prefix);
    const bool open =
        !out.implicit_tls && (out.tls == hop_tls::none || out.tls == hop_tls::may || out.tls == hop_tls::automatic);
    if (open && !here)
      report_.add(out.line, "the route for \"" + out.domain + "\" has a password and may go without TLS",
                  "write tls = \"verify\" (or \"need\", which takes any certificate)");
  }

  const std::filesystem::path& folder_;
  delivery_settings& into_;
  problem_list& report_;
};

} // namespace

void read_delivery(table_reader& root, const std::filesystem::path& folder, delivery_settings& into,
                   problem_list& report) {
  delivery_parser(folder, into, report).read(root);
}

} // namespace merpati::config
