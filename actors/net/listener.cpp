#include "actors/net/listener.hpp"

#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <caf/io/all.hpp>
#include <caf/io/network/doorman_impl.hpp>

#include "actors/net/connection_broker.hpp"
#include "actors/net/connection_scribe.hpp"
#include "actors/net/event_loop.hpp"
#include "actors/net/limiter.hpp"
#include "actors/net/socket_address.hpp"
#include "actors/runtime/stats.hpp"
#include "base/descriptor.hpp"
#include "base/log.hpp"
#include "base/socket_path.hpp"

namespace merpati::net {

namespace {

/// Connections the kernel completes while we are busy or paused.
constexpr int backlog = 1024;
/// How often a paused listener looks whether descriptors are free again.
constexpr auto pause_step = std::chrono::milliseconds(250);

struct paused {};

} // namespace

} // namespace merpati::net

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(merpati::net::paused)

namespace merpati::net {

namespace {

/// The listening socket in CAF's event loop. Accepted sockets become connection brokers here, without a detour over
/// the listener's mailbox, so that the limits hold at each accept.
class acceptor final : public caf::io::network::doorman_impl {
public:
  acceptor(caf::io::network::default_multiplexer& loop, int fd, listener_settings settings)
      : caf::io::network::doorman_impl(loop, fd), loop_(loop), settings_(std::move(settings)) {}

  bool new_connection() override {
    descriptor accepted(acceptor_.accepted_socket());
    if (detached())
      return false;
    try {
      take(accepted);
    } catch (const std::exception& e) {
      log::error("a connection to the {} port is dropped: {}", settings_.kind, e.what());
    }
    return true;
  }

  // CAF ends the process where it is asked for the port of a Unix-domain socket.
  std::uint16_t port() const override { return endpoints_of(acceptor_.fd()).local_port; }
  std::string addr() const override { return settings_.address; }

  const listener_settings& settings() const noexcept { return settings_; }

private:
  void take(descriptor& accepted) {
    const int fd = accepted.get();
    auto info = endpoints_of(fd);
    const bool proxied = settings_.is_proxy && settings_.is_proxy(info.remote_address);
    auto admitted = settings_.limiter->admit(proxied ? std::string_view() : std::string_view(info.remote_address));
    if (settings_.limiter->near_descriptor_limit(fd)) {
      halt();
      caf::anon_send(caf::actor_cast<caf::actor>(parent()), paused{});
    }
    if (!admitted) {
      log::info("{}: a connection from {} is refused, there are too many", settings_.kind, info.remote_address);
      // Best effort: a fresh socket takes a line, and nobody is waited for.
      (void)::send(fd, settings_.refusal.data(), settings_.refusal.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
      return;
    }
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    ::setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    connection_settings connection;
    connection.scribe = caf::make_counted<connection_scribe>(loop_, fd);
    (void)accepted.release();
    connection.descriptor = fd;
    connection.info = std::move(info);
    connection.admitted = std::move(admitted);
    connection.make_session = settings_.make_session;
    connection.sessions = settings_.sessions;
    connection.sessions_phase = settings_.sessions_phase;
    connection.parent = parent()->id();
    caf::actor_config config{&loop_};
    parent()->system().spawn_class<connection_broker, caf::no_spawn_options>(config, std::move(connection));
  }

  caf::io::network::default_multiplexer& loop_;
  listener_settings settings_;
};

class listener_broker final : public caf::io::broker {
public:
  listener_broker(caf::actor_config& config, caf::intrusive_ptr<acceptor> socket)
      : caf::io::broker(config),
        socket_(std::move(socket)),
        stats_(runtime::stats_handle::add(id(), "listener",
                                          socket_->settings().kind + " " + socket_->settings().address + " port "
                                              + std::to_string(socket_->port()),
                                          socket_->settings().parent)) {}

