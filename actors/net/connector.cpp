#include "actors/net/connector.hpp"

#include <cerrno>
#include <cstring>
#include <unordered_map>
#include <utility>

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <caf/io/all.hpp>
#include <caf/io/network/event_handler.hpp>

#include "actors/net/connection_broker.hpp"
#include "actors/net/connection_scribe.hpp"
#include "actors/net/event_loop.hpp"
#include "actors/net/socket_address.hpp"
#include "actors/runtime/reply_promise.hpp"
#include "actors/runtime/stats.hpp"
#include "base/socket_path.hpp"

namespace merpati::net {

namespace {

using caf::io::network::operation;

/// The kernel has decided about an attempt: 0 or an errno.
struct attempt_over {
  std::uint64_t id = 0;
  int cause = 0;
};
struct time_over {
  std::uint64_t id = 0;
};

} // namespace

} // namespace merpati::net

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(merpati::net::attempt_over)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(merpati::net::time_over)

namespace merpati::net {

namespace {

/// A socket that is being connected, in CAF's event loop until it is writable. The loop's: it goes when the loop has
/// let go of it. `handle` points to it as long as it has something to tell.
class attempt final : public caf::io::network::event_handler {
public:
  using handle = std::shared_ptr<attempt*>;

  static handle begin(caf::io::network::default_multiplexer& loop, int watched, caf::actor connector,
                      std::uint64_t id) {
    auto* made = new attempt(loop, watched, std::move(connector), id);
    made->self_ = std::make_shared<attempt*>(made);
    auto out = made->self_;
    loop.add(operation::write, watched, made);
    return out;
  }

  /// Nobody waits for it any more.
  static void cancel(const handle& which) {
    if (*which != nullptr)
      (*which)->leave();
  }

  void handle_event(operation) override {
    if (*self_ == nullptr)
      return;
    int cause = 0;
    socklen_t size = sizeof cause;
    if (::getsockopt(fd(), SOL_SOCKET, SO_ERROR, &cause, &size) != 0)
      cause = errno;
    caf::anon_send(connector_, attempt_over{id_, cause});
    leave();
  }
  void removed_from_loop(operation) override { delete this; }
  void graceful_shutdown() override { cancel(self_); }

private:
  attempt(caf::io::network::default_multiplexer& loop, int watched, caf::actor connector, std::uint64_t id)
      : event_handler(loop, watched), connector_(std::move(connector)), id_(id) {}

  void leave() {
    *self_ = nullptr;
    backend().del(operation::write, fd(), this);
  }

  caf::actor connector_;
  std::uint64_t id_;
  handle self_;
};

class connector_broker final : public caf::io::broker {
public:
  explicit connector_broker(caf::actor_config& config)
      : caf::io::broker(config), stats_(runtime::stats_handle::add(id(), "connector", "")) {}

  const char* name() const override { return "connector"; }

  void on_exit() override {
    for (auto& [id, waiting] : open_) {
      attempt::cancel(waiting.watch);
      waiting.answer.deliver(fail(errc::unavailable, "stopping"));
    }
    open_.clear();
  }

protected:
  caf::behavior make_behavior() override {
    set_default_handler(caf::drop);
    return {stats_.timed([this](connect_to& m) { begin(std::move(m)); }),
            stats_.timed([this](const attempt_over& m) { end(m.id, m.cause); }),
            [this](const time_over& m) { end(m.id, ETIMEDOUT); }, [this](runtime::stop_request) { quit(); }};
  }

private:
  struct waiting_attempt {
    attempt::handle watch;
    std::shared_ptr<descriptor> socket;
    runtime::reply_promise<result<connected>> answer;
  };

