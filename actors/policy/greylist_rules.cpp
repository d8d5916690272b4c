#include "actors/policy/greylist_rules.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/address_range.hpp"
#include "base/ascii.hpp"
#include "base/crypto.hpp"

namespace merpati::policy {

namespace {

constexpr std::size_t key_octets = 16;           // of the digest: no two triplets share one by chance
constexpr std::size_t longest_network_text = 64; // an IPv6 network has at most 45 + 4

/// A digest of fixed size, so that long addresses cost no more memory and the saved file names nobody.
std::string triplet_key(const std::string& network, std::string_view sender, std::string_view recipient) {
  const auto digest = crypto::sha256(network + '\n' + ascii::lower(sender) + '\n' + ascii::lower(recipient));
  static constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  for (std::size_t i = 0; i < key_octets; ++i) {
    out += digits[digest[i] >> 4];
    out += digits[digest[i] & 15];
  }
  return out;
}

template <class T>
bool read_number(std::string_view text, T& into) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), into);
  return error == std::errc() && end == text.data() + text.size();
}

} // namespace

std::string greylist_network(const ip_address& client) {
  return network_of(client, client.is_v6() ? 64 : 24);
}

greylist_rules::entry* greylist_rules::table::find(std::string_view key) {
  const auto found = index.find(key);
  return found == index.end() ? nullptr : &*found->second;
}

greylist_rules::entry& greylist_rules::table::touch(std::string_view key, timestamp at) {
  if (const auto found = index.find(key); found != index.end()) {
    entries.splice(entries.begin(), entries, found->second);
  } else {
    entries.push_front({std::string(key), at, 0});
    index.emplace(entries.front().key, entries.begin());
  }
  entries.front().at = at;
  return entries.front();
}

void greylist_rules::table::erase(std::string_view key) {
  if (const auto found = index.find(key); found != index.end()) {
    const auto at = found->second;
    index.erase(found);
    entries.erase(at);
  }
}

void greylist_rules::table::trim(std::size_t most, timestamp oldest) {
  while (!entries.empty() && (entries.size() > most || entries.back().at < oldest)) {
    index.erase(entries.back().key);
    entries.pop_back();
  }
}

void greylist_rules::learn(const std::string& network, timestamp now) {
  auto& known = networks_.touch(network, now);
  known.count = std::min(known.count + 1, limits_.known_after);
}

std::chrono::seconds greylist_rules::check(const std::string& network, std::string_view sender,
                                           std::string_view recipient, timestamp now) {
  networks_.trim(limits_.networks, now - limits_.known);
  triplets_.trim(limits_.triplets, now - limits_.window);
  if (const auto* known = networks_.find(network);
      known != nullptr && known->count >= limits_.known_after && now - known->at < limits_.known) {
    networks_.touch(network, now);
    return std::chrono::seconds(0);
  }
  const auto key = triplet_key(network, sender, recipient);
  auto* first = triplets_.find(key);
  if (first == nullptr || now - first->at >= limits_.window) {
    triplets_.touch(key, now).count = 0;
    return limits_.delay;
  }
  if (first->count == 0 && now - first->at < limits_.delay)
    return std::min(std::chrono::ceil<std::chrono::seconds>(first->at + limits_.delay - now), limits_.delay);
  // A triplet counts once for its network, however many messages it brings while it is remembered.
  if (first->count == 0) {
    first->count = 1;
    learn(network, now);
  }
  return std::chrono::seconds(0);
}

std::string greylist_rules::save() const {
  std::string out;
  const auto add = [&out](char kind, const entry& e) {
    out += kind;
    out += ' ' + e.key + ' ' + std::to_string(e.at.time_since_epoch().count()) + ' ' + std::to_string(e.count) + '\n';
  };
  for (auto at = networks_.entries.rbegin(); at != networks_.entries.rend(); ++at)
    add('n', *at);
  for (auto at = triplets_.entries.rbegin(); at != triplets_.entries.rend(); ++at)
    add('t', *at);
  return out;
}

bool greylist_rules::restore_line(std::string_view line, timestamp now) {
  std::array<std::string_view, 4> words;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const auto space = line.find(' ');
    words[i] = line.substr(0, space);
    if ((space == std::string_view::npos) != (i + 1 == words.size()))
      return false;
    line.remove_prefix(std::min(line.size(), words[i].size() + 1));
  }
  std::int64_t at_us = 0;
  std::uint32_t count = 0;
  const bool network = words[0] == "n";
  if ((!network && words[0] != "t") || !read_number(words[2], at_us) || !read_number(words[3], count)
      || (network ? words[1].empty() || words[1].size() > longest_network_text : words[1].size() != 2 * key_octets))
    return false;
  const auto longest = network ? limits_.known : limits_.window;
  const auto now_us = now.time_since_epoch().count();
  const auto longest_us = std::chrono::duration_cast<std::chrono::microseconds>(longest).count();
  if (at_us > now_us || at_us <= now_us - longest_us)
    return true;
  auto& into = network ? networks_ : triplets_;
  const timestamp at{std::chrono::microseconds(at_us)};
  auto* there = into.find(words[1]);
  if (there == nullptr)
    into.touch(words[1], at).count = std::min(count, network ? limits_.known_after : 1);
  else if (network)
    there->count = std::min(std::max(there->count, count), limits_.known_after);
  else if (at < there->at) {
    there->at = at;
    there->count = std::max(there->count, std::min(count, 1U));
  }
  return true;
}

std::size_t greylist_rules::restore(std::string_view text, timestamp now) {
  std::size_t unreadable = 0;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    if (!restore_line(text.substr(0, end), now))
      ++unreadable;
    text.remove_prefix(std::min(text.size(), end + 1));
  }
  triplets_.trim(limits_.triplets, timestamp::min());
  networks_.trim(limits_.networks, timestamp::min());
  return unreadable;
}

} // namespace merpati::policy
