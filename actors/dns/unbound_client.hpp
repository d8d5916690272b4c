// libunbound behind a small face: questions from any thread, answers on one of its own.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "actors/dns/records.hpp"
#include "config/policy_settings.hpp"

namespace merpati::dns {

class unbound_client {
public:
  /// Called on the client's thread, once for each question, unless it was cancelled or the client ended before.
  using answered = std::function<void(std::uint64_t id, answer)>;

  /// unavailable: the library, a forwarder, resolv.conf or the trust anchor can't be used.
  static result<std::unique_ptr<unbound_client>> start(const config::resolver_settings& settings, answered then);
  /// Ends the thread; questions that are open are never answered.
  ~unbound_client();
  unbound_client(const unbound_client&) = delete;
  unbound_client& operator=(const unbound_client&) = delete;

  /// `id` is of no other open question; `name` is a domain name.
  void ask(std::uint64_t id, std::string name, record_type type);
  void cancel(std::uint64_t id);

private:
  unbound_client();
  struct state;
  std::unique_ptr<state> state_;
};

} // namespace merpati::dns
