#include "base/result.hpp"

namespace merpati {

std::string_view to_string(errc code) noexcept {
  switch (code) {
  case errc::not_found: return "not_found";
  case errc::already_exists: return "already_exists";
  case errc::invalid: return "invalid";
  case errc::too_big: return "too_big";
  case errc::too_many: return "too_many";
  case errc::over_quota: return "over_quota";
  case errc::disk_full: return "disk_full";
  case errc::unavailable: return "unavailable";
  case errc::in_use: return "in_use";
  case errc::not_permitted: return "not_permitted";
  case errc::auth_failed: return "auth_failed";
  case errc::corrupted: return "corrupted";
  case errc::shutting_down: return "shutting_down";
  case errc::internal: return "internal";
  }
  return "unknown";
}

} // namespace merpati
