#include "main/process.hpp"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include <malloc.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

namespace merpati {

void tune_allocator() noexcept {
  // By default glibc makes up to eight arenas a core, and what is freed in one is not used by another: with thousands
  // of sessions moving between workers each arena grows to the peak. Two are enough for the few threads there are.
  mallopt(M_ARENA_MAX, 2);
  // Free memory at the top of the heap goes back to the system from 1 MiB on; setting it also stops glibc from
  // raising the limits by itself after the first large message.
  mallopt(M_TRIM_THRESHOLD, 1 << 20);
  // Large buffers (message parts, 19 MiB for each password) get mappings of their own, gone when they are freed.
  mallopt(M_MMAP_THRESHOLD, 256 << 10);
}

std::uint64_t raise_descriptor_limit() noexcept {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
    return 0;
  if (limit.rlim_cur < limit.rlim_max) {
    auto wanted = limit;
    wanted.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &wanted) == 0)
      limit = wanted;
  }
  return limit.rlim_cur;
}

result<signal_events> signal_events::block() {
  sigset_t set;
  sigemptyset(&set);
  for (int number : {SIGTERM, SIGINT, SIGHUP})
    sigaddset(&set, number);
  if (int code = pthread_sigmask(SIG_BLOCK, &set, nullptr); code != 0)
    return fail(errc::internal, std::string("signals can't be blocked: ") + std::strerror(code));
  std::signal(SIGPIPE, SIG_IGN);
  int descriptor = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  if (descriptor < 0)
    return fail(errc::unavailable, std::string("signalfd: ") + std::strerror(errno));
  return signal_events(descriptor);
}

signal_events::signal_events(signal_events&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

signal_events::~signal_events() {
  if (descriptor_ >= 0)
    ::close(descriptor_);
}

int signal_events::next() const noexcept {
  signalfd_siginfo info{};
  return ::read(descriptor_, &info, sizeof info) == sizeof info ? static_cast<int>(info.ssi_signo) : 0;
}

result<wake_event> wake_event::create() {
  int descriptor = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (descriptor < 0)
    return fail(errc::unavailable, std::string("eventfd: ") + std::strerror(errno));
  return wake_event(descriptor);
}

wake_event::wake_event(wake_event&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

wake_event::~wake_event() {
  if (descriptor_ >= 0)
    ::close(descriptor_);
}

void wake_event::raise() const noexcept {
  std::uint64_t one = 1;
  [[maybe_unused]] auto written = ::write(descriptor_, &one, sizeof one); // fails only when it is raised already
}

} // namespace merpati
