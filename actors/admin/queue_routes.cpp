#include "actors/admin/queue_routes.hpp"

#include "actors/admin/http_answers.hpp"
#include "actors/admin/queue_wire.hpp"

namespace merpati::admin {

namespace {

using httplib::Request;
using httplib::Response;
using nlohmann::json;

/// Of one answer: a screen has fewer.
constexpr std::size_t most_listed = 10'000;

void list(mail::queue_service& queue, const Request& req, Response& res) {
  request_body body(req);
  auto which = body.is_object() ? filter_of(body.value()) : fail(errc::invalid, "send a filter, such as {}");
  if (!which)
    return answer_error(res, which.error());
  const auto wanted = body.number("at_most").value_or(most_listed);
  auto found = queue.list(*which, std::min<std::size_t>(wanted, most_listed));
  if (!found)
    return answer_error(res, found.error());
  auto rows = json::array();
  for (const auto& row : found->recipients)
    rows.push_back(row_json(row));
  answer_json(res, {{"recipients", std::move(rows)}, {"matching", found->matching}});
}

void change(mail::queue_service& queue, const std::string& word, const Request& req, Response& res) {
  request_body body(req);
  const auto what = action_named(word);
  auto which = body.is_object() ? filter_of(body.value()) : fail(errc::invalid, "send a filter");
  if (!what)
    return answer_error(res, {errc::not_found, "there is no action " + word});
  if (!which)
    return answer_error(res, which.error());
  auto done = queue.change(*what, *which);
  if (!done)
    return answer_error(res, done.error());
  answer_json(res, {{"changed", *done}});
}

} // namespace

void add_queue_routes(httplib::Server& http, mail::queue_service& queue) {
  auto* all = &queue;
  http.Post("/v1/queue/list", [all](const Request& req, Response& res) { list(*all, req, res); });
  http.Post("/v1/queue/change/(.+)",
            [all](const Request& req, Response& res) { change(*all, req.matches[1].str(), req, res); });
}

} // namespace merpati::admin
