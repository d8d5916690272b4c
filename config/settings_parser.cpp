// The TOML file as settings. Each read_* function takes one table.
#include <algorithm>
#include <fstream>
#include <sstream>

#include "base/ascii.hpp"
#include "base/ip_address.hpp"
#include "base/socket_path.hpp"
#include "config/delivery_parser.hpp"
#include "config/limits_parser.hpp"
#include "config/milter_parser.hpp"
#include "config/policy_parser.hpp"
#include "config/settings.hpp"
#include "config/smtp_parser.hpp"
#include "config/table_reader.hpp"

namespace merpati::config {

namespace {

/// More than any sensible configuration has; keeps a wrong --config (a mailbox, a device) out of memory.
constexpr std::uint64_t file_max_bytes = 1'048'576;

struct kind_entry {
  listener_kind kind;
  std::string_view word;
  std::uint16_t port; ///< IANA's
};
constexpr kind_entry kinds[] = {
    {listener_kind::smtp, "smtp", 25},
    {listener_kind::submission, "submission", 587},
    {listener_kind::submissions, "submissions", 465},
    {listener_kind::lmtp, "lmtp", 24},
    {listener_kind::imap, "imap", 143},
    {listener_kind::imaps, "imaps", 993},
    {listener_kind::pop3, "pop3", 110},
    {listener_kind::pop3s, "pop3s", 995},
};

std::vector<std::string> kind_words() {
  std::vector<std::string> out;
  for (const auto& entry : kinds)
    out.emplace_back(entry.word);
  return out;
}

/// RFC 1123 2.1: labels of letters, digits and inner hyphens; at most 63 octets each and 253 in all.
bool is_host_name(std::string_view name) {
  if (name.empty() || name.size() > 253)
    return false;
  std::size_t label = 0;
  for (std::size_t i = 0; i <= name.size(); ++i) {
    if (i == name.size() || name[i] == '.') {
      if (label == 0 || label > 63 || name[i - 1] == '-' || name[i - label] == '-')
        return false;
      label = 0;
    } else if (ascii::is_alnum(name[i]) || name[i] == '-') {
      ++label;
    } else {
      return false;
    }
  }
  return true;
}

class settings_parser {
public:
  settings_parser(const toml::table& root, const std::filesystem::path& file, problem_list& report)
      : root_(&root, "the file", report), report_(report) {
    out_.file = std::filesystem::absolute(file).lexically_normal();
  }

  settings run() {
    read_general();
    read_tls();
    read_listeners();
    for (const auto* entry : root_.tables("milter"))
      if (auto filter = read_milter(*entry, report_))
        out_.milters.push_back(std::move(*filter));
    read_admin();
    read_storage();
    read_smtp(root_, out_.smtp, report_);
    read_delivery(root_, out_.file.parent_path(), out_.delivery, report_);
    read_policy(root_, out_.policy, report_);
    read_resolver(root_, out_.file.parent_path(), out_.resolver, report_);
    read_limits(root_.table("limits"), out_.limits, report_);
    read_log();
    root_.finish();
    return std::move(out_);
  }

private:
  std::filesystem::path resolve(const std::string& path) const {
    return (out_.file.parent_path() / path).lexically_normal();
  }

  void read_general() {
    if (auto name = root_.text("hostname")) {
      out_.hostname = ascii::lower(*name);
      if (!is_host_name(out_.hostname))
        report_.add(root_.line("hostname"), "hostname \"" + *name + "\" is no host name",
                    "write the name that other servers find in DNS, such as \"mail.example.org\"");
    } else if (!root_.has("hostname")) {
      report_.add(0, "hostname is missing",
                  "add hostname = \"mail.example.org\" at the top, with this server's name in DNS");
    }
    auto folder = root_.text("data_dir");
    if (folder && !folder->empty())
      out_.data_dir = resolve(*folder);
    else if (folder || !root_.has("data_dir"))
      report_.add(root_.has("data_dir") ? root_.line("data_dir") : 0,
                  folder ? "data_dir is empty" : "data_dir is missing",
                  "add data_dir = \"/var/lib/merpati\" at the top: the folder that holds all mail");
  }

  /// Reads certificate and key of [tls] or [[tls.sni]]; both or none.
  std::optional<certificate> read_certificate(table_reader& table, const std::string& name) {
    auto chain = table.text("certificate");
    auto key = table.text("key");
    certificate out;
    out.line = table.line();
    if (chain && !chain->empty() && key && !key->empty()) {
      out.chain = resolve(*chain);
      out.key = resolve(*key);
      return out;
    }
    for (std::string_view wanted : {"certificate", "key"}) {
      const auto& value = wanted == "key" ? key : chain;
      if (value ? value->empty() : !table.has(wanted))
        report_.add(value ? table.line(wanted) : table.line(), name + " has no " + std::string(wanted),
                    "add " + std::string(wanted) + " = \"" + (wanted == "key" ? "key.pem" : "cert.pem")
                        + "\"; a certificate and its key go together");
    }
    return std::nullopt;
  }

