#include "protocols/smtp/reply.hpp"

#include <algorithm>

namespace merpati::smtp {

namespace {

void write_line(const reply& value, std::string_view text, bool last, std::string& out) {
  out += std::to_string(value.code);
  out += last ? ' ' : '-';
  if (!value.enhanced.empty()) {
    out += value.enhanced;
    out += ' ';
  }
  for (char c : text)
    out += (c >= ' ' && c != '\x7f') || (static_cast<unsigned char>(c) & 0x80u) ? c : '?';
  out += "\r\n";
}

} // namespace

void write_reply(const reply& value, std::string& out) {
  const auto overhead = 3 + 1 + (value.enhanced.empty() ? 0 : value.enhanced.size() + 1) + 2;
  const auto room = reply_line_bytes - std::min(overhead, reply_line_bytes / 2);
  std::string_view left = value.text;
  for (;;) {
    const auto break_at = left.find('\n');
    const bool broken = break_at <= room;
    const auto length = broken ? break_at : std::min(left.size(), room);
    const auto line = left.substr(0, length);
    left.remove_prefix(length + (broken ? 1 : 0));
    const bool last = !broken && left.empty();
    write_line(value, line, last, out);
    if (last)
      return;
  }
}

reply reply_for(errc code) {
  switch (code) {
  case errc::not_found: return replies::unknown_user();
  case errc::invalid: return replies::bad_syntax("Syntax error in parameters");
  case errc::too_big: return replies::message_too_big();
  case errc::too_many: return replies::too_many_recipients();
  case errc::over_quota: return replies::mailbox_over_quota();
  case errc::disk_full: return replies::storage_full();
  case errc::not_permitted: return replies::relay_refused();
  case errc::auth_failed: return replies::bad_credentials();
  case errc::shutting_down: return replies::shutting_down();
  case errc::already_exists:
  case errc::unavailable:
  case errc::in_use:
  case errc::corrupted:
  case errc::internal: break;
  }
  return replies::part_unavailable();
}

namespace replies {
reply storage_full() {
  return {452, "4.3.1", "Insufficient system storage"};
}
reply shutting_down() {
  return {421, "4.3.2", "Service shutting down, closing connection"};
}
reply overloaded() {
  return {421, "4.3.2", "Service too busy, closing connection"};
}
reply part_unavailable() {
  return {451, "4.3.0", "Temporary failure, try again later"};
}
reply network_unavailable() {
  return {451, "4.4.3", "Temporary lookup failure, try again later"};
}
reply idle_timeout() {
  return {421, "4.4.2", "Timeout, closing connection"};
}
reply message_too_big() {
  return {552, "5.3.4", "Message exceeds the size limit"};
}
reply mailbox_over_quota() {
  return {452, "4.2.2", "Mailbox full"};
}
reply too_many_recipients() {
  return {452, "4.5.3", "Too many recipients"};
}
reply bare_newline() {
  return {550, "5.5.2", "Bare CR or LF, lines end with CRLF"};
}
reply illegal_pipelining() {
  return {554, "5.5.0", "Protocol synchronisation error, closing connection"};
}
reply relay_refused() {
  return {550, "5.7.1", "Relaying denied"};
}
reply unknown_user() {
  return {550, "5.1.1", "No such user here"};
}
reply authentication_needed() {
  return {530, "5.7.0", "Authentication required"};
}
reply encryption_needed() {
  return {538, "5.7.11", "Encryption required, use STARTTLS first"};
}
reply bad_credentials() {
  return {535, "5.7.8", "Authentication credentials invalid"};
}
reply credentials_unavailable() {
  return {454, "4.7.0", "Temporary authentication failure"};
}
reply limit_exceeded() {
  return {421, "4.7.0", "Too many errors or connections, closing connection"};
}
reply mail_loop() {
  return {554, "5.4.6", "Mail loop detected"};
}
reply bad_syntax(std::string_view what) {
  return {501, "5.5.4", std::string(what)};
}
reply bad_sender_syntax() {
  return {501, "5.1.7", "Bad sender address syntax"};
}
reply bad_recipient_syntax() {
  return {501, "5.1.3", "Bad recipient address syntax"};
}
reply unknown_command() {
  return {500, "5.5.2", "Command not recognised"};
}
reply line_too_long() {
  return {500, "5.5.2", "Line too long"};
}
reply not_implemented() {
  return {502, "5.5.1", "Command not available here"};
}
reply out_of_order(std::string_view what) {
  return {503, "5.5.1", std::string(what)};
}
reply bad_parameter(std::string_view what) {
  return {555, "5.5.4", std::string(what)};
}
} // namespace replies

} // namespace merpati::smtp
