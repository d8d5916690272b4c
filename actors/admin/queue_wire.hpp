// How the waiting list travels over the admin port: both sides share these.
#pragma once

#include <optional>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "actors/mail/queue_service.hpp"
#include "base/result.hpp"

namespace merpati::admin {

std::string_view name_of(mail::queue_action what) noexcept;
std::optional<mail::queue_action> action_named(std::string_view name) noexcept;

/// {"message":"...","recipient":...,"sender":...,"destination":...,"outcome":...,"older_than_us":...,"everything":true},
/// each of them or none.
nlohmann::json filter_json(const mail::queue_filter& which);
/// errc::invalid for anything else.
result<mail::queue_filter> filter_of(const nlohmann::json& value);

/// {"shard":0,"id":1,"destination":...,"next_due_us":...,"size_bytes":...,"details":"the lines of waiting_details"}
nlohmann::json row_json(const mail::queued_recipient& row);
result<mail::queued_recipient> row_of(const nlohmann::json& value);

} // namespace merpati::admin