  const char* name() const override { return "listener"; }
  void on_exit() override {
    limiter_ = nullptr;
    if (!socket_path_.empty())
      ::unlink(socket_path_.c_str());
  }

protected:
  caf::behavior make_behavior() override {
    set_default_handler(caf::drop);
    limiter_ = socket_->settings().limiter;
    socket_path_ = socket_path(socket_->settings().address);
    door_ = socket_->hdl();
    add_doorman(std::move(socket_));
    return {[](const caf::io::new_connection_msg&) {},
            [this](const caf::io::acceptor_closed_msg&) {
              stats_.set_error("the listening socket is broken");
              quit(caf::exit_reason::unhandled_exception);
            },
            [](const caf::io::acceptor_passivated_msg&) {}, stats_.timed([this](paused) { on_paused(); }),
            [this](runtime::stop_request) { quit(); }};
  }

private:
  void on_paused() {
    const descriptor probe(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    if (probe.get() >= 0 && !limiter_->near_descriptor_limit(probe.get())) {
      warned_ = false;
      trigger(door_);
      return;
    }
    if (!std::exchange(warned_, true))
      log::warning("accepting pauses: nearly all file descriptors are in use; raise LimitNOFILE or lower the limits of "
                   "connections");
    delayed_send(this, pause_step, paused{});
  }

  caf::intrusive_ptr<acceptor> socket_; // until the broker has begun
  runtime::stats_handle stats_;
  std::shared_ptr<connection_limiter> limiter_;
  caf::io::accept_handle door_;
  std::string socket_path_; // of a Unix-domain socket
  bool warned_ = false;
};

tl::unexpected<error> socket_failure(const listener_settings& settings, const char* what) {
  const int cause = errno;
  const auto text = std::string(what) + " " + settings.address + " port " + std::to_string(settings.port) + ": "
                    + std::strerror(cause);
  switch (cause) {
  case EADDRINUSE: return fail(errc::in_use, text);
  case EACCES:
  case EPERM: return fail(errc::not_permitted, text);
  case EADDRNOTAVAIL:
  case EAFNOSUPPORT: return fail(errc::invalid, text);
  default: return fail(errc::unavailable, text);
  }
}

/// A socket file without a listener behind it, as a crash leaves it, goes. errc::in_use: somebody listens.
result<void> clear_path(const std::string& path, const socket_address& where) {
  struct stat found {};
  if (::lstat(path.c_str(), &found) != 0 || !S_ISSOCK(found.st_mode))
    return {}; // bind() says what is wrong
  const descriptor probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (::connect(probe.get(), where.get(), where.size) == 0 || errno == EAGAIN)
    return fail(errc::in_use, "another process listens on " + path);
  ::unlink(path.c_str());
  return {};
}

} // namespace

result<bound_listener> listen(caf::actor_system& system, listener_settings settings) {
  const std::string path(socket_path(settings.address));
  auto where = path.empty() ? socket_address::parse(settings.address, settings.port) : socket_address::of_path(path);
  if (!where)
    return tl::unexpected<error>(std::move(where.error()));
  descriptor fd(::socket(where->family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (fd.get() < 0)
    return socket_failure(settings, "no socket for");
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (where->family() == AF_INET6)
    ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  if (!path.empty())
    if (auto cleared = clear_path(path, *where); !cleared)
      return tl::make_unexpected(cleared.error());
  if (::bind(fd.get(), where->get(), where->size) != 0)
    return socket_failure(settings, "cannot bind to");
  if (!path.empty() && ::chmod(path.c_str(), settings.socket_mode) != 0)
    return socket_failure(settings, "cannot set the mode of");
  if (::listen(fd.get(), backlog) != 0)
    return socket_failure(settings, "cannot listen on");
  auto loop = event_loop(system);
  if (!loop)
    return tl::make_unexpected(std::move(loop.error()));
  if (!settings.limiter)
    settings.limiter = make_limiter({});
  auto socket = caf::make_counted<acceptor>(**loop, fd.get(), std::move(settings));
  (void)fd.release();
  bound_listener bound;
  bound.address = socket->settings().address;
  bound.port = socket->port();
  caf::actor_config config{*loop};
  bound.actor = system.spawn_class<listener_broker, caf::no_spawn_options>(config, std::move(socket));
  return bound;
}

} // namespace merpati::net
