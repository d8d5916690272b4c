#include "protocols/smtp/trace_writer.hpp"

#include <array>

#include "base/ascii.hpp"
#include "protocols/smtp/command_arguments.hpp"
#include "protocols/text/utf8.hpp"

namespace merpati::smtp {

namespace {

constexpr std::size_t column_limit = 78; // RFC 5322 2.1.1

/// A header field that grows word by word and is folded where it gets too wide.
class folded_field {
public:
  explicit folded_field(std::string_view name) : out_(name), column_(name.size()) {}

  void add(std::string_view words) {
    if (column_ + 1 + words.size() > column_limit && column_ > indent_) {
      out_ += "\r\n\t";
      column_ = indent_;
    } else {
      out_ += ' ';
      ++column_;
    }
    out_ += words;
    column_ += words.size();
  }
  void add_to_last(std::string_view text) {
    out_ += text;
    column_ += text.size();
  }
  std::string finish() { return out_ + "\r\n"; }

private:
  static constexpr std::size_t indent_ = 8; // a tab, as it is mostly shown
  std::string out_;
  std::size_t column_;
};

std::string literal(std::string_view address) {
  return (address.find(':') == std::string_view::npos ? "[" : "[IPv6:") + std::string(address) + "]";
}

// What may stand in a comment: anything that can neither end it nor fold it.
std::string comment_text(std::string_view text) {
  std::string out;
  for (char c : text)
    out += c > ' ' && c <= '~' && c != '(' && c != ')' && c != '\\' ? c : '_';
  return out;
}

void append_number(std::string& out, long long value, std::size_t width) {
  const auto digits = std::to_string(value);
  out.append(width > digits.size() ? width - digits.size() : 0, '0');
  out += digits;
}

} // namespace

std::string with_protocol(const trace_info& info) {
  std::string name = info.utf8 ? "UTF8SMTP" : info.extended || info.tls || info.authenticated ? "ESMTP" : "SMTP";
  if (info.lmtp)
    name = info.utf8 ? "UTF8LMTP" : "LMTP";
  if (info.tls)
    name += 'S';
  if (info.authenticated)
    name += 'A';
  return name;
}

std::string write_internet_time(timestamp when) {
  using namespace std::chrono;
  const auto day = floor<std::chrono::days>(when);
  const year_month_day date(day);
  const hh_mm_ss time(floor<seconds>(when) - day);
  std::string out;
  append_number(out, static_cast<int>(date.year()), 4);
  out += '-';
  append_number(out, static_cast<unsigned>(date.month()), 2);
  out += '-';
  append_number(out, static_cast<unsigned>(date.day()), 2);
  out += 'T';
  append_number(out, time.hours().count(), 2);
  out += ':';
  append_number(out, time.minutes().count(), 2);
  out += ':';
  append_number(out, time.seconds().count(), 2);
  return out + 'Z';
}

std::string write_date(timestamp when, std::chrono::minutes utc_offset) {
  using namespace std::chrono;
  constexpr std::array<std::string_view, 7> days{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr std::array<std::string_view, 12> months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                    "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const auto local = floor<seconds>(when) + utc_offset;
  const auto day = floor<std::chrono::days>(local);
  const year_month_day date(day);
  const hh_mm_ss time(local - day);
  std::string out(days[weekday(day).c_encoding()]);
  out += ", ";
  append_number(out, static_cast<unsigned>(date.day()), 1);
  out += ' ';
  out += months[static_cast<unsigned>(date.month()) - 1];
  out += ' ';
  append_number(out, static_cast<int>(date.year()), 4);
  out += ' ';
  append_number(out, time.hours().count(), 2);
  out += ':';
  append_number(out, time.minutes().count(), 2);
  out += ':';
  append_number(out, time.seconds().count(), 2);
  out += utc_offset < minutes{0} ? " -" : " +";
  const auto offset = abs(utc_offset).count();
  append_number(out, offset / 60 * 100 + offset % 60, 4);
  return out;
}

std::string write_received(const trace_info& info) {
  folded_field field("Received:");
  field.add("from " + (is_acceptable_helo(info.helo) ? info.helo : "unknown"));
  const auto name = info.remote_name.empty() ? std::string() : comment_text(info.remote_name) + ' ';
  field.add('(' + name + literal(info.remote_address) + ')');
  field.add("by " + info.by);
  field.add("with " + with_protocol(info));
  if (info.tls && !info.tls_version.empty())
    field.add('(' + comment_text(info.tls_version) + ' ' + comment_text(info.tls_cipher) + ')');
  field.add("id " + info.id);
  if (info.recipient) {
    const auto path = write_path(*info.recipient);
    if (info.utf8 || text::is_ascii(path))
      field.add("for " + path);
  }
  field.add_to_last(";");
  field.add(write_date(info.when, info.utc_offset));
  return field.finish();
}

std::string write_return_path(const reverse_path& sender) {
  return "Return-Path: " + write_path(sender) + "\r\n";
}

} // namespace merpati::smtp
