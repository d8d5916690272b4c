// merpati serve: everything around the daemon proper. Order of things:
//   settings -> signals blocked -> folders -> store and actors -> admin port -> run files -> "ready" -> wait for a
//   signal
// and back in the opposite order, within stop_deadline.
#include <atomic>
#include <iostream>
#include <mutex>
#include <thread>

#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "actors/admin/admin_server.hpp"
#include "base/log.hpp"
#include "main/commands.hpp"
#include "main/daemon.hpp"
#include "main/process.hpp"
#include "main/report.hpp"
#include "main/run_files.hpp"
#include "main/version.hpp"

namespace merpati {

namespace {

/// What actors get to end in order, and when the process ends whatever they do: together below 10 seconds.
constexpr std::chrono::milliseconds stop_deadline{8'000};
constexpr std::chrono::milliseconds give_up_after{9'500};

log::level native(config::log_level level) {
  switch (level) {
  case config::log_level::debug: return log::level::debug;
  case config::log_level::info: return log::level::info;
  case config::log_level::warning: return log::level::warning;
  case config::log_level::error: return log::level::error;
  }
  return log::level::info;
}

/// Why the daemon could not go on, told by any thread.
class failure_report {
public:
  explicit failure_report(wake_event wake) : wake_(std::move(wake)) {}

  void tell(std::string reason) {
    {
      std::scoped_lock lock(mutex_);
      if (reason_.empty())
        reason_ = reason.empty() ? "unknown reason" : std::move(reason);
    }
    wake_.raise();
  }
  std::string reason() const {
    std::scoped_lock lock(mutex_);
    return reason_;
  }
  int descriptor() const noexcept { return wake_.descriptor(); }

private:
  wake_event wake_;
  mutable std::mutex mutex_;
  std::string reason_;
};

/// Ends the process when stopping takes too long, or when a second signal asks for it.
class stop_guard {
public:
  stop_guard(const signal_events& signals, const wake_event& stopped, int status) : stopped_(stopped) {
    thread_ = std::thread([&signals, &stopped, status] {
      pollfd waits[2] = {{stopped.descriptor(), POLLIN, 0}, {signals.descriptor(), POLLIN, 0}};
      auto until = std::chrono::steady_clock::now() + give_up_after;
      for (;;) {
        auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
        int ready = ::poll(waits, 2, static_cast<int>(std::max<std::int64_t>(left.count(), 0)));
        if (ready > 0 && (waits[0].revents & POLLIN) != 0)
          return;
        if (ready > 0) {
          if (signals.next() == SIGHUP)
            continue;
          log::warning("asked twice to stop; ending at once. What was acknowledged is on disk");
          ::_exit(status);
        }
        if (ready == 0) {
          log::error("not everything ended in time; ending the process. What was acknowledged is on disk");
          ::_exit(exit_broken);
        }
      }
    });
  }
  ~stop_guard() {
    stopped_.raise();
    thread_.join();
  }
  stop_guard(const stop_guard&) = delete;
  stop_guard& operator=(const stop_guard&) = delete;

private:
  const wake_event& stopped_;
  std::thread thread_;
};

result<std::unique_ptr<admin::server>> start_admin(const config::settings& settings, const run_files& files,
                                                   mail_daemon& daemon) {
  auto token = files.make_token();
  if (!token)
    return tl::unexpected(token.error());
  admin::server_options options;
  options.address = settings.admin.address;
  options.port = settings.admin.port;
  options.token = std::move(*token);
  options.version = program_version;
  return admin::server::start(std::move(options), daemon.services());
}

result<void> publish(const config::settings& settings, const run_files& files, const mail_daemon& daemon,
                     const admin::server* admin) {
  run_state state;
  state.pid = ::getpid();
  state.listeners = daemon.listeners();
  if (admin)
    state.admin = admin_place{settings.admin.address, admin->port()};
  return files.publish(state);
}

void reload(mail_daemon& daemon) {
  sd_notify(0, "RELOADING=1");
  if (auto done = daemon.reload())
    log::info("certificates read anew; new sessions use them");
  else
    log::error("certificates not read anew, the old ones stay in use: {}", done.error().what);
  sd_notify(0, "READY=1");
}

/// Until a signal says stop or the daemon reports that it can't go on. Answers the exit status.
int run_until_told(const signal_events& signals, const failure_report& failure, mail_daemon& daemon) {
  pollfd waits[2] = {{signals.descriptor(), POLLIN, 0}, {failure.descriptor(), POLLIN, 0}};
  for (;;) {
    if (::poll(waits, 2, -1) < 0)
      continue; // EINTR: a debugger
    if (auto reason = failure.reason(); !reason.empty()) {
      log::error("the daemon can't go on: {}; ending so that it is started again", reason);
      return exit_broken;
    }
    while (int number = signals.next()) {
      if (number == SIGHUP) {
        reload(daemon);
      } else {
        log::info("stopping, as {} asks", number == SIGINT ? "SIGINT" : "SIGTERM");
        return exit_done;
      }
    }
  }
}

int run(const config::settings& settings, const run_files& files, const signal_events& signals,
        const wake_event& stopped, const std::shared_ptr<failure_report>& failure) {
  auto daemon = mail_daemon::start(settings, [failure](std::string reason) { failure->tell(std::move(reason)); });
  if (!daemon)
    return complain(daemon.error().what);
  // From here on the store is locked by us: what lies in run/ is ours or a crashed daemon's.
  files.remove();
  std::unique_ptr<admin::server> admin;
  int status = exit_failed;
  auto ready = result<void>();
  if (settings.admin.enabled) {
    if (auto started = start_admin(settings, files, **daemon))
      admin = std::move(*started);
    else
      ready = tl::unexpected(started.error());
  }
  if (ready)
    ready = publish(settings, files, **daemon, admin.get());
  if (ready) {
    log::info("ready");
    sd_notify(0, "READY=1");
    status = run_until_told(signals, *failure, **daemon);
    sd_notify(0, "STOPPING=1");
  } else {
    complain(ready.error().what);
  }
  stop_guard guard(signals, stopped, status);
  files.remove();
  admin.reset();
  (*daemon)->stop(stop_deadline);
  daemon->reset();
  return status;
}

} // namespace

int serve(const std::filesystem::path& config) {
  tune_allocator();
  auto settings = load_settings(config);
  if (!settings)
    return exit_failed;
  if (auto found = config::check_files(*settings); !found.empty()) {
    for (const auto& p : found)
      std::cerr << config::to_string(p) << '\n';
    return exit_failed;
  }
  log::start(native(settings->level));
  auto signals = signal_events::block();
  auto wake = wake_event::create();
  auto stopped = wake_event::create();
  if (!signals || !wake || !stopped)
    return complain("the system refuses event descriptors; is the limit of open files (ulimit -n) very low?");
  ::umask(077);
  log::info("merpati {} starts; up to {} open files", program_version, raise_descriptor_limit());
  run_files files(settings->data_dir);
  if (auto made = files.make_folders(); !made)
    return complain(made.error().what);
  auto failure = std::make_shared<failure_report>(std::move(*wake));
  auto status = run(*settings, files, *signals, *stopped, failure);
  if (status == exit_done)
    log::info("stopped");
  return status;
}

} // namespace merpati
