#include "protocols/imap/reply.hpp"

#include "protocols/imap/response_writer.hpp"

namespace merpati::imap {
namespace {

struct failure_row {
  errc code;
  std::string_view response_code; ///< RFC 5530
  std::string_view text;          ///< told instead of the error's own; empty: the error's own
};

// One row for each errc. What went wrong inside of us is for our log, not for the client.
constexpr failure_row failures[] = {
    {errc::not_found, "NONEXISTENT", ""},
    {errc::already_exists, "ALREADYEXISTS", ""},
    {errc::invalid, "CANNOT", ""},
    {errc::too_big, "TOOBIG", ""}, // RFC 7888 4 and 9051 6.3.12
    {errc::too_many, "LIMIT", ""},
    {errc::over_quota, "OVERQUOTA", "Quota exceeded"},
    {errc::disk_full, "UNAVAILABLE", "No space to store this now, try again later"},
    {errc::unavailable, "UNAVAILABLE", "Not available now, try again later"},
    {errc::in_use, "INUSE", ""},
    {errc::not_permitted, "NOPERM", ""},
    {errc::auth_failed, "AUTHENTICATIONFAILED", "Authentication failed"},
    {errc::corrupted, "CORRUPTION", "Stored data is damaged, the administrator can see where"},
    {errc::shutting_down, "UNAVAILABLE", "Shutting down, try again later"},
    {errc::internal, "SERVERBUG", "Internal error"},
};

void write_status_text(const reply& r, std::string& out) {
  constexpr std::string_view names[] = {"OK", "NO", "BAD"};
  out += names[static_cast<std::size_t>(r.status)];
  out += ' ';
  if (!r.code.empty()) {
    out += '[';
    out += r.code;
    out += "] ";
  }
  auto start = out.size();
  out += r.text.empty() ? std::string_view(r.status == reply_status::ok ? "Completed" : "Failed") : r.text;
  // text is 7-bit and on one line, whatever it was made of (RFC 3501 9)
  for (auto at = start; at < out.size(); ++at)
    if (out[at] < 0x20 || out[at] == 0x7f)
      out[at] = '?';
  out += "\r\n";
}

} // namespace

reply ok(std::string text) {
  return {reply_status::ok, {}, std::move(text)};
}
reply ok_code(std::string code, std::string text) {
  return {reply_status::ok, std::move(code), std::move(text)};
}
reply no(std::string code, std::string text) {
  return {reply_status::no, std::move(code), std::move(text)};
}
reply bad(std::string text) {
  return {reply_status::bad, {}, std::move(text)};
}

reply reply_for(const error& e) {
  for (const auto& row : failures)
    if (row.code == e.code)
      return no(std::string(row.response_code), row.text.empty() ? e.what : std::string(row.text));
  return no("SERVERBUG", "Internal error");
}

reply reply_for_target(const error& e) {
  if (e.code == errc::not_found)
    return no("TRYCREATE", "No such mailbox"); // RFC 9051 6.3.12, 6.4.7
  return reply_for(e);
}

void write_tagged(std::string_view tag, const reply& r, std::string& out) {
  out += tag;
  out += ' ';
  write_status_text(r, out);
}

void write_untagged(const reply& r, std::string& out) {
  write_tagged("*", r, out);
}

void write_bye(std::string_view code, std::string_view text, std::string& out) {
  out += "* BYE ";
  if (!code.empty()) {
    out += '[';
    out += code;
    out += "] ";
  }
  out += text;
  out += "\r\n";
}

std::string append_uid_code(std::uint32_t uid_validity, const sequence_set& ids) {
  std::string code = "APPENDUID ";
  write_number(uid_validity, code);
  code += ' ';
  ids.write(code);
  return code;
}

} // namespace merpati::imap
