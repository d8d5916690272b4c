// What the handlers of the admin port share: requests as values, answers as JSON.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <httplib.h>
#include <nlohmann/json.hpp>

#include "actors/admin/wire.hpp"
#include "base/result.hpp"

namespace merpati::admin {

inline constexpr const char* json_type = "application/json";

inline void answer_json(httplib::Response& res, const nlohmann::json& body, int status = 200) {
  res.status = status;
  res.set_content(body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n", json_type);
}

inline void answer_error(httplib::Response& res, const error& e, int status) {
  res.status = status;
  res.set_content(error_json(e), json_type);
}

inline void answer_error(httplib::Response& res, const error& e) {
  answer_error(res, e, http_status(e.code));
}

inline void answer(httplib::Response& res, const result<void>& done) {
  if (done)
    answer_json(res, nlohmann::json::object());
  else
    answer_error(res, done.error());
}

/// The members of a request's JSON object, by type.
class request_body {
public:
  explicit request_body(const httplib::Request& req) : value_(nlohmann::json::parse(req.body, nullptr, false)) {}

  bool is_object() const { return value_.is_object(); }
  std::optional<std::string> text(const char* key) const {
    auto found = value_.find(key);
    if (found == value_.end() || !found->is_string())
      return std::nullopt;
    return found->get<std::string>();
  }
  std::optional<std::uint64_t> number(const char* key) const {
    auto found = value_.find(key);
    if (found == value_.end() || !found->is_number_unsigned())
      return std::nullopt;
    return found->get<std::uint64_t>();
  }
  /// A list of texts; empty where there is none, nothing where it is something else.
  std::optional<std::vector<std::string>> texts(const char* key) const {
    std::vector<std::string> out;
    auto found = value_.find(key);
    if (found == value_.end())
      return out;
    if (!found->is_array())
      return std::nullopt;
    for (const auto& each : *found) {
      if (!each.is_string())
        return std::nullopt;
      out.push_back(each.get<std::string>());
    }
    return out;
  }
  const nlohmann::json& value() const { return value_; }
  bool has(const char* key) const { return value_.contains(key); }

private:
  nlohmann::json value_;
};

} // namespace merpati::admin
