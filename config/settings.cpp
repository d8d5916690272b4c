// What settings and problems look like to people.
#include "config/settings.hpp"

#include <algorithm>

#include "base/socket_path.hpp"

namespace merpati::config {

namespace {

std::string padded(std::string text, std::size_t width) {
  if (text.size() < width)
    text.append(width - text.size(), ' ');
  return text;
}

std::string socket_text(const std::string& address, std::uint16_t port) {
  if (is_socket_path(address))
    return address;
  auto host = address.find(':') == std::string::npos ? address : "[" + address + "]";
  return host + ":" + (port == 0 ? "any free port" : std::to_string(port));
}

std::string purpose(const listener& l, bool tls) {
  switch (l.kind) {
  case listener_kind::smtp:
    return tls ? "mail from other servers, STARTTLS offered" : "mail from other servers, no TLS";
  case listener_kind::submission: return "mail from users";
  case listener_kind::lmtp: return "mail from a server in front";
  case listener_kind::submissions: return "mail from users, TLS";
  case listener_kind::imap: return "mailboxes";
  case listener_kind::imaps: return "mailboxes, TLS";
  case listener_kind::pop3: return "maildrops";
  case listener_kind::pop3s: return "maildrops, TLS";
  }
  return {};
}

std::string describe(const listener& l, bool tls) {
  auto out = padded(std::string(to_string(l.kind)), 13) + padded(socket_text(l.address, l.port), 24) + purpose(l, tls);
  if (l.kind != listener_kind::smtp && !implicit_tls(l.kind)) {
    out += tls ? ", STARTTLS" : "";
    out += l.plaintext_login ? ", logins in clear allowed" : "";
  }
  return out + "\n";
}

} // namespace

std::string to_string(const problem& p) {
  return p.file + ":" + (p.line ? std::to_string(p.line) + ":" : "") + " " + p.what + "; " + p.remedy;
}

std::string describe(const settings& s) {
  std::string out;
  out += padded("hostname", 13) + s.hostname + "\n";
  out += padded("data", 13) + s.data_dir.string() + "\n";
  if (!s.tls.enabled())
    out += padded("tls", 13) + "none\n";
  for (const auto& c : s.tls.certificates)
    out += padded("tls", 13) + (c.name.empty() ? "all names" : c.name) + ": " + c.chain.string() + "\n";
  for (const auto& l : s.listeners)
    out += describe(l, s.tls.enabled());
  out += padded("admin", 13) + (s.admin.enabled ? socket_text(s.admin.address, s.admin.port) : "off") + "\n";
  out += padded("messages", 13) + "up to " + std::to_string(s.limits.message_bytes) + " octets\n";
  return out;
}

} // namespace merpati::config
