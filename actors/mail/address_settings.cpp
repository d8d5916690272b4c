#include "actors/mail/address_settings.hpp"

#include <array>

#include "actors/mail/setting_lines.hpp"

namespace merpati::mail {

namespace {

constexpr std::array<std::string_view, 3> posting_words{"anyone", "members", "owners"};

void put_all(std::string& out, std::string_view key, const std::vector<std::string>& values) {
  for (const auto& value : values)
    put_line(out, key, value);
}

struct writer {
  std::string operator()(const alias_settings& s) const {
    std::string out = "alias\n";
    put_all(out, "target", s.targets);
    return out;
  }
  std::string operator()(const list_settings& s) const {
    std::string out = "list\n";
    put_line(out, "title", s.title);
    put_line(out, "posting", to_string(s.posting));
    put_all(out, "owner", s.owners);
    put_all(out, "member", s.members);
    return out;
  }
  std::string operator()(const forward_settings& s) const {
    std::string out = "forward\n";
    put_line(out, "copy", s.keep_copy ? "yes" : "no");
    put_all(out, "target", s.targets);
    return out;
  }
};

bool take(alias_settings& s, std::string_view key, std::string_view value) {
  if (key == "target")
    s.targets.emplace_back(value);
  return key == "target";
}

bool take(list_settings& s, std::string_view key, std::string_view value) {
  if (key == "member") {
    s.members.emplace_back(value);
  } else if (key == "owner") {
    s.owners.emplace_back(value);
  } else if (key == "title") {
    s.title = value;
  } else if (key == "posting") {
    auto rule = parse_posting_rule(value);
    if (!rule)
      return false;
    s.posting = *rule;
  } else {
    return false;
  }
  return true;
}

bool take(forward_settings& s, std::string_view key, std::string_view value) {
  if (key == "target")
    s.targets.emplace_back(value);
  else if (key == "copy" && (value == "yes" || value == "no"))
    s.keep_copy = value == "yes";
  else
    return false;
  return true;
}

error unreadable() {
  return {errc::corrupted, "the settings of an address can't be read; set them anew"};
}

} // namespace

std::string_view to_string(posting_rule rule) noexcept {
  return posting_words[static_cast<std::size_t>(rule)];
}

result<posting_rule> parse_posting_rule(std::string_view word) {
  for (std::size_t i = 0; i != posting_words.size(); ++i)
    if (posting_words[i] == word)
      return static_cast<posting_rule>(i);
  return fail(errc::invalid, "\"" + std::string(word) + "\" is none of anyone, members, owners");
}

std::string write_settings(const address_settings& settings) {
  return std::visit(writer(), settings);
}

result<address_settings> read_settings(std::string_view text) {
  line_walker lines(text);
  if (!lines.next())
    return tl::make_unexpected(unreadable());
  address_settings out;
  if (lines.key == "list")
    out = list_settings();
  else if (lines.key == "forward")
    out = forward_settings();
  else if (lines.key != "alias")
    return tl::make_unexpected(unreadable());
  const bool good = std::visit(
      [&](auto& settings) {
        while (lines.next())
          if (!take(settings, lines.key, lines.value))
            return false;
        return lines.at_end();
      },
      out);
  if (!good)
    return tl::make_unexpected(unreadable());
  return out;
}

std::string write_settings(const domain_settings& settings) {
  std::string out;
  if (!settings.alias_of.empty())
    put_line(out, "alias-of", settings.alias_of);
  return out;
}

result<domain_settings> read_domain_settings(std::string_view text) {
  domain_settings out;
  line_walker lines(text);
  while (lines.next()) {
    if (lines.key != "alias-of")
      return tl::make_unexpected(unreadable());
    out.alias_of = lines.value;
  }
  if (!lines.at_end())
    return tl::make_unexpected(unreadable());
  return out;
}

} // namespace merpati::mail
