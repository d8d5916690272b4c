#include "actors/admin/admin_server.hpp"

#include <atomic>
#include <thread>

#include <httplib.h>
#include <nlohmann/json.hpp>
#include <sys/socket.h>

#include "actors/admin/address_routes.hpp"
#include "actors/admin/http_answers.hpp"
#include "actors/admin/queue_routes.hpp"
#include "base/ascii.hpp"
#include "base/crypto.hpp"
#include "base/ip_address.hpp"
#include "base/log.hpp"

namespace merpati::admin {

namespace {

using httplib::Request;
using httplib::Response;
using nlohmann::json;

/// The name in a Host field, without the port: "127.0.0.1", "localhost", "::1".
std::string_view host_name(std::string_view host) {
  if (host.starts_with('[')) {
    auto end = host.find(']');
    return end == std::string_view::npos ? std::string_view() : host.substr(1, end - 1);
  }
  return host.substr(0, host.find(':'));
}

} // namespace

struct server::state {
  server_options options;
  services what;
  httplib::Server http;
  std::thread thread;
  std::atomic<bool> ended = false;
  std::uint16_t port = 0;

  /// True when the request may go on; else `res` says why not.
  bool admit(const Request& req, Response& res);
  bool host_is_ours(const Request& req) const;
  bool token_is_right(const Request& req) const;

