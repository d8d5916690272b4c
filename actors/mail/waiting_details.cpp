#include "actors/mail/waiting_details.hpp"

#include <array>
#include <chrono>
#include <optional>

#include "actors/mail/setting_lines.hpp"
#include "base/ascii.hpp"

namespace merpati::mail {

namespace {

std::optional<std::int64_t> parse_signed(std::string_view text) {
  const bool negative = text.starts_with('-');
  const auto value = ascii::parse_number<std::uint64_t>(text.substr(negative ? 1 : 0));
  if (!value || *value > INT64_MAX)
    return std::nullopt;
  const auto number = static_cast<std::int64_t>(*value);
  return negative ? -number : number;
}

constexpr std::array<std::string_view, 3> body_words{"7bit", "8bit", "binary"};

bool take_sender(waiting_details& d, std::string_view value) {
  auto path = smtp::parse_reverse_path(value, {.utf8 = true});
  if (!path || !path->rest.empty())
    return false;
  d.sender = std::move(path->path);
  return true;
}

bool take_recipient(waiting_details& d, std::string_view value) {
  auto path = smtp::parse_forward_path(value, {.utf8 = true});
  if (!path || !path->rest.empty())
    return false;
  d.recipient.address = std::move(path->path);
  return true;
}

bool take_original(waiting_details& d, std::string_view value) {
  const auto semicolon = value.find(';');
  auto address = smtp::decode_xtext(value.substr(std::min(semicolon, value.size() - 1) + 1));
  if (semicolon == std::string_view::npos || !address)
    return false;
  d.recipient.parameters.original_type = value.substr(0, semicolon);
  d.recipient.parameters.original_recipient = std::move(*address);
  return true;
}

bool take_number(waiting_details& d, std::string_view key, std::string_view value) {
  const auto number = parse_signed(value);
  if (!number)
    return false;
  if (key == "accepted")
    d.accepted = from_micros(*number);
  else if (key == "notify" && *number >= 0 && *number <= 15)
    d.recipient.parameters.notify = static_cast<std::uint8_t>(*number);
  else if (key == "attempts" && *number >= 0 && *number <= UINT32_MAX)
    d.progress.attempts = static_cast<std::uint32_t>(*number);
  else if (key == "released")
    d.released = from_micros(*number);
  else if (key == "last-attempt")
    d.progress.last_attempt = from_micros(*number);
  else if (key == "priority" && *number >= -9 && *number <= 9)
    d.mail.priority = static_cast<int>(*number);
  else
    return false;
  return true;
}

bool take_deliver_by(waiting_details& d, std::string_view value) {
  const auto semicolon = value.find(';');
  const auto seconds = parse_signed(value.substr(0, semicolon));
  if (!seconds || semicolon == std::string_view::npos)
    return false;
  const auto mode = value.substr(semicolon + 1);
  smtp::deliver_by by;
  by.within = std::chrono::seconds(*seconds);
  by.return_late = mode.starts_with('R');
  by.trace = mode.ends_with('T');
  d.mail.deliver = by;
  return true;
}

bool take_flag(waiting_details& d, std::string_view key) {
  if (key == "utf8")
    d.mail.utf8 = true;
  else if (key == "held")
    d.progress.held = true;
  else if (key == "given-up")
    d.progress.given_up = true;
  else if (key == "delay-told")
    d.progress.delay_told = true;
  else if (key == "require-tls")
    d.mail.require_tls = true;
  else
    return false;
  return true;
}

void put_progress(std::string& out, const delivery_progress& p) {
  if (p.attempts != 0)
    put_line(out, "attempts", std::to_string(p.attempts));
  if (p.last_attempt)
    put_line(out, "last-attempt", std::to_string(to_micros(*p.last_attempt)));
  if (!p.status.empty())
    put_line(out, "status", p.status);
  if (!p.remote.empty())
    put_line(out, "remote", p.remote);
  if (!p.outcome.empty())
    put_line(out, "outcome", p.outcome);
  if (!p.encryption.empty())
    put_line(out, "encryption", p.encryption);
  if (p.held)
    out += "held\n";
  if (p.given_up)
    out += "given-up\n";
  if (p.delay_told)
    out += "delay-told\n";
}

bool take(waiting_details& d, std::string_view key, std::string_view value) {
  if (key == "message")
    d.message = value;
  else if (key == "status")
    d.progress.status = value;
  else if (key == "remote")
    d.progress.remote = value;
  else if (key == "outcome")
    d.progress.outcome = value;
  else if (key == "encryption")
    d.progress.encryption = value;
  else if (key == "from")
    return take_sender(d, value);
  else if (key == "to")
    return take_recipient(d, value);
  else if (key == "original")
    return take_original(d, value);
  else if (key == "return")
    d.mail.returned = value == "full" ? smtp::returned_part::full : smtp::returned_part::headers;
  else if (key == "envelope-id") {
    auto decoded = smtp::decode_xtext(value);
    d.mail.envelope_id = decoded ? std::move(*decoded) : std::string();
    return decoded.has_value();
  } else if (key == "body") {
    for (std::size_t i = 0; i != body_words.size(); ++i)
      if (body_words[i] == value) {
        d.mail.body = static_cast<smtp::body_type>(i);
        return true;
      }
    return false;
  } else if (key == "by")
    return take_deliver_by(d, value);
  else
    return value.empty() ? take_flag(d, key) : take_number(d, key, value);
  return true;
}

} // namespace

result<std::string> destination_of(const smtp::mailbox& recipient) {
  return smtp::canonical_domain(recipient.domain);
}

std::string write_details(const waiting_details& d) {
  std::string out;
  put_line(out, "message", d.message);
  put_line(out, "accepted", std::to_string(to_micros(d.accepted)));
  if (d.released)
    put_line(out, "released", std::to_string(to_micros(*d.released)));
  put_line(out, "from", smtp::write_path(d.sender));
  put_line(out, "to", smtp::write_path(d.recipient.address));
  const auto& rcpt = d.recipient.parameters;
  if (rcpt.notify != 0)
    put_line(out, "notify", std::to_string(rcpt.notify));
  if (!rcpt.original_type.empty())
    put_line(out, "original", rcpt.original_type + ';' + smtp::encode_xtext(rcpt.original_recipient));
  if (d.mail.body != smtp::body_type::seven_bit)
    put_line(out, "body", body_words[static_cast<std::size_t>(d.mail.body)]);
  if (d.mail.utf8)
    out += "utf8\n";
  if (d.mail.returned)
    put_line(out, "return", *d.mail.returned == smtp::returned_part::full ? "full" : "headers");
  if (!d.mail.envelope_id.empty())
    put_line(out, "envelope-id", smtp::encode_xtext(d.mail.envelope_id));
  if (d.mail.require_tls)
    out += "require-tls\n";
  if (d.mail.priority)
    put_line(out, "priority", std::to_string(*d.mail.priority));
  if (d.mail.deliver)
    put_line(out, "by",
             std::to_string(d.mail.deliver->within.count()) + ';' + (d.mail.deliver->return_late ? "R" : "N")
                 + (d.mail.deliver->trace ? "T" : ""));
  put_progress(out, d.progress);
  return out;
}

result<waiting_details> read_details(std::string_view text) {
  waiting_details out;
  line_walker lines(text);
  bool good = true;
  while (good && lines.next())
    good = take(out, lines.key, lines.value);
  if (!good || !lines.at_end())
    return fail(errc::corrupted, "the details of a recipient that waits can't be read");
  return out;
}

} // namespace merpati::mail
