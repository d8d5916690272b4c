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

} // namespace merpati::admin