  void read_tls() {
    const auto* found = root_.table("tls");
    has_tls_ = root_.has("tls");
    if (!found)
      return;
    table_reader table(found, "[tls]", report_);
    if (auto main = read_certificate(table, "[tls]"))
      out_.tls.certificates.push_back(std::move(*main));
    for (const auto* entry : table.tables("sni"))
      read_sni(*entry);
    table.finish();
  }

  void read_sni(const toml::table& entry) {
    table_reader table(&entry, "[[tls.sni]]", report_);
    auto name = table.text("name");
    auto pair = read_certificate(table, "[[tls.sni]]");
    table.finish();
    if (!name) {
      if (!table.has("name"))
        report_.add(table.line(), "[[tls.sni]] has no name",
                    "add name = \"imap.example.com\": the name that clients ask for");
      return;
    }
    auto lower = ascii::lower(*name);
    auto host = std::string_view(lower);
    if (host.starts_with("*."))
      host.remove_prefix(2);
    if (!is_host_name(host)) {
      report_.add(table.line("name"), "name \"" + *name + "\" in [[tls.sni]] is no host name",
                  "write a name such as \"imap.example.com\" or \"*.example.com\"");
      return;
    }
    auto seen = std::find(sni_names_.begin(), sni_names_.end(), lower);
    if (seen != sni_names_.end()) {
      report_.add(table.line("name"), "a second [[tls.sni]] for \"" + lower + "\"", "remove one of them");
      return;
    }
    sni_names_.push_back(lower);
    if (pair && out_.tls.enabled()) {
      pair->name = std::move(lower);
      out_.tls.certificates.push_back(std::move(*pair));
    }
  }

  /// A numeric address, or nothing after a report.
  std::optional<ip_address> read_address(table_reader& table, const std::string& where, std::string& into) {
    auto text = table.text("address");
    if (!text)
      return std::nullopt;
    auto address = ip_address::parse(*text);
    if (!address) {
      report_.add(table.line("address"), "address \"" + *text + "\" in " + where + " is no IP address",
                  "write a numeric one: \"0.0.0.0\" for all of IPv4, \"::\" for all of IPv6, \"127.0.0.1\" for this "
                  "machine alone");
      return std::nullopt;
    }
    into = *text;
    return address;
  }

  void read_listeners() {
    auto entries = root_.tables("listener");
    if (entries.empty() && !root_.has("listener"))
      report_.add(0, "there is no listener", "add at least one [[listener]] with kind, address and port");
    for (const auto* entry : entries)
      read_listener(*entry);
  }

