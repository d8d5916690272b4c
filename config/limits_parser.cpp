#include "config/limits_parser.hpp"

#include <span>
#include <variant>

namespace merpati::config {

namespace {

constexpr std::int64_t kib = 1'024;
constexpr std::int64_t mib = 1'024 * kib;
constexpr std::int64_t gib = 1'024 * mib;
constexpr std::int64_t day = 86'400;

template <class T>
struct field {
  std::string_view key;
  std::variant<std::uint64_t T::*, std::chrono::seconds T::*> member;
  std::int64_t least;
  std::int64_t most;
};

// The lower bounds are what the protocols require of every server; the upper ones keep a slip of the finger from
// handing all memory to one stranger.
constexpr field<limits> general_fields[] = {
    {"message_bytes", &limits::message_bytes, 64 * kib, 2 * gib}, // RFC 5321 4.5.3.1.7: at least 64 KB
    {"message_in_memory_bytes", &limits::message_in_memory_bytes, 16 * kib, 64 * mib},
    {"connections", &limits::connections, 10, 1'000'000},
    {"connections_per_address", &limits::connections_per_address, 1, 1'000'000},
};
constexpr field<smtp_limits> smtp_fields[] = {
    {"recipients", &smtp_limits::recipients, 100, 100'000},  // RFC 5321 4.5.3.1.8
    {"line_bytes", &smtp_limits::line_bytes, 512, 64 * kib}, // RFC 5321 4.5.3.1.4
    {"errors", &smtp_limits::errors, 1, 10'000},
    {"hops", &smtp_limits::hops, 10, 1'000},
    {"data_octets_per_second", &smtp_limits::data_octets_per_second, 0, mib},
    {"idle_seconds", &smtp_limits::idle, 10, day},
};
constexpr field<imap_limits> imap_fields[] = {
    {"line_before_login_bytes", &imap_limits::line_before_login_bytes, kib, mib},
    {"line_bytes", &imap_limits::line_bytes, 8 * kib, 64 * mib}, // RFC 7162 4: 8192 octets at least
    {"bad_commands_before_login", &imap_limits::bad_commands_before_login, 1, 1'000},
    {"bad_commands", &imap_limits::bad_commands, 1, 10'000},
    {"idle_seconds", &imap_limits::idle, 60, 7 * day},
    {"idle_before_login_seconds", &imap_limits::idle_before_login, 5, day},
    {"mailbox_name_bytes", &imap_limits::mailbox_name_bytes, 64, 4 * kib},
    {"mailbox_levels", &imap_limits::mailbox_levels, 2, 256},
};
constexpr field<pop3_limits> pop3_fields[] = {
    {"line_bytes", &pop3_limits::line_bytes, 255, 64 * kib}, // RFC 2449 4
    {"errors", &pop3_limits::errors, 1, 10'000},
    {"idle_seconds", &pop3_limits::idle, 10, day},
    {"messages", &pop3_limits::messages, 100, 10'000'000},
};
constexpr field<mime_limits> mime_fields[] = {
    {"depth", &mime_limits::depth, 8, 1'000},
    {"parts", &mime_limits::parts, 16, 1'000'000},
    {"header_bytes", &mime_limits::header_bytes, 64 * kib, gib},
    {"parameters", &mime_limits::parameters, 8, 10'000},
};
constexpr field<login_limits> login_fields[] = {
    {"failures_per_minute", &login_limits::failures_per_minute, 1, 100'000},
    {"longest_delay_seconds", &login_limits::longest_delay, 1, 600},
    {"hashing_threads", &login_limits::hashing_threads, 1, 256},
    {"queue", &login_limits::queue, 1, 100'000},
    {"remembered_seconds", &login_limits::remembered, 0, 3'600},
};

template <class T>
void read(table_reader& reader, std::span<const field<T>> fields, T& into) {
  for (const auto& f : fields) {
    auto value = reader.integer(f.key, f.least, f.most);
    if (!value)
      continue;
    if (const auto* count = std::get_if<std::uint64_t T::*>(&f.member))
      into.*(*count) = static_cast<std::uint64_t>(*value);
    else
      into.*(std::get<std::chrono::seconds T::*>(f.member)) = std::chrono::seconds(*value);
  }
}

template <class T>
void read_part(table_reader& parent, std::string_view key, std::span<const field<T>> fields, T& into,
               problem_list& report) {
  table_reader reader(parent.table(key), "[limits." + std::string(key) + "]", report);
  read(reader, fields, into);
  reader.finish();
}

} // namespace

void read_limits(const toml::table* table, limits& into, problem_list& report) {
  table_reader reader(table, "[limits]", report);
  read<limits>(reader, general_fields, into);
  read_part<smtp_limits>(reader, "smtp", smtp_fields, into.smtp, report);
  read_part<imap_limits>(reader, "imap", imap_fields, into.imap, report);
  read_part<pop3_limits>(reader, "pop3", pop3_fields, into.pop3, report);
  read_part<mime_limits>(reader, "mime", mime_fields, into.mime, report);
  read_part<login_limits>(reader, "login", login_fields, into.login, report);
  reader.finish();
}

} // namespace merpati::config
