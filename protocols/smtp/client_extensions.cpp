#include "protocols/smtp/client_extensions.hpp"

#include <algorithm>

#include "base/ascii.hpp"

namespace merpati::smtp {

namespace {

std::uint64_t number_in(std::string_view word) {
  return ascii::parse_number<std::uint64_t>(word).value_or(0);
}

void read_limits(std::string_view rest, client_extensions& out) { // RFC 9422 4
  while (!rest.empty()) {
    const auto word = rest.substr(0, rest.find(' '));
    rest.remove_prefix(std::min(word.size() + 1, rest.size()));
    if (ascii::istarts_with(word, "RCPTMAX="))
      out.recipients_limit = static_cast<std::size_t>(std::min<std::uint64_t>(number_in(word.substr(8)), SIZE_MAX));
    else if (ascii::istarts_with(word, "MAILMAX="))
      out.messages_limit = static_cast<std::size_t>(std::min<std::uint64_t>(number_in(word.substr(8)), SIZE_MAX));
  }
}

void read_mechanisms(std::string_view rest, client_extensions& out) {
  while (!rest.empty()) {
    const auto word = rest.substr(0, rest.find(' '));
    rest.remove_prefix(std::min(word.size() + 1, rest.size()));
    out.auth_plain = out.auth_plain || ascii::iequals(word, "PLAIN");
    out.auth_login = out.auth_login || ascii::iequals(word, "LOGIN");
  }
}

} // namespace

client_extensions read_extensions(const client_reply& reply) {
  client_extensions out;
  struct flag {
    std::string_view keyword;
    bool client_extensions::*member;
  };
  static constexpr flag flags[] = {
      {"PIPELINING", &client_extensions::pipelining},  {"8BITMIME", &client_extensions::eight_bit_mime},
      {"SMTPUTF8", &client_extensions::smtputf8},      {"CHUNKING", &client_extensions::chunking},
      {"BINARYMIME", &client_extensions::binary_mime}, {"DSN", &client_extensions::dsn},
      {"STARTTLS", &client_extensions::starttls},      {"REQUIRETLS", &client_extensions::require_tls},
      {"MT-PRIORITY", &client_extensions::priority},   {"SIZE", &client_extensions::size},
  };
  for (std::size_t i = 1; i < reply.lines.size(); ++i) {
    const std::string_view line = reply.lines[i];
    const auto keyword = line.substr(0, line.find(' '));
    const auto rest = line.substr(std::min(keyword.size() + 1, line.size()));
    for (const auto& each : flags)
      if (ascii::iequals(each.keyword, keyword))
        out.*each.member = true;
    if (ascii::iequals(keyword, "SIZE"))
      out.size_limit = number_in(rest.substr(0, rest.find(' ')));
    else if (ascii::iequals(keyword, "LIMITS"))
      read_limits(rest, out);
    else if (ascii::iequals(keyword, "AUTH"))
      read_mechanisms(rest, out);
  }
  return out;
}

} // namespace merpati::smtp