  void add_views();
  void add_domains();
  void add_users();
  void add_user_changes();
  result<void> change_user(const std::string& address, const std::string& verb, const Request& req);
  result<void> health() const { return what.health ? what.health() : result<void>(); }
  std::vector<runtime::actor_stats> actors() const { return what.actors ? what.actors() : runtime::snapshot(); }
  std::vector<runtime::kind_stats> kinds() const { return what.kinds ? what.kinds() : runtime::totals(); }
};

bool server::state::host_is_ours(const Request& req) const {
  auto name = ascii::lower(host_name(req.get_header_value("Host")));
  if (name == "localhost")
    return true;
  auto address = ip_address::parse(name);
  return address && (address->is_loopback() || address == ip_address::parse(options.address));
}

bool server::state::token_is_right(const Request& req) const {
  constexpr std::string_view scheme = "Bearer ";
  auto field = req.get_header_value("Authorization");
  return req.get_header_value_count("Authorization") == 1 && ascii::istarts_with(field, scheme)
         && crypto::equal_constant_time(ascii::trim(std::string_view(field).substr(scheme.size())), options.token);
}

bool server::state::admit(const Request& req, Response& res) {
  if (req.path.size() > options.limits.path_bytes) {
    answer_error(res, {errc::too_big, "the path is too long"}, 414);
  } else if (req.get_header_value_count("Host") != 1 || !host_is_ours(req)) {
    answer_error(res, {errc::not_permitted, "this port answers to its own address and to localhost only"});
  } else if (req.has_header("Transfer-Encoding")) {
    // A body must say its length: the limit is checked before anything is read.
    answer_error(res, {errc::invalid, "send the body with Content-Length"}, 411);
  } else if (ascii::istarts_with(req.path, "/v1/") && !token_is_right(req)) {
    res.set_header("WWW-Authenticate", "Bearer realm=\"merpati\"");
    answer_error(res, {errc::auth_failed, "this needs the token from run/admin.token in data_dir"});
  } else {
    return true;
  }
  return false;
}

void server::state::add_views() {
  http.Get("/", [this](const Request&, Response& res) {
    res.set_header("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'");
    res.set_content(page_html(health(), kinds(), options.version), "text/html; charset=utf-8");
  });
  http.Get("/healthz", [this](const Request&, Response& res) {
    auto found = health();
    res.status = found ? 200 : 503;
    res.set_content(found ? "ok\n" : found.error().what + "\n", "text/plain; charset=utf-8");
  });
  http.Get("/actors", [this](const Request& req, Response& res) {
    res.set_content(actors_json(actors(), req.get_param_value("kind")), json_type);
  });
  http.Get("/metrics", [this](const Request&, Response& res) {
    res.set_content(
        metrics_text(actors(), kinds(), what.metrics ? what.metrics() : std::vector<metric>(), options.version),
        "text/plain; version=0.0.4; charset=utf-8");
  });
  http.Post("/v1/reload", [this](const Request&, Response& res) {
    answer(res, what.reload ? what.reload() : fail(errc::unavailable, "nothing to read anew"));
  });
}

void server::state::add_domains() {
  http.Get("/v1/domains", [this](const Request&, Response& res) {
    auto list = what.accounts->domains();
    if (!list)
      return answer_error(res, list.error());
    answer_json(res, {{"domains", *list}});
  });
  http.Post("/v1/domains", [this](const Request& req, Response& res) {
    request_body body(req);
    auto name = body.is_object() ? body.text("name") : std::nullopt;
    if (!name)
      return answer_error(res, {errc::invalid, "send {\"name\":\"example.org\"}"});
    auto done = what.accounts->add_domain(*name);
    if (!done)
      return answer_error(res, done.error());
    answer_json(res, {{"name", *done}}, 201);
  });
  http.Delete("/v1/domains/(.+)", [this](const Request& req, Response& res) {
    answer(res, what.accounts->remove_domain(req.matches[1].str()));
  });
}

void server::state::add_users() {
  http.Get("/v1/users", [this](const Request&, Response& res) {
    auto list = what.accounts->accounts();
    if (!list)
      return answer_error(res, list.error());
    auto users = json::array();
    for (const auto& a : *list)
      users.push_back({{"address", a.address},
                       {"enabled", a.enabled},
                       {"quota_bytes", a.quota_bytes},
                       {"used_bytes", a.used_bytes},
                       {"messages", a.messages}});
    json out;
    out["users"] = std::move(users);
    answer_json(res, out);
  });
  http.Post("/v1/users", [this](const Request& req, Response& res) {
    request_body body(req);
    mail::new_account account;
    auto address = body.is_object() ? body.text("address") : std::nullopt;
    auto password = body.is_object() ? body.text("password") : std::nullopt;
    auto quota = body.is_object() ? body.number("quota_bytes") : std::nullopt;
    if (!address || !password || (!quota && body.has("quota_bytes")))
      return answer_error(res,
                          {errc::invalid, "send {\"address\":\"name@domain\",\"password\":\"...\",\"quota_bytes\":0}"});
    account.address = std::move(*address);
    account.password = std::move(*password);
    account.quota_bytes = quota.value_or(0);
    auto done = what.accounts->add_account(account);
    if (!done)
      return answer_error(res, done.error());
    answer_json(res, {{"address", *done}}, 201);
  });
  http.Delete("/v1/users/(.+)", [this](const Request& req, Response& res) {
    answer(res, what.accounts->remove_account(req.matches[1].str()));
  });
}

result<void> server::state::change_user(const std::string& address, const std::string& verb, const Request& req) {
  if (verb == "enable" || verb == "disable")
    return what.accounts->set_enabled(address, verb == "enable");
  request_body body(req);
  if (verb == "password") {
    auto password = body.is_object() ? body.text("password") : std::nullopt;
    if (!password)
      return fail(errc::invalid, "send {\"password\":\"...\"}");
    return what.accounts->set_password(address, *password);
  }
  auto quota = body.is_object() ? body.number("quota_bytes") : std::nullopt;
  if (!quota)
    return fail(errc::invalid, "send {\"quota_bytes\":0}");
  return what.accounts->set_quota(address, *quota);
}

void server::state::add_user_changes() {
  // A local part may hold a slash, so the address is all up to the last one.
  http.Post("/v1/users/(.+)/(enable|disable)", [this](const Request& req, Response& res) {
    answer(res, change_user(req.matches[1].str(), req.matches[2].str(), req));
  });
  http.Put("/v1/users/(.+)/(password|quota)", [this](const Request& req, Response& res) {
    answer(res, change_user(req.matches[1].str(), req.matches[2].str(), req));
  });
}

server::server() : state_(std::make_unique<state>()) {}

server::~server() {
  if (state_->thread.joinable()) {
    state_->http.stop();
    state_->thread.join();
  }
}

std::uint16_t server::port() const noexcept {
  return state_->port;
}

result<std::unique_ptr<server>> server::start(server_options options, services what) {
  if (options.token.empty() || !what.accounts)
    return fail(errc::internal, "an admin port needs a token and an account service");
  std::unique_ptr<server> made(new server);
  auto& s = *made->state_;
  s.options = std::move(options);
  s.what = std::move(what);
  const auto& limits = s.options.limits;
  s.http.new_task_queue = [threads = limits.threads] { return new httplib::ThreadPool(threads); };
  s.http.set_payload_max_length(limits.body_bytes);
  s.http.set_read_timeout(limits.read_timeout);
  s.http.set_write_timeout(limits.write_timeout);
  // One request for each connection: a client that stays silent holds no thread, and what is left unread of a refused
  // request is never taken for another.
  s.http.set_keep_alive_max_count(1);
  // The library's default is SO_REUSEPORT, with which two daemons would share the port without noticing.
  s.http.set_socket_options([](socket_t socket) {
    int on = 1;
    ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  });
  s.http.set_default_headers({{"Cache-Control", "no-store"}, {"X-Content-Type-Options", "nosniff"}});
  s.http.set_pre_routing_handler([&s](const Request& req, Response& res) {
    return s.admit(req, res) ? httplib::Server::HandlerResponse::Unhandled : httplib::Server::HandlerResponse::Handled;
  });
  s.http.set_error_handler([](const Request&, Response& res) {
    if (res.body.empty())
      answer_error(res,
                   {res.status == 404 ? errc::not_found : errc::invalid, "HTTP status " + std::to_string(res.status)},
                   res.status);
  });
  s.http.set_exception_handler([](const Request& req, Response& res, std::exception_ptr thrown) {
    std::string why = "unknown exception";
    try {
      std::rethrow_exception(thrown);
    } catch (const std::exception& e) {
      why = e.what();
    } catch (...) {
    }
    log::error("the admin port failed at {} {}: {}", req.method, req.path, why);
    answer_error(res, {errc::internal, "the request failed inside; see the log"});
  });
  s.add_views();
  s.add_domains();
  s.add_user_changes();
  s.add_users();
  if (s.what.addresses)
    add_address_routes(s.http, *s.what.addresses);
  if (s.what.queue)
    add_queue_routes(s.http, *s.what.queue);

  int port = s.options.port;
  bool bound = port == 0 ? (port = s.http.bind_to_any_port(s.options.address)) > 0
                         : s.http.bind_to_port(s.options.address, port);
  if (!bound)
    return fail(errc::unavailable, "the admin port " + s.options.address + ":" + std::to_string(s.options.port)
                                       + " can't be bound; is it taken by another program?");
  s.port = static_cast<std::uint16_t>(port);
  s.thread = std::thread([&s] {
    s.http.listen_after_bind();
    s.ended = true;
  });
  // stop() before the server runs would be lost.
  while (!s.http.is_running() && !s.ended)
    std::this_thread::yield();
  return made;
}

} // namespace merpati::admin
