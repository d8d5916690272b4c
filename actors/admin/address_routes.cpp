#include "actors/admin/address_routes.hpp"

#include "actors/admin/http_answers.hpp"

namespace merpati::admin {

namespace {

using httplib::Request;
using httplib::Response;
using nlohmann::json;

void list_all(mail::address_service& addresses, Response& res) {
  auto all = addresses.addresses();
  if (!all)
    return answer_error(res, all.error());
  auto out = json::array();
  for (const auto& entry : *all)
    out.push_back(entry_json(entry));
  answer_json(res, json{{"addresses", std::move(out)}});
}

void answer_entry(const result<mail::address_entry>& entry, Response& res) {
  if (!entry)
    return answer_error(res, entry.error());
  answer_json(res, entry_json(*entry));
}

void put(mail::address_service& addresses, const std::string& address, const Request& req, Response& res) {
  request_body body(req);
  auto entry = body.is_object() ? entry_of(body.value()) : fail(errc::invalid, "send {\"kind\":\"alias\",...}");
  if (!entry)
    return answer_error(res, entry.error());
  entry->address = address;
  answer_entry(addresses.put_address(*entry), res);
}

void change_members(mail::address_service& addresses, const std::string& list, const Request& req, Response& res) {
  request_body body(req);
  auto add = body.is_object() ? body.texts("add") : std::nullopt;
  auto remove = body.is_object() ? body.texts("remove") : std::nullopt;
  if (!add || !remove)
    return answer_error(res, {errc::invalid, "send {\"add\":[\"name@domain\"],\"remove\":[]}"});
  auto count = addresses.change_members(list, *add, *remove);
  if (!count)
    return answer_error(res, count.error());
  answer_json(res, {{"members", *count}});
}

void explain(mail::address_service& addresses, const Request& req, Response& res) {
  request_body body(req);
  if (!body.is_object() || !body.text("recipient"))
    return answer_error(res, {errc::invalid, "send {\"recipient\":\"name@domain\"}"});
  auto steps = addresses.explain(explain_request_of(body.value()));
  if (!steps)
    return answer_error(res, steps.error());
  answer_json(res, {{"steps", *steps}});
}

} // namespace

void add_address_routes(httplib::Server& http, mail::address_service& addresses) {
  auto* all = &addresses;
  http.Get("/v1/addresses", [all](const Request&, Response& res) { list_all(*all, res); });
  http.Get("/v1/addresses/(.+)",
           [all](const Request& req, Response& res) { answer_entry(all->address(req.matches[1].str()), res); });
  http.Put("/v1/addresses/(.+)",
           [all](const Request& req, Response& res) { put(*all, req.matches[1].str(), req, res); });
  http.Delete("/v1/addresses/(.+)",
              [all](const Request& req, Response& res) { answer(res, all->remove_address(req.matches[1].str())); });
  http.Post("/v1/addresses/(.+)/members",
            [all](const Request& req, Response& res) { change_members(*all, req.matches[1].str(), req, res); });
  http.Put("/v1/domains/(.+)/alias", [all](const Request& req, Response& res) {
    request_body body(req);
    auto of = body.is_object() ? body.text("of") : std::nullopt;
    if (!of)
      return answer_error(res, {errc::invalid, "send {\"of\":\"example.org\"}"});
    answer(res, all->set_domain_alias(req.matches[1].str(), *of));
  });
  http.Post("/v1/explain", [all](const Request& req, Response& res) { explain(*all, req, res); });
}

} // namespace merpati::admin
