#include "actors/policy/greylist_file.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>

#include <fcntl.h>
#include <unistd.h>

namespace merpati::policy {

namespace {

class descriptor {
public:
  explicit descriptor(int fd) noexcept : fd_(fd) {}
  ~descriptor() {
    if (fd_ >= 0)
      ::close(fd_);
  }
  descriptor(const descriptor&) = delete;
  descriptor& operator=(const descriptor&) = delete;
  int get() const noexcept { return fd_; }

private:
  int fd_;
};

tl::unexpected<error> failed(const std::filesystem::path& file) {
  const int code = errno;
  return fail(code == ENOSPC || code == EDQUOT ? errc::disk_full : errc::unavailable,
              file.string() + ": " + std::strerror(code));
}

} // namespace

result<std::string> load_greylist(const std::filesystem::path& file) {
  std::error_code problem;
  const auto size = std::filesystem::file_size(file, problem);
  if (problem == std::errc::no_such_file_or_directory)
    return std::string();
  if (problem)
    return fail(errc::unavailable, file.string() + ": " + problem.message());
  if (size > greylist_file_max_bytes)
    return fail(errc::too_big, file.string() + " is larger than greylisting ever makes it");
  std::string content(size, '\0');
  std::ifstream in(file, std::ios::binary);
  in.read(content.data(), static_cast<std::streamsize>(content.size()));
  if (!in.is_open() || in.bad())
    return fail(errc::unavailable, file.string() + " can't be read");
  content.resize(static_cast<std::size_t>(in.gcount()));
  return content;
}

result<void> save_greylist(const std::filesystem::path& file, const std::string& content) {
  auto beside = file;
  beside += ".new";
  {
    const descriptor out(::open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (out.get() < 0)
      return failed(beside);
    for (std::size_t done = 0; done < content.size();) {
      const auto written = ::write(out.get(), content.data() + done, content.size() - done);
      if (written < 0 && errno != EINTR)
        return failed(beside);
      done += written < 0 ? 0 : static_cast<std::size_t>(written);
    }
    if (::fsync(out.get()) != 0)
      return failed(beside);
  }
  if (::rename(beside.c_str(), file.c_str()) != 0)
    return failed(file);
  const descriptor folder(::open(file.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.get() < 0 || ::fsync(folder.get()) != 0)
    return failed(file);
  return {};
}

} // namespace merpati::policy
