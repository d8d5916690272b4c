// A file descriptor that is closed with its owner.
#pragma once

#include <utility>

#include <unistd.h>

namespace merpati {

class descriptor {
public:
  explicit descriptor(int fd) noexcept : fd_(fd) {}
  ~descriptor() {
    if (fd_ >= 0)
      ::close(fd_);
  }
  descriptor(const descriptor&) = delete;
  descriptor& operator=(const descriptor&) = delete;
  int get() const noexcept { return fd_; } ///< below 0: there is none
  int release() noexcept { return std::exchange(fd_, -1); }

private:
  int fd_;
};

} // namespace merpati
