#include "actors/admin/admin_client.hpp"

#include <chrono>
#include <type_traits>
#include <utility>

#include <httplib.h>
#include <nlohmann/json.hpp>

#include "actors/admin/queue_wire.hpp"
#include "actors/admin/wire.hpp"

namespace merpati::admin {

namespace {

using nlohmann::json;

/// Removing an account with much mail is one commit; nothing takes longer.
constexpr std::chrono::seconds answer_timeout{60};
constexpr std::chrono::seconds connect_timeout{5};

std::string user_path(std::string_view address, std::string_view verb = {}) {
  auto path = "/v1/users/" + path_segment(address);
  return verb.empty() ? path : path + "/" + std::string(verb);
}

std::string text_of(const json& body) {
  return body.dump(-1, ' ', false, json::error_handler_t::replace);
}

/// The answer's JSON, or the failure that it tells.
result<json> unpack(const httplib::Result& answer) {
  if (!answer)
    return fail(errc::unavailable,
                "the daemon's admin port does not answer (" + httplib::to_string(answer.error()) + ")");
  auto body = json::parse(answer->body, nullptr, false);
  if (answer->status >= 200 && answer->status < 300 && body.is_object())
    return body;
  if (!body.is_object() || !body.contains("error") || !body["error"].is_string())
    return fail(errc::unavailable, "the admin port answered with HTTP status " + std::to_string(answer->status)
                                       + "; is it another program's port?");
  auto what = body.contains("what") && body["what"].is_string() ? body["what"].get<std::string>() : std::string();
  return fail(errc_named(body["error"].get<std::string>()), std::move(what));
}

result<void> unpack_nothing(const httplib::Result& answer) {
  auto body = unpack(answer);
  if (!body)
    return tl::unexpected(body.error());
  return {};
}

result<std::string> unpack_text(const httplib::Result& answer, const char* key) {
  auto body = unpack(answer);
  if (!body)
    return tl::unexpected(body.error());
  auto found = body->find(key);
  if (found == body->end() || !found->is_string())
    return fail(errc::unavailable, "the admin port answered something unknown; is the daemon of another version?");
  return found->get<std::string>();
}

/// A member of `object` when it has the type asked for, else `otherwise`.
template <class T>
T member(const json& object, const char* key, T otherwise) {
  auto found = object.find(key);
  if (found == object.end())
    return otherwise;
  if constexpr (std::is_same_v<T, bool>)
    return found->is_boolean() ? found->get<bool>() : otherwise;
  else if constexpr (std::is_same_v<T, std::string>)
    return found->is_string() ? found->get<std::string>() : otherwise;
  else if constexpr (std::is_same_v<T, json>)
    return found->is_array() ? *found : otherwise;
  else
    return found->is_number_unsigned() ? found->get<T>() : otherwise;
}

/// The texts of a list in an answer.
result<std::vector<std::string>> unpack_texts(const httplib::Result& answer, const char* key) {
  auto body = unpack(answer);
  if (!body)
    return tl::unexpected(body.error());
  std::vector<std::string> out;
  for (const auto& each : member(*body, key, json::array()))
    if (each.is_string())
      out.push_back(each.get<std::string>());
  return out;
}

} // namespace

struct client::state {
  state(const std::string& address, std::uint16_t port, const std::string& token) : http(address, port) {
    http.set_connection_timeout(connect_timeout);
    http.set_read_timeout(answer_timeout);
    http.set_default_headers({{"Authorization", "Bearer " + token}});
    http.set_url_encode(false);
  }
  httplib::Client http;
};

client::client(std::string address, std::uint16_t port, std::string token)
    : state_(std::make_unique<state>(address, port, token)) {}
client::~client() = default;

result<std::vector<std::string>> client::domains() {
  return unpack_texts(state_->http.Get("/v1/domains"), "domains");
}

result<std::string> client::add_domain(std::string_view name) {
  return unpack_text(state_->http.Post("/v1/domains", text_of({{"name", name}}), "application/json"), "name");
}

result<void> client::remove_domain(std::string_view name) {
  return unpack_nothing(state_->http.Delete("/v1/domains/" + path_segment(name)));
}

result<std::vector<mail::account_summary>> client::accounts() {
  auto body = unpack(state_->http.Get("/v1/users"));
  if (!body)
    return tl::unexpected(body.error());
  std::vector<mail::account_summary> out;
  for (const auto& user : member(*body, "users", json::array())) {
    if (!user.is_object())
      continue;
    mail::account_summary row;
    row.address = member(user, "address", std::string());
    row.enabled = member(user, "enabled", true);
    row.quota_bytes = member(user, "quota_bytes", std::uint64_t{0});
    row.used_bytes = member(user, "used_bytes", std::uint64_t{0});
    row.messages = member(user, "messages", std::uint64_t{0});
    out.push_back(std::move(row));
  }
  return out;
}

result<std::string> client::add_account(const mail::new_account& account) {
  json body{{"address", account.address}, {"password", account.password}, {"quota_bytes", account.quota_bytes}};
  return unpack_text(state_->http.Post("/v1/users", text_of(body), "application/json"), "address");
}

result<void> client::remove_account(std::string_view address) {
  return unpack_nothing(state_->http.Delete(user_path(address)));
}

result<void> client::set_enabled(std::string_view address, bool enabled) {
  return unpack_nothing(
      state_->http.Post(user_path(address, enabled ? "enable" : "disable"), "{}", "application/json"));
}

result<void> client::set_password(std::string_view address, std::string_view password) {
  return unpack_nothing(
      state_->http.Put(user_path(address, "password"), text_of({{"password", password}}), "application/json"));
}

result<void> client::set_quota(std::string_view address, std::uint64_t bytes) {
  return unpack_nothing(
      state_->http.Put(user_path(address, "quota"), text_of({{"quota_bytes", bytes}}), "application/json"));
}

namespace {

std::string address_path(std::string_view address) {
  return "/v1/addresses/" + path_segment(address);
}

result<mail::address_entry> unpack_entry(const httplib::Result& answer) {
  auto body = unpack(answer);
  if (!body)
    return tl::unexpected(body.error());
  return entry_of(*body);
}

} // namespace

result<std::vector<mail::address_entry>> client::addresses() {
  auto body = unpack(state_->http.Get("/v1/addresses"));
  if (!body)
    return tl::unexpected(body.error());
  std::vector<mail::address_entry> out;
  for (const auto& value : member(*body, "addresses", json::array())) {
    auto entry = entry_of(value);
    if (!entry)
      return tl::unexpected(entry.error());
    out.push_back(std::move(*entry));
  }
  return out;
}

result<mail::address_entry> client::address(std::string_view address) {
  return unpack_entry(state_->http.Get(address_path(address)));
}

result<mail::address_entry> client::put_address(const mail::address_entry& entry) {
  return unpack_entry(state_->http.Put(address_path(entry.address), text_of(entry_json(entry)), "application/json"));
}

result<void> client::remove_address(std::string_view address) {
  return unpack_nothing(state_->http.Delete(address_path(address)));
}

result<std::size_t> client::change_members(std::string_view list, const std::vector<std::string>& add,
                                           const std::vector<std::string>& remove) {
  auto body = unpack(state_->http.Post(address_path(list) + "/members", text_of({{"add", add}, {"remove", remove}}),
                                       "application/json"));
  if (!body)
    return tl::unexpected(body.error());
  return member(*body, "members", std::size_t{0});
}

result<void> client::set_domain_alias(std::string_view name, std::string_view target) {
  return unpack_nothing(
      state_->http.Put("/v1/domains/" + path_segment(name) + "/alias", text_of({{"of", target}}), "application/json"));
}

result<std::vector<std::string>> client::explain(const mail::explain_request& what) {
  return unpack_texts(state_->http.Post("/v1/explain", text_of(request_json(what)), "application/json"), "steps");
}

result<mail::queue_listing> client::list(const mail::queue_filter& which, std::size_t at_most) {
  auto request = filter_json(which);
  request["at_most"] = at_most;
  auto body = unpack(state_->http.Post("/v1/queue/list", text_of(request), "application/json"));
  if (!body)
    return tl::unexpected(body.error());
  mail::queue_listing out;
  out.matching = member(*body, "matching", std::uint64_t{0});
  for (const auto& value : member(*body, "recipients", json::array())) {
    auto row = row_of(value);
    if (!row)
      return tl::unexpected(row.error());
    out.recipients.push_back(std::move(*row));
  }
  return out;
}

result<std::uint64_t> client::change(mail::queue_action what, const mail::queue_filter& which) {
  auto body = unpack(state_->http.Post("/v1/queue/change/" + std::string(name_of(what)), text_of(filter_json(which)),
                                       "application/json"));
  if (!body)
    return tl::unexpected(body.error());
  return member(*body, "changed", std::uint64_t{0});
}

result<void> client::reload() {
  return unpack_nothing(state_->http.Post("/v1/reload", "{}", "application/json"));
}

} // namespace merpati::admin