  void begin(connect_to what) {
    runtime::reply_promise<result<connected>> answer(this);
    auto socket = open_socket(what);
    if (!socket)
      return answer.deliver(tl::make_unexpected(std::move(socket.error())));
    auto where = what.where.path.empty() ? socket_address::parse(what.where.address, what.where.port)
                                         : socket_address::of_path(what.where.path);
    if (!where)
      return answer.deliver(tl::make_unexpected(std::move(where.error())));
    if (::connect((*socket)->get(), where->get(), where->size) == 0)
      return answer.deliver(opened(std::move(*socket), what.where));
    if (errno != EINPROGRESS)
      return answer.deliver(failure(errno));
    // The loop closes the descriptor that it watches.
    const int watched = ::fcntl((*socket)->get(), F_DUPFD_CLOEXEC, 0);
    if (watched < 0)
      return answer.deliver(failure(errno));
    const auto id = ++last_id_;
    auto& loop = static_cast<caf::io::network::default_multiplexer&>(backend());
    auto watch = attempt::begin(loop, watched, caf::actor_cast<caf::actor>(this), id);
    open_.emplace(id, waiting_attempt{std::move(watch), std::move(*socket), std::move(answer)});
    delayed_send(this, what.timeout, time_over{id});
  }

  void end(std::uint64_t id, int cause) {
    auto found = open_.find(id);
    if (found == open_.end())
      return;
    auto waiting = std::move(found->second);
    open_.erase(found);
    attempt::cancel(waiting.watch);
    if (cause != 0)
      waiting.answer.deliver(failure(cause));
    else
      waiting.answer.deliver(opened(std::move(waiting.socket), {}));
  }

  static result<std::shared_ptr<descriptor>> open_socket(const connect_to& what) {
    int family = AF_UNIX;
    if (what.where.path.empty()) {
      auto where = socket_address::parse(what.where.address, what.where.port);
      if (!where)
        return tl::make_unexpected(std::move(where.error()));
      family = where->family();
    }
    auto made = std::make_shared<descriptor>(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (made->get() < 0)
      return failure(errno);
    if (family == AF_UNIX)
      return made;
    const int on = 1;
    ::setsockopt(made->get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    ::setsockopt(made->get(), SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    if (what.source.empty())
      return made;
    auto source = socket_address::parse(what.source, 0);
    if (!source)
      return tl::make_unexpected(std::move(source.error()));
    if (source->family() != family)
      return fail(errc::invalid, what.source + " and " + what.where.address + " are of different families");
    if (::bind(made->get(), source->get(), source->size) != 0)
      return fail(errc::unavailable, "can't connect from " + what.source + ": " + std::strerror(errno));
    return made;
  }

  static connected opened(std::shared_ptr<descriptor> socket, const remote_endpoint& where) {
    connected out;
    out.info = endpoints_of(socket->get());
    if (!where.path.empty())
      out.info.remote_address = where.path;
    out.socket = std::move(socket);
    return out;
  }

  static tl::unexpected<error> failure(int cause) { return fail(errc::unavailable, std::strerror(cause)); }

  runtime::stats_handle stats_;
  std::unordered_map<std::uint64_t, waiting_attempt> open_;
  std::uint64_t last_id_ = 0;
};

} // namespace

std::string to_string(const remote_endpoint& where) {
  if (!where.path.empty())
    return at_socket_path(where.path);
  return "[" + where.address + "]:" + std::to_string(where.port);
}

connector_actor spawn_connector(caf::actor_system& system) {
  caf::actor_config config{&system.middleman().backend()};
  return caf::actor_cast<connector_actor>(system.spawn_class<connector_broker, caf::no_spawn_options>(config));
}

result<caf::actor> run_connection(caf::actor_system& system, connected opened, session_factory make_session,
                                  std::uint64_t parent, runtime::supervisor_actor sessions, int sessions_phase) {
  auto loop = event_loop(system);
  if (!loop)
    return tl::make_unexpected(std::move(loop.error()));
  connection_settings connection;
  connection.descriptor = opened.socket->get();
  connection.scribe = caf::make_counted<connection_scribe>(**loop, opened.socket->release());
  connection.info = std::move(opened.info);
  connection.make_session = std::move(make_session);
  connection.sessions = std::move(sessions);
  connection.sessions_phase = sessions_phase;
  connection.parent = parent;
  caf::actor_config config{*loop};
  return system.spawn_class<connection_broker, caf::no_spawn_options>(config, std::move(connection));
}

} // namespace merpati::net
