#include "base/replace_file.hpp"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/descriptor.hpp"

namespace merpati {

namespace {

tl::unexpected<error> failed(const char* what, const std::filesystem::path& file) {
  const int code = errno;
  return fail(code == ENOSPC || code == EDQUOT ? errc::disk_full : errc::unavailable,
              std::string(what) + " " + file.string() + ": " + std::strerror(code));
}

bool write_all(int fd, std::string_view content) {
  while (!content.empty()) {
    const auto written = ::write(fd, content.data(), content.size());
    if (written < 0 && errno != EINTR)
      return false;
    content.remove_prefix(written < 0 ? 0 : static_cast<std::size_t>(written));
  }
  return true;
}

} // namespace

result<void> replace_file(const std::filesystem::path& file, std::string_view content, mode_t mode, file_life life) {
  const bool synced = life == file_life::through_power_cut;
  auto beside = file;
  beside += ".new";
  ::unlink(beside.c_str());
  {
    descriptor out(::open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode));
    if (out.get() < 0)
      return failed("can't make", beside);
    if (!write_all(out.get(), content) || (synced && ::fsync(out.get()) != 0) || ::close(out.release()) != 0)
      return failed("can't write", beside);
  }
  if (::rename(beside.c_str(), file.c_str()) != 0)
    return failed("can't put in place", file);
  if (!synced)
    return {};
  const descriptor folder(::open(file.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.get() < 0 || ::fsync(folder.get()) != 0)
    return failed("can't put in place", file);
  return {};
}

} // namespace merpati
