#include "actors/admin/queue_wire.hpp"

#include <nlohmann/json.hpp>

namespace merpati::admin {

namespace {

using nlohmann::json;

constexpr std::pair<mail::queue_action, std::string_view> actions[] = {
    {mail::queue_action::retry, "retry"},     {mail::queue_action::hold, "hold"},
    {mail::queue_action::release, "release"}, {mail::queue_action::remove, "delete"},
    {mail::queue_action::bounce, "bounce"},
};

} // namespace

std::string_view name_of(mail::queue_action what) noexcept {
  for (const auto& [action, name] : actions)
    if (action == what)
      return name;
  return {};
}

std::optional<mail::queue_action> action_named(std::string_view name) noexcept {
  for (const auto& [action, known] : actions)
    if (known == name)
      return action;
  return std::nullopt;
}

json filter_json(const mail::queue_filter& which) {
  json out = json::object();
  auto put = [&](const char* key, const std::string& value) {
    if (!value.empty())
      out[key] = value;
  };
  put("message", which.message);
  put("recipient", which.recipient);
  put("sender", which.sender);
  put("destination", which.destination);
  put("outcome", which.outcome);
  if (which.older_than)
    out["older_than_us"] = to_micros(*which.older_than);
  if (which.everything)
    out["everything"] = true;
  return out;
}

result<mail::queue_filter> filter_of(const json& value) {
  try {
    mail::queue_filter out;
    out.message = value.value("message", "");
    out.recipient = value.value("recipient", "");
    out.sender = value.value("sender", "");
    out.destination = value.value("destination", "");
    out.outcome = value.value("outcome", "");
    out.everything = value.value("everything", false);
    if (const auto when = value.find("older_than_us"); when != value.end()) {
      if (!when->is_number_unsigned() || when->get<std::uint64_t>() > INT64_MAX)
        return fail(errc::invalid, "older_than_us is no time in microseconds since 1970");
      out.older_than = from_micros(when->get<std::int64_t>());
    }
    return out;
  } catch (const json::exception&) {
    return fail(errc::invalid, "the filter can't be read");
  }
}

json row_json(const mail::queued_recipient& row) {
  return {{"shard", row.shard},
          {"id", row.id.value},
          {"destination", row.destination},
          {"next_due_us", to_micros(row.next_due)},
          {"size_bytes", row.size_bytes},
          {"details", mail::write_details(row.details)}};
}

result<mail::queued_recipient> row_of(const json& value) {
  try {
    mail::queued_recipient out;
    out.shard = value.at("shard").get<std::uint32_t>();
    out.id = waiting_id(value.at("id").get<std::uint64_t>());
    out.destination = value.at("destination").get<std::string>();
    out.next_due = from_micros(value.at("next_due_us").get<std::int64_t>());
    out.size_bytes = value.at("size_bytes").get<std::uint64_t>();
    auto details = mail::read_details(value.at("details").get<std::string>());
    if (!details)
      return tl::make_unexpected(details.error());
    out.details = std::move(*details);
    return out;
  } catch (const json::exception&) {
    return fail(errc::internal, "the daemon's answer can't be read; is it of another version?");
  }
}

} // namespace merpati::admin
