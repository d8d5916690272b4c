#include "protocols/smtp/srs.hpp"

#include <algorithm>
#include <chrono>
#include <optional>

#include "base/ascii.hpp"
#include "base/crypto.hpp"

namespace merpati::smtp {

namespace {

constexpr std::string_view base32 = "abcdefghijklmnopqrstuvwxyz234567";
constexpr std::size_t tag_characters = 8; // 40 bits: a guess costs an RCPT
constexpr unsigned days_cycle = 1024;     // two characters of base32

unsigned day_number(timestamp now) {
  const auto days = std::chrono::floor<std::chrono::days>(now.time_since_epoch()).count();
  return static_cast<unsigned>(days % days_cycle);
}

std::string day_text(unsigned day) {
  return {base32[day >> 5u & 31u], base32[day & 31u]};
}

std::optional<unsigned> parse_day(std::string_view text) {
  if (text.size() != 2)
    return std::nullopt;
  const auto high = base32.find(ascii::to_lower(text[0]));
  const auto low = base32.find(ascii::to_lower(text[1]));
  if (high == std::string_view::npos || low == std::string_view::npos)
    return std::nullopt;
  return static_cast<unsigned>(high << 5u | low);
}

// Servers on the way may change the case of letters, so it counts for nothing.
std::string tag_of(std::string_view text, std::string_view secret) {
  const auto digest = crypto::hmac_sha256(secret, ascii::lower(text));
  std::string out;
  for (std::size_t i = 0; i != tag_characters; ++i)
    out += base32[digest[i] & 31u];
  return out;
}

bool is_tag_of(std::string_view tag, std::string_view text, std::span<const std::string> secrets) {
  const auto lower = ascii::lower(tag);
  bool known = false;
  for (const auto& secret : secrets)
    known = crypto::equal_constant_time(lower, tag_of(text, secret)) || known;
  return known;
}

// Takes what stands before the next '='.
std::string_view take_word(std::string_view& rest) {
  const auto end = rest.find('=');
  const auto word = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  return word;
}

result<mailbox> checked(mailbox made) {
  if (write_local_part(made.local_part).size() > address_limits::local_part_bytes)
    return fail(errc::too_big, "the rewritten sender would be too long");
  return made;
}

error not_ours() {
  return {errc::invalid, "this is no address that was rewritten here"};
}

} // namespace

bool is_srs(std::string_view local_part) noexcept {
  return ascii::istarts_with(local_part, "SRS0=") || ascii::istarts_with(local_part, "SRS1=");
}

result<mailbox> srs_forward(const mailbox& sender, std::string_view domain, std::string_view secret, timestamp now) {
  if (sender.is_bare_postmaster() || sender.is_address_literal())
    return fail(errc::invalid, "a sender without a domain name can't be rewritten");
  const auto& local = sender.local_part;
  if (ascii::istarts_with(local, "SRS1=")) {
    // The address of the first forwarder, behind the second one's tag, stays.
    std::string_view rest = std::string_view(local).substr(5);
    take_word(rest);
    const auto first = std::string(rest);
    return checked({"SRS1=" + tag_of(first, secret) + '=' + first, std::string(domain)});
  }
  if (ascii::istarts_with(local, "SRS0=")) {
    const auto first = sender.domain + "==" + local.substr(5);
    return checked({"SRS1=" + tag_of(first, secret) + '=' + first, std::string(domain)});
  }
  const auto whole = day_text(day_number(now)) + '=' + sender.domain + '=' + local;
  return checked({"SRS0=" + tag_of(whole, secret) + '=' + whole, std::string(domain)});
}

result<mailbox> srs_reverse(std::string_view local_part, std::span<const std::string> secrets, timestamp now) {
  if (!is_srs(local_part))
    return tl::make_unexpected(not_ours());
  const bool second = local_part[3] == '1';
  auto rest = local_part.substr(5);
  const auto tag = take_word(rest);
  if (!is_tag_of(tag, rest, secrets))
    return tl::make_unexpected(not_ours());
  if (second) { // to the first forwarder, who checks its own tag and time
    const auto domain = take_word(rest);
    if (!rest.starts_with('='))
      return tl::make_unexpected(not_ours());
    return mailbox{"SRS0=" + std::string(rest.substr(1)), std::string(domain)};
  }
  const auto day = parse_day(take_word(rest));
  if (!day)
    return tl::make_unexpected(not_ours());
  const auto age = (day_number(now) + days_cycle - *day) % days_cycle;
  if (age > static_cast<unsigned>(srs_valid_days))
    return fail(errc::not_permitted, "the rewritten address is too old");
  const auto domain = take_word(rest);
  return mailbox{std::string(rest), std::string(domain)};
}

} // namespace merpati::smtp
