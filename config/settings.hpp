// The configuration as typed, immutable values, and the reader that makes them from a TOML file. Reading reports all
// errors at once, each with its line and a remedy.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tl/expected.hpp>

#include "base/address_range.hpp"
#include "config/delivery_settings.hpp"
#include "config/limits.hpp"
#include "config/policy_settings.hpp"

namespace merpati::config {

enum class listener_kind : std::uint8_t { smtp, submission, submissions, lmtp, imap, imaps, pop3, pop3s };

/// The word of the configuration file: "smtp", "submission", ...
std::string_view to_string(listener_kind kind) noexcept;
/// The kind of that word; nothing for another one.
std::optional<listener_kind> listener_kind_named(std::string_view word) noexcept;
/// TLS from the first octet (RFC 8314 3): submissions, imaps, pop3s.
bool implicit_tls(listener_kind kind) noexcept;

struct listener {
  listener_kind kind = listener_kind::smtp;
  std::string address;          ///< numeric IPv4 or IPv6, without brackets; "unix:" and the absolute path of a socket
  std::uint16_t port = 0;       ///< 0: any free port
  bool plaintext_login = false; ///< LOGIN and AUTH without TLS; on loopback addresses only
  /// From these addresses a PROXY header comes first (proxies, load balancers); from others none is looked for.
  std::vector<address_range> proxy_from;
  std::vector<address_range> xclient_from; ///< these may say XCLIENT: filters in front; kinds smtp and submission
  unsigned socket_mode = 0660;             ///< of a Unix-domain socket: who may connect
  std::size_t line = 0;                    ///< where it is in the file
  bool operator==(const listener&) const = default;
};

/// A certificate chain and its key, both PEM, absolute paths.
struct certificate {
  std::string name; ///< server name it is for (SNI), lower case; empty: for all others
  std::filesystem::path chain;
  std::filesystem::path key;
  std::size_t line = 0;
};

struct tls_settings {
  std::vector<certificate> certificates; ///< empty: no TLS. Else the first is the one for all names, the rest are SNI
  bool enabled() const noexcept { return !certificates.empty(); }
};

struct admin_settings {
  std::string address = "127.0.0.1";
  std::uint16_t port = 0; ///< 0: any free port
  bool enabled = true;    ///< false: no admin port; `merpati user` then needs the daemon stopped
};

struct storage_settings {
  std::uint64_t reserve_bytes = 67'108'864; ///< free disk space below which new mail waits outside (452)
};

/// What becomes of a CR or LF inside a message that is not part of a CRLF.
enum class bare_newlines : std::uint8_t { refuse, normalise };

/// Addresses beyond its own that an account may send under.
struct delegation {
  std::string account;
  std::vector<std::string> addresses; ///< as written; "@example.org" is the whole domain
  std::size_t line = 0;
  bool operator==(const delegation&) const = default;
};

struct smtp_settings {
  std::string detail_separators = "+"; ///< "alice+books@" is alice's; empty: no details
  config::bare_newlines newlines = config::bare_newlines::refuse;
  std::vector<delegation> delegations;
};

/// Where a filter listens: `path` of a Unix-domain socket, or a numeric `address` and `port`.
struct milter_socket {
  std::string path;
  std::string address;
  std::uint16_t port = 0;
  bool operator==(const milter_socket&) const = default;
};

/// A filter that is asked about mail which comes in, in the order of the file.
struct milter {
  std::string name; ///< for logs; as the socket when it is not set
  milter_socket socket;
  bool accept_when_down = false; ///< true: mail passes unfiltered; false: it is asked to come later
  std::chrono::seconds connect_timeout{30};
  std::chrono::seconds command_timeout{30};
  std::chrono::seconds content_timeout{300};
  std::vector<listener_kind> listeners{listener_kind::smtp, listener_kind::submission, listener_kind::submissions};
  std::size_t line = 0;
};

enum class log_level : std::uint8_t { debug, info, warning, error };

struct settings {
  std::filesystem::path file;     ///< absolute
  std::string hostname;           ///< what greetings and trace fields say; lower case
  std::filesystem::path data_dir; ///< absolute
  tls_settings tls;
  std::vector<listener> listeners; ///< at least one
  std::vector<milter> milters;     ///< in the order in which they are asked
  admin_settings admin;
  storage_settings storage;
  smtp_settings smtp;
  delivery_settings delivery;
  policy_settings policy;
  resolver_settings resolver;
  config::limits limits;
  log_level level = log_level::info;
};

/// One thing that is wrong in a configuration.
struct problem {
  std::string file;
  std::size_t line = 0; ///< from 1; 0: the file as a whole
  std::string what;     ///< what is wrong
  std::string remedy;   ///< what to do about it
  bool operator==(const problem&) const = default;
};

/// "file:line: what; remedy"
std::string to_string(const problem& p);

using problems = std::vector<problem>;

/// Reads `file`, and the password files that its routes name.
tl::expected<settings, problems> load(const std::filesystem::path& file);

/// Reads `text` as the content of `file`, against whose folder relative paths are taken. Of other files
/// it reads the password files of routes alone.
tl::expected<settings, problems> parse(std::string_view text, const std::filesystem::path& file);

/// What the files that `s` names get wrong: certificates and keys that are missing, unreadable or no PEM, keys that
/// everybody may read, a data folder that can't be one.
problems check_files(const settings& s);

/// A few lines for people: who listens where, with what certificates, where the data is.
std::string describe(const settings& s);

} // namespace merpati::config
