// How failures travel over the admin port: both sides share this table.
#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "actors/mail/address_service.hpp"
#include "base/result.hpp"

namespace merpati::admin {

/// The HTTP status that fits a failure.
int http_status(errc code) noexcept;
/// The failure kind of that name; internal for a name that this version does not know.
errc errc_named(std::string_view name) noexcept;
/// {"error":"not_found","what":"..."}
std::string error_json(const error& e);
/// Octets outside RFC 3986's unreserved set as %XX: makes any text one segment of a path.
std::string path_segment(std::string_view text);

/// {"address":...,"kind":"alias"|"list"|"forward", and "targets", or "title", "posting", "owners", "members", or
/// "targets", "keep_copy"}
nlohmann::json entry_json(const mail::address_entry& entry);
/// errc::invalid for anything else.
result<mail::address_entry> entry_of(const nlohmann::json& value);

nlohmann::json request_json(const mail::explain_request& what);
mail::explain_request explain_request_of(const nlohmann::json& value);

} // namespace merpati::admin
