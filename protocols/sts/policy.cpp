#include "protocols/sts/policy.hpp"

#include <algorithm>
#include <optional>

#include "base/ascii.hpp"

namespace merpati::sts {

namespace {

bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && is_blank(text.front()))
    text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back()))
    text.remove_suffix(1);
  return text;
}

/// A host name, perhaps with "*." before it.
bool is_mx_pattern(std::string_view text) {
  if (text.starts_with("*."))
    text.remove_prefix(2);
  if (text.empty() || text.size() > 253)
    return false;
  std::size_t label = 0;
  for (const char c : text) {
    if (c == '.' ? label == 0 : !ascii::is_alnum(c) && c != '-' && c != '_')
      return false;
    label = c == '.' ? 0 : label + 1;
    if (label > 63)
      return false;
  }
  return label != 0;
}

std::optional<policy_mode> mode_of(std::string_view word) {
  if (word == "enforce")
    return policy_mode::enforce;
  if (word == "testing")
    return policy_mode::testing;
  if (word == "none")
    return policy_mode::none;
  return std::nullopt;
}

struct reader {
  policy out;
  bool version = false;
  bool mode = false;
  bool age = false;

  /// What is wrong; empty: nothing.
  std::string take(std::string_view key, std::string_view value) {
    if (key == "mx") {
      if (!is_mx_pattern(value))
        return "mx names no host";
      if (out.mx.size() == mx_patterns)
        return "too many mx lines";
      out.mx.push_back(ascii::lower(value));
      return {};
    }
    // RFC 8461 3.2: of a key other than mx that comes again, the first counts. Unknown keys are ignored.
    if (key == "version" && !version) {
      version = true;
      return value == "STSv1" ? "" : "the version is not STSv1";
    }
    if (key == "mode" && !mode) {
      mode = true;
      const auto found = mode_of(value);
      out.mode = found.value_or(policy_mode::none);
      return found ? "" : "the mode is unknown";
    }
    if (key == "max_age" && !age) {
      age = true;
      const auto seconds = value.size() <= 10 ? ascii::parse_number<std::uint64_t>(value) : std::nullopt;
      if (!seconds)
        return "max_age is no number of seconds";
      out.max_age = std::chrono::seconds(std::min(*seconds, static_cast<std::uint64_t>(longest_max_age.count())));
    }
    return {};
  }
};

} // namespace

result<policy> parse_policy(std::string_view body) {
  if (body.size() > policy_octets)
    return fail(errc::too_big, "the policy is too long");
  reader reading;
  while (!body.empty()) {
    const auto end = std::min(body.find('\n'), body.size());
    auto line = body.substr(0, end);
    body.remove_prefix(std::min(end + 1, body.size()));
    if (line.ends_with('\r'))
      line.remove_suffix(1);
    if (trim(line).empty())
      continue;
    const auto colon = line.find(':');
    if (colon == std::string_view::npos)
      return fail(errc::invalid, "a line of the policy has no colon");
    if (auto wrong = reading.take(trim(line.substr(0, colon)), trim(line.substr(colon + 1))); !wrong.empty())
      return fail(errc::invalid, std::move(wrong));
  }
  if (!reading.version || !reading.mode || !reading.age)
    return fail(errc::invalid, "the policy lacks version, mode or max_age");
  if (reading.out.mx.empty() && reading.out.mode != policy_mode::none)
    return fail(errc::invalid, "the policy names no mx");
  return std::move(reading.out);
}

result<std::string> find_id(const std::vector<std::string>& records) {
  const std::string* only = nullptr;
  for (const auto& each : records) {
    if (!each.starts_with("v=STSv1") || (each.size() > 7 && each[7] != ';' && !is_blank(each[7])))
      continue; // RFC 8461 3.1: other records are discarded
    if (only != nullptr)
      return fail(errc::not_found, "there is more than one record");
    only = &each;
  }
  if (only == nullptr)
    return fail(errc::not_found, "there is no record");
  std::string_view rest = *only;
  std::optional<std::string_view> id;
  while (!rest.empty()) {
    const auto end = std::min(rest.find(';'), rest.size());
    const auto field = trim(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (field.empty())
      continue;
    const auto equals = field.find('=');
    if (equals == std::string_view::npos)
      return fail(errc::invalid, "a field of the record has no value");
    if (field.substr(0, equals) == "id" && !id)
      id = field.substr(equals + 1);
  }
  if (!id || id->empty() || id->size() > 32 || !std::all_of(id->begin(), id->end(), ascii::is_alnum))
    return fail(errc::invalid, "the record has no id of 1 to 32 letters and digits");
  return std::string(*id);
}

bool names_host(const policy& what, std::string_view host) {
  return std::any_of(what.mx.begin(), what.mx.end(), [&](std::string_view pattern) {
    if (!pattern.starts_with("*."))
      return pattern == host;
    const auto dot = host.find('.'); // the asterisk stands for one whole label
    return dot != std::string_view::npos && dot != 0 && host.substr(dot) == pattern.substr(1);
  });
}

} // namespace merpati::sts
