#include "protocols/smtp/delivery_report.hpp"

#include <algorithm>

#include "protocols/smtp/trace_writer.hpp"
#include "protocols/text/utf8.hpp"

namespace merpati::smtp {

namespace {

/// RFC 5322 2.1.1 allows 998; a status field that is longer is cut.
constexpr std::size_t field_bytes = 900;

std::string_view action_of(report_kind kind) {
  switch (kind) {
  case report_kind::failed: return "failed";
  case report_kind::delayed: return "delayed";
  case report_kind::delivered: return "delivered";
  case report_kind::relayed: return "relayed";
  }
  return "failed";
}

std::string_view subject_of(report_kind kind) {
  switch (kind) {
  case report_kind::failed: return "Your message could not be delivered";
  case report_kind::delayed: return "Your message is delayed, and will be tried again";
  case report_kind::delivered: return "Your message was delivered";
  case report_kind::relayed: return "Your message was passed on to a server that sends no reports";
  }
  return {};
}

/// One line of printable octets: nothing that others said adds fields or parts.
std::string plain(std::string_view text) {
  std::string out(text.substr(0, field_bytes));
  const bool utf8 = text::is_utf8(out);
  std::replace_if(
      out.begin(), out.end(),
      [&](char c) {
        const auto octet = static_cast<unsigned char>(c);
        return octet < 0x20 || octet == 0x7f || (octet >= 0x80 && !utf8);
      },
      ' ');
  return out;
}

void put(std::string& out, std::string_view text) {
  out.append(text) += "\r\n";
}

void put_field(std::string& out, std::string_view name, std::string_view value) {
  out.append(name) += ": ";
  put(out, plain(value));
}

std::string explanation(const delivery_report& r) {
  std::string out;
  put(out, "This is the mail server " + r.hostname + ".");
  put(out, "");
  switch (r.kind) {
  case report_kind::failed:
    put(out, "Your message could not be delivered to the recipients below, and will not be tried");
    put(out, "again. What was said about each of them may tell what to change.");
    break;
  case report_kind::delayed:
    put(out, "Your message could not be delivered to the recipients below yet. There is nothing to");
    put(out, "do: it will be tried again, and you will be told if that does not succeed.");
    break;
  case report_kind::delivered: put(out, "Your message was delivered to the recipients below."); break;
  case report_kind::relayed:
    put(out, "Your message was passed on for the recipients below. The next server tells nobody");
    put(out, "whether it reached them.");
    break;
  }
  for (const auto& each : r.recipients) {
    put(out, "");
    put(out, write_path(each.who.address));
    if (!each.outcome.empty())
      put(out, "    " + plain(each.remote.empty() ? each.outcome : each.remote + " said: " + each.outcome));
    if (each.retry_until)
      put(out, "    It will be tried until " + write_date(*each.retry_until) + ".");
  }
  return out;
}

std::string address_field(std::string_view address) {
  return (text::is_ascii(address) ? "rfc822; " : "utf-8; ") + std::string(address); // RFC 6533 3
}

std::string status_part(const delivery_report& r) {
  std::string out;
  put_field(out, "Reporting-MTA", "dns; " + r.hostname);
  if (!r.parameters.envelope_id.empty())
    put_field(out, "Original-Envelope-Id", r.parameters.envelope_id);
  put_field(out, "Arrival-Date", write_date(r.accepted));
  for (const auto& each : r.recipients) {
    put(out, "");
    const auto& parameters = each.who.parameters;
    if (!parameters.original_type.empty())
      put_field(out, "Original-Recipient", parameters.original_type + "; " + parameters.original_recipient);
    put_field(out, "Final-Recipient", address_field(write_mailbox(each.who.address)));
    put_field(out, "Action", action_of(r.kind));
    put_field(out, "Status", each.status);
    if (!each.remote.empty()) {
      put_field(out, "Remote-MTA", "dns; " + each.remote.substr(0, each.remote.find(' ')));
      put_field(out, "Diagnostic-Code", "smtp; " + each.outcome);
    } else if (!each.outcome.empty() && r.kind != report_kind::delivered) {
      put_field(out, "Diagnostic-Code", "x-merpati; " + each.outcome);
    }
    if (each.last_attempt)
      put_field(out, "Last-Attempt-Date", write_date(*each.last_attempt));
    if (each.retry_until)
      put_field(out, "Will-Retry-Until", write_date(*each.retry_until));
  }
  return out;
}

void begin_part(std::string& out, const std::string& boundary, std::string_view type, bool ascii) {
  out.append("--").append(boundary).append("\r\nContent-Type: ").append(type);
  out.append("\r\nContent-Transfer-Encoding: ").append(ascii ? "7bit" : "8bit").append("\r\n\r\n");
}

/// A boundary that no line of `texts` begins with.
std::string boundary_for(const std::string& id, std::initializer_list<std::string_view> texts) {
  auto boundary = "=_report_" + id;
  for (;;) {
    const auto line = "--" + boundary;
    if (std::none_of(texts.begin(), texts.end(),
                     [&](std::string_view t) { return t.find(line) != std::string_view::npos; }))
      return boundary;
    boundary += '_';
  }
}

} // namespace

bool wants_report(report_kind kind, const reverse_path& sender, const rcpt_parameters& recipient) noexcept {
  if (!sender || (recipient.notify & notify_never) != 0)
    return false;
  const auto wishes = recipient.notify != 0 ? recipient.notify : notify_failure | notify_delay;
  switch (kind) {
  case report_kind::failed: return (wishes & notify_failure) != 0;
  case report_kind::delayed: return (wishes & notify_delay) != 0;
  case report_kind::delivered:
  case report_kind::relayed: return (wishes & notify_success) != 0;
  }
  return false;
}

std::string write_report(const delivery_report& r) {
  const auto human = explanation(r);
  const auto status = status_part(r);
  const auto boundary = boundary_for(r.id, {human, status, r.original});
  const bool status_ascii = text::is_ascii(status);
  const bool original_ascii = text::is_ascii(r.original);

  std::string out;
  out.reserve(human.size() + status.size() + r.original.size() + 2048);
  put(out, "From: Mail Delivery System <MAILER-DAEMON@" + r.hostname + ">");
  put(out, "To: " + write_path(r.to));
  put(out, "Subject: " + std::string(subject_of(r.kind)));
  put(out, "Date: " + write_date(r.now));
  put(out, "Message-ID: <" + r.id + "@" + r.hostname + ">");
  put(out, "Auto-Submitted: auto-replied"); // RFC 3834 5
  put(out, "MIME-Version: 1.0");
  put(out, "Content-Type: multipart/report; report-type=delivery-status;");
  put(out, "\tboundary=\"" + boundary + "\"");
  if (!status_ascii || !original_ascii || !text::is_ascii(human))
    put(out, "Content-Transfer-Encoding: 8bit");
  put(out, "");
  begin_part(out, boundary, "text/plain; charset=utf-8", text::is_ascii(human));
  put(out, human);
  // RFC 6533 4: the forms for addresses and headers that are not ASCII.
  begin_part(out, boundary, status_ascii ? "message/delivery-status" : "message/global-delivery-status", status_ascii);
  put(out, status);
  const auto original_type = r.whole ? (original_ascii ? "message/rfc822" : "message/global")
                                     : (original_ascii ? "text/rfc822-headers" : "message/global-headers");
  begin_part(out, boundary, original_type, original_ascii);
  put(out, r.original);
  put(out, "--" + boundary + "--");
  return out;
}

} // namespace merpati::smtp
