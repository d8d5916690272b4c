// The admin port: HTTP on loopback, on threads of its own, so that it answers when actors are stuck.
//
//   GET  /                          a small page for people
//   GET  /healthz                   200 "ok", or 503 and the reason
//   GET  /actors[?kind=K]           JSON: every live actor
//   GET  /metrics                   Prometheus text
//   GET  /v1/domains                {"domains":["example.org"]}
//   POST /v1/domains                {"name":"example.org"}
//   DELETE /v1/domains/NAME
//   GET  /v1/users                  {"users":[{"address":...,"enabled":...,"quota_bytes":...,...}]}
//   POST /v1/users                  {"address":...,"password":...,"quota_bytes":0}
//   DELETE /v1/users/ADDRESS
//   POST /v1/users/ADDRESS/enable | disable
//   PUT  /v1/users/ADDRESS/password {"password":...}
//   PUT  /v1/users/ADDRESS/quota    {"quota_bytes":...}
//   GET  /v1/addresses              {"addresses":[...]}: aliases, lists and forwards, see wire.hpp
//   GET, PUT, DELETE /v1/addresses/ADDRESS
//   POST /v1/addresses/LIST/members {"add":[...],"remove":[...]}
//   PUT  /v1/domains/NAME/alias     {"of":"example.org"}
//   POST /v1/explain                {"recipient":...,"sender":...,"account":...}
//   POST /v1/queue/list             a filter, see queue_wire.hpp: {"recipients":[...],"matching":0}
//   POST /v1/queue/change/ACTION    a filter: {"changed":0}; ACTION: retry, hold, release, delete, bounce
//   POST /v1/reload
//
// All of /v1 needs "Authorization: Bearer TOKEN". A failure is {"error":"not_found","what":"..."} with a fitting
// status. Requests whose Host is neither a loopback name nor the address served are refused: a web page elsewhere can't
// reach the port by pointing a name of its own at 127.0.0.1 (DNS rebinding).
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "actors/admin/admin_views.hpp"
#include "actors/mail/account_service.hpp"
#include "actors/mail/address_service.hpp"
#include "actors/mail/queue_service.hpp"
#include "actors/runtime/stats.hpp"
#include "base/result.hpp"

namespace merpati::admin {

struct server_limits {
  std::size_t threads = 4;              ///< answers that may be under way at once; changes wait for a disk
  std::size_t body_bytes = 4 << 20;     ///< the largest request is a list with all its members
  std::size_t path_bytes = 512;         ///< the longest is that of an address
  std::chrono::seconds read_timeout{5}; ///< a peer on loopback is never slow for an honest reason
  std::chrono::seconds write_timeout{5};
};

/// What the server shows and whom it asks. Called on the server's threads, several at a time. Functions may be empty:
/// then health is good, actors and kinds are those of this process, and there is nothing more.
struct services {
  mail::account_service* accounts = nullptr;  ///< outlives the server
  mail::address_service* addresses = nullptr; ///< likewise; null: these paths are not there
  mail::queue_service* queue = nullptr;       ///< likewise
  std::function<result<void>()> health;       ///< a failure's sentence is the reason shown
  std::function<std::vector<runtime::actor_stats>()> actors;
  std::function<std::vector<runtime::kind_stats>()> kinds;
  std::function<std::vector<metric>()> metrics;
  std::function<result<void>()> reload; ///< reads certificates anew
};

struct server_options {
  std::string address = "127.0.0.1";
  std::uint16_t port = 0; ///< 0: any free port
  std::string token;      ///< not empty
  std::string version;    ///< shown on the page and in /metrics
  server_limits limits;
};

class server {
public:
  /// Binds and starts answering. unavailable when the address can't be bound.
  static result<std::unique_ptr<server>> start(server_options options, services what);
  /// Stops; waits for answers that are under way.
  ~server();
  std::uint16_t port() const noexcept;

private:
  server();
  struct state;
  std::unique_ptr<state> state_;
};

} // namespace merpati::admin
