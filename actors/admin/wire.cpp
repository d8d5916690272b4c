#include "actors/admin/wire.hpp"

#include <nlohmann/json.hpp>

#include "base/ascii.hpp"

namespace merpati::admin {

namespace {

struct entry {
  errc code;
  int status;
};
constexpr entry table[] = {
    {errc::not_found, 404},     {errc::already_exists, 409}, {errc::invalid, 400},     {errc::too_big, 413},
    {errc::too_many, 429},      {errc::over_quota, 507},     {errc::disk_full, 507},   {errc::unavailable, 503},
    {errc::in_use, 409},        {errc::not_permitted, 403},  {errc::auth_failed, 401}, {errc::corrupted, 500},
    {errc::shutting_down, 503}, {errc::internal, 500},
};

} // namespace

int http_status(errc code) noexcept {
  for (const auto& e : table)
    if (e.code == code)
      return e.status;
  return 500;
}

errc errc_named(std::string_view name) noexcept {
  for (const auto& e : table)
    if (to_string(e.code) == name)
      return e.code;
  return errc::internal;
}

std::string error_json(const error& e) {
  nlohmann::json out{{"error", to_string(e.code)}, {"what", e.what}};
  return out.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

std::string path_segment(std::string_view text) {
  static constexpr char hex[] = "0123456789ABCDEF";
  std::string out;
  for (char c : text) {
    if (ascii::is_alnum(c) || c == '-' || c == '.' || c == '_' || c == '~') {
      out += c;
    } else {
      auto octet = static_cast<unsigned char>(c);
      out += '%';
      out += hex[octet >> 4];
      out += hex[octet & 15];
    }
  }
  return out;
}

namespace {

using nlohmann::json;

struct settings_json {
  json operator()(const mail::alias_settings& s) const { return {{"kind", "alias"}, {"targets", s.targets}}; }
  json operator()(const mail::list_settings& s) const {
    return {{"kind", "list"},
            {"title", s.title},
            {"posting", mail::to_string(s.posting)},
            {"owners", s.owners},
            {"members", s.members}};
  }
  json operator()(const mail::forward_settings& s) const {
    return {{"kind", "forward"}, {"targets", s.targets}, {"keep_copy", s.keep_copy}};
  }
};

result<mail::address_settings> settings_of(const json& value) {
  const auto kind = value.at("kind").get<std::string>();
  auto texts = [&](const char* key) { return value.value(key, std::vector<std::string>()); };
  if (kind == "alias")
    return mail::alias_settings{texts("targets")};
  if (kind == "forward")
    return mail::forward_settings{texts("targets"), value.value("keep_copy", true)};
  if (kind != "list")
    return fail(errc::invalid, "kind is \"alias\", \"list\" or \"forward\"");
  auto posting = mail::parse_posting_rule(value.value("posting", std::string("anyone")));
  if (!posting)
    return tl::make_unexpected(posting.error());
  return mail::list_settings{value.value("title", std::string()), *posting, texts("owners"), texts("members")};
}

} // namespace

json entry_json(const mail::address_entry& entry) {
  auto out = std::visit(settings_json(), entry.settings);
  out["address"] = entry.address;
  return out;
}

result<mail::address_entry> entry_of(const json& value) {
  try {
    auto settings = settings_of(value);
    if (!settings)
      return tl::make_unexpected(settings.error());
    return mail::address_entry{value.value("address", std::string()), std::move(*settings)};
  } catch (const json::exception& e) {
    return fail(errc::invalid, std::string("this describes no alias, list or forward: ") + e.what());
  }
}

json request_json(const mail::explain_request& what) {
  return {{"recipient", what.recipient},
          {"sender", what.sender},
          {"account", what.account},
          {"hostname", what.hostname},
          {"detail_separators", what.detail_separators}};
}

mail::explain_request explain_request_of(const json& value) {
  auto text = [&](const char* key) {
    auto found = value.find(key);
    return found != value.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  return {text("recipient"), text("sender"), text("account"), text("hostname"), text("detail_separators")};
}

} // namespace merpati::admin
