#include "main/private_file.hpp"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace merpati {

result<void> write_file(const std::filesystem::path& file, const std::string& content, mode_t mode) {
  auto failed = [&](const std::string& what) {
    return fail(errc::unavailable, what + " " + file.string() + ": " + std::strerror(errno));
  };
  auto beside = file;
  beside += ".new";
  ::unlink(beside.c_str());
  int descriptor = ::open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
  if (descriptor < 0)
    return failed("can't make");
  bool whole = ::write(descriptor, content.data(), content.size()) == static_cast<ssize_t>(content.size());
  if (::close(descriptor) != 0 || !whole)
    return failed("can't write");
  if (::rename(beside.c_str(), file.c_str()) != 0)
    return failed("can't put in place");
  return {};
}

} // namespace merpati