  void read_listener(const toml::table& entry) {
    table_reader table(&entry, "[[listener]]", report_);
    listener out;
    out.line = table.line();
    const auto* kind = read_kind(table);
    if (is_socket_path(entry["address"].value_or(std::string_view())))
      return read_local_listener(table, std::move(out), kind);
    auto address = read_address(table, "[[listener]]", out.address);
    if (!table.has("address"))
      report_.add(out.line, "[[listener]] has no address",
                  "add address = \"0.0.0.0\" (all of IPv4), \"::\" (all of IPv6), one address of this machine, or "
                  "\"unix:PATH\"");
    auto port = table.integer("port", 0, 65'535);
    out.plaintext_login = table.boolean("plaintext_login").value_or(false);
    out.proxy_from = read_ranges(table, "proxy_from");
    out.xclient_from = read_ranges(table, "xclient_from");
    table.finish();
    if (!kind)
      return;
    out.kind = kind->kind;
    out.port = static_cast<std::uint16_t>(port.value_or(kind->port));
    check_login(table, out, address);
    if (address && (port || !table.has("port"))) {
      check_overlap(table.has("port") ? table.line("port") : out.line, std::string(kind->word), *address, out.port);
      out_.listeners.push_back(std::move(out));
    }
  }

  /// A Unix-domain socket. Whoever connects is on this machine: its address is taken to be 127.0.0.1.
  void read_local_listener(table_reader& table, listener out, const kind_entry* kind) {
    const auto path = resolve(std::string(socket_path(*table.text("address")))).string();
    if (path.size() > longest_socket_path || path.back() == '/')
      report_.add(table.line("address"), "\"" + path + "\" can't be the path of a socket",
                  "give a file name of at most 107 octets with its folders");
    if (table.has("port"))
      report_.add(table.line("port"), "a Unix-domain socket has no port", "remove it");
    (void)table.integer("port", 0, 65'535);
    out.address = at_socket_path(path);
    out.socket_mode = read_mode(table).value_or(out.socket_mode);
    out.plaintext_login = table.boolean("plaintext_login").value_or(false);
    out.proxy_from = read_ranges(table, "proxy_from");
    out.xclient_from = read_ranges(table, "xclient_from");
    table.finish();
    if (!kind)
      return;
    out.kind = kind->kind;
    check_login(table, out, ip_address::parse("127.0.0.1"));
    for (const auto& other : out_.listeners)
      if (other.address == out.address)
        report_.add(table.line("address"),
                    path + " is the socket of the listener in line " + std::to_string(other.line),
                    "give one of them another path");
    out_.listeners.push_back(std::move(out));
  }

  std::optional<unsigned> read_mode(table_reader& table) {
    const auto text = table.text("socket_mode");
    if (!text)
      return std::nullopt;
    const bool octal =
        (text->size() == 3 || text->size() == 4) && text->find_first_not_of("01234567") == std::string::npos;
    if (octal)
      return static_cast<unsigned>(std::stoul(*text, nullptr, 8)) & 0777u;
    report_.add(table.line("socket_mode"), "\"" + *text + "\" is no file mode",
                "write socket_mode = \"0660\" (owner and group), \"0666\" (everybody) or the like");
    return std::nullopt;
  }

  std::vector<address_range> read_ranges(table_reader& table, std::string_view key) {
    std::vector<address_range> out;
    for (const auto& text : table.texts(key)) {
      if (auto range = address_range::parse(text))
        out.push_back(*range);
      else
        report_.add(table.line(key), "\"" + text + "\" in " + std::string(key) + " is no address and no range",
                    "write \"192.0.2.1\", \"192.0.2.0/24\" or \"2001:db8::/32\"");
    }
    return out;
  }

  const kind_entry* read_kind(table_reader& table) {
    auto word = table.text("kind");
    if (!word) {
      if (!table.has("kind"))
        report_.add(table.line(), "[[listener]] has no kind", "add kind = one of " + enumerate(kind_words()));
      return nullptr;
    }
    for (const auto& entry : kinds)
      if (entry.word == *word)
        return &entry;
    auto meant = nearest(ascii::lower(*word), kind_words());
    report_.add(table.line("kind"), "kind \"" + *word + "\" is unknown",
                meant ? "did you mean \"" + *meant + "\"?" : "write " + enumerate(kind_words()));
    return nullptr;
  }

  /// Refuses what would send passwords in clear over a network, and listeners at which nobody could log in.
  void check_login(const table_reader& table, const listener& l, const std::optional<ip_address>& address) {
    auto word = std::string(to_string(l.kind));
    if (implicit_tls(l.kind) && !has_tls_)
      report_.add(l.line, "kind \"" + word + "\" needs TLS, but there is no [tls]",
                  "add [tls] with certificate and key, or remove this listener");
    const bool has_login = l.kind != listener_kind::smtp && l.kind != listener_kind::lmtp;
    if (l.plaintext_login && !has_login)
      report_.add(table.line("plaintext_login"), "plaintext_login at kind \"" + word + "\", where nobody logs in",
                  "remove it");
    else if (l.plaintext_login && implicit_tls(l.kind))
      report_.add(table.line("plaintext_login"), "plaintext_login at kind \"" + word + "\", which always has TLS",
                  "remove it");
    else if (l.plaintext_login && address && !address->is_loopback())
      report_.add(table.line("plaintext_login"),
                  "plaintext_login at " + l.address + " would send passwords in clear over the network",
                  "remove it, or listen on 127.0.0.1 or ::1");
    else if (!l.plaintext_login && !implicit_tls(l.kind) && has_login && !has_tls_)
      report_.add(l.line, "nobody can log in at kind \"" + word + "\": there is no [tls] and plaintext_login is off",
                  "add [tls] with certificate and key");
  }

  /// Two sockets of one port, where the kernel would refuse the second.
  void check_overlap(std::size_t line, const std::string& what, const ip_address& address, std::uint16_t port) {
    if (port == 0)
      return;
    for (const auto& other : bound_) {
      if (other.port != port || other.address.is_v6() != address.is_v6())
        continue;
      if (other.address == address || other.address.is_any() || address.is_any()) {
        report_.add(line,
                    what + " wants port " + std::to_string(port) + " of " + address.to_string() + ", which "
                        + (other.address == address ? "" : other.address.to_string() + " of ") + other.what
                        + " in line " + std::to_string(other.line) + " has already",
                    "give one of them another port");
        return;
      }
    }
    bound_.push_back({address, port, what, line});
  }

  void read_admin() {
    table_reader table(root_.table("admin"), "[admin]", report_);
    out_.admin.enabled = table.boolean("enabled").value_or(true);
    auto address = read_address(table, "[admin]", out_.admin.address);
    if (auto port = table.integer("port", 0, 65'535))
      out_.admin.port = static_cast<std::uint16_t>(*port);
    table.finish();
    if (address && !address->is_loopback())
      report_.add(table.line("address"), "the admin port at " + out_.admin.address + " would be open to the network",
                  "listen on 127.0.0.1 or ::1 and reach it from elsewhere through ssh -L");
    if (out_.admin.enabled)
      if (auto bound = ip_address::parse(out_.admin.address))
        check_overlap(table.line("port"), "admin", *bound, out_.admin.port);
  }

  void read_storage() {
    table_reader table(root_.table("storage"), "[storage]", report_);
    if (auto reserve = table.integer("reserve_bytes", 1'048'576, 1'099'511'627'776))
      out_.storage.reserve_bytes = static_cast<std::uint64_t>(*reserve);
    table.finish();
  }

  void read_log() {
    table_reader table(root_.table("log"), "[log]", report_);
    if (auto level = table.choice("level", {"debug", "info", "warning", "error"}))
      out_.level = static_cast<log_level>(*level);
    table.finish();
  }

  struct bound_socket {
    ip_address address;
    std::uint16_t port;
    std::string what;
    std::size_t line;
  };

  settings out_;
  table_reader root_;
  problem_list& report_;
  bool has_tls_ = false; ///< [tls] is there, if only with mistakes that are reported
  std::vector<bound_socket> bound_;
  std::vector<std::string> sni_names_;
};

/// The first line that begins like a table's header but has no name there.
std::size_t line_of_bad_header(std::string_view text) {
  for (std::size_t line = 1; !text.empty(); ++line) {
    auto content = ascii::trim(text.substr(0, text.find('\n')));
    auto name = content.substr(std::min({content.find_first_not_of('['), content.size(), std::size_t{2}}));
    name = ascii::trim(name.substr(0, std::min(name.size(), std::size_t{256})));
    if (content.starts_with('[')
        && (name.empty()
            || !(ascii::is_alnum(name[0]) || std::string_view("-_\"'").find(name[0]) != std::string_view::npos)))
      return line;
    auto end = text.find('\n');
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return 0;
}

} // namespace

std::string_view to_string(listener_kind kind) noexcept {
  for (const auto& entry : kinds)
    if (entry.kind == kind)
      return entry.word;
  return "unknown";
}

std::optional<listener_kind> listener_kind_named(std::string_view word) noexcept {
  for (const auto& entry : kinds)
    if (entry.word == word)
      return entry.kind;
  return std::nullopt;
}

bool implicit_tls(listener_kind kind) noexcept {
  return kind == listener_kind::submissions || kind == listener_kind::imaps || kind == listener_kind::pop3s;
}

tl::expected<settings, problems> parse(std::string_view text, const std::filesystem::path& file) {
  problem_list report(file.string());
  try {
    auto root = toml::parse(text, std::string_view(file.native()));
    auto out = settings_parser(root, file, report).run();
    if (report.empty())
      return out;
  } catch (const toml::parse_error& e) {
    report.add(e.source().begin.line, "this is no TOML: " + std::string(e.description()),
               "put texts in double quotes, tables in [brackets]; see https://toml.io");
  } catch (const toml_assertion&) {
    report.add(line_of_bad_header(text), "this is no TOML: malformed name of a table", "write [name] or [[name]]");
  }
  return tl::unexpected(report.take());
}

tl::expected<settings, problems> load(const std::filesystem::path& file) {
  auto refuse = [&](std::string what, std::string remedy) {
    return tl::unexpected(problems{{file.string(), 0, std::move(what), std::move(remedy)}});
  };
  std::error_code ec;
  auto status = std::filesystem::status(file, ec);
  if (!std::filesystem::exists(status))
    return refuse("there is no such file", "name the configuration with --config FILE or $MERPATI_CONFIG");
  if (!std::filesystem::is_regular_file(status))
    return refuse("this is no file", "name the configuration file, not its folder");
  std::ifstream in(file, std::ios::binary);
  std::string text(file_max_bytes + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!in.is_open() || in.bad())
    return refuse("the file can't be read", "check its owner and mode; the daemon's user must be able to read it");
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.size() > file_max_bytes)
    return refuse("the file is larger than 1 MiB", "name the configuration with --config FILE");
  return parse(text, file);
}

} // namespace merpati::config
