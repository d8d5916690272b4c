#include "tests/bench/imap_client.hpp"

#include <charconv>

namespace merpati::bench {

namespace {

std::int64_t leading_number(std::string_view text) {
  std::int64_t number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  return parsed.ec == std::errc() && number >= 0 ? number : -1;
}

} // namespace

std::int64_t literal_at_end(std::string_view line) {
  if (!line.ends_with('}'))
    return -1;
  const auto open = line.rfind('{');
  return open == std::string_view::npos ? -1 : leading_number(line.substr(open + 1));
}

std::int64_t number_after(std::string_view line, std::string_view word) {
  const auto at = line.find(word);
  return at == std::string_view::npos ? -1 : leading_number(line.substr(at + word.size()));
}

std::string account_names::address(std::uint64_t number) const {
  auto digits = std::to_string(number);
  digits.insert(0, digits.size() < 4 ? 4 - digits.size() : 0, '0');
  return prefix + digits + '@' + domain;
}

task<void> imap_client::login(std::uint16_t port, const tls_client* tls, std::string user, std::string password) {
  co_await stream_.connect(port, tls);
  const auto greeting = co_await stream_.line();
  if (!greeting.starts_with("* OK"))
    throw load_error("IMAP greeting: " + std::string(greeting));
  co_await command("LOGIN " + user + " " + password);
}

task<void> imap_client::command(std::string text) {
  const auto tag = next_tag();
  const auto sent = tag + " " + text + "\r\n";
  co_await stream_.write(sent);
  while (true) {
    const auto line = co_await stream_.line();
    const auto literal = literal_at_end(line);
    if (line.starts_with(tag + " ")) {
      if (!line.substr(tag.size() + 1).starts_with("OK"))
        throw load_error("IMAP " + text.substr(0, text.find(' ')) + ": " + std::string(line));
      co_return;
    }
    if (literal > 0)
      co_await stream_.skip(static_cast<std::size_t>(literal));
  }
}

task<bool> imap_client::has_capability(std::string name) {
  const auto tag = next_tag();
  const auto sent = tag + " CAPABILITY\r\n";
  co_await stream_.write(sent);
  bool found = false;
  while (true) {
    const auto line = std::string(co_await stream_.line()) + ' ';
    if (line.starts_with("* CAPABILITY "))
      found = line.find(" " + name + " ") != std::string::npos;
    if (line.starts_with(tag + " "))
      co_return found;
  }
}

task<std::uint64_t> imap_client::message_count(std::string mailbox) {
  const auto tag = next_tag();
  const auto sent = tag + " STATUS " + mailbox + " (MESSAGES)\r\n";
  co_await stream_.write(sent);
  std::int64_t count = -1;
  while (true) {
    const auto line = co_await stream_.line();
    if (line.starts_with("* STATUS"))
      count = number_after(line, "MESSAGES ");
    if (!line.starts_with(tag + " "))
      continue;
    if (!line.substr(tag.size() + 1).starts_with("OK") || count < 0)
      throw load_error("IMAP STATUS: " + std::string(line));
    co_return static_cast<std::uint64_t>(count);
  }
}

task<std::uint64_t> imap_client::select(std::string mailbox) {
  const auto tag = next_tag();
  const auto sent = tag + " SELECT " + mailbox + "\r\n";
  co_await stream_.write(sent);
  std::int64_t count = -1;
  while (true) {
    const auto line = co_await stream_.line();
    if (line.starts_with("* ") && line.ends_with(" EXISTS"))
      count = number_after(line, "* ");
    if (!line.starts_with(tag + " "))
      continue;
    if (!line.substr(tag.size() + 1).starts_with("OK") || count < 0)
      throw load_error("IMAP SELECT: " + std::string(line));
    co_return static_cast<std::uint64_t>(count);
  }
}

task<void> imap_client::logout() {
  co_await command("LOGOUT");
  stream_.close();
}

} // namespace merpati::bench
