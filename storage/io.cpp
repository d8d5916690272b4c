#include "storage/io.hpp"

#include <array>
#include <atomic>
#include <cerrno>
#include <climits>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <spdlog/fmt/fmt.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace merpati::storage::io {

namespace {

std::atomic<observer*> watching{nullptr};

/// The call's outcome, or what the observer wants it to be: 0 or an errno value.
template <class F>
int perform(call what, const std::filesystem::path& where, F&& f) {
  if (int refused = ask_observer(what, where))
    return refused;
  for (;;) {
    if (f() >= 0)
      return 0;
    if (errno != EINTR)
      return errno;
  }
}

template <class F>
result<void> checked(call what, std::string_view action, const std::filesystem::path& where, F&& f) {
  if (int number = perform(what, where, std::forward<F>(f)))
    return fail_errno(number, action, where);
  return {};
}

} // namespace

void set_observer(observer* who) noexcept {
  watching.store(who);
}

int ask_observer(call what, const std::filesystem::path& where) {
  auto* who = watching.load(std::memory_order_acquire);
  return who ? who->before(what, where) : 0;
}

tl::unexpected<error> fail_errno(int number, std::string_view action, const std::filesystem::path& where) {
  auto code = errc::unavailable;
  if (number == ENOSPC || number == EDQUOT)
    code = errc::disk_full;
  else if (number == ENOENT)
    code = errc::not_found;
  else if (number == EEXIST)
    code = errc::already_exists;
  return fail(code, fmt::format("cannot {} {}: {}", action, where.string(), std::generic_category().message(number)));
}

file::file(file&& other) noexcept : fd_(std::exchange(other.fd_, -1)), path_(std::move(other.path_)) {}
file& file::operator=(file&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(path_, other.path_);
  return *this;
}
file::~file() {
  if (fd_ >= 0)
    ::close(fd_);
}

result<file> open(const std::filesystem::path& path, int flags) {
  int fd = -1;
  int number = perform(call::open, path, [&] { return fd = ::open(path.c_str(), flags | O_CLOEXEC, 0600); });
  if (number)
    return fail_errno(number, "open", path);
  return file(fd, path);
}

result<void> write(const file& to, std::span<iovec> pieces, std::uint64_t offset) {
  while (!pieces.empty()) {
    auto count = std::min<std::size_t>(pieces.size(), IOV_MAX);
    ssize_t done = 0;
    int number = perform(call::write, to.path(), [&] {
      return done = ::pwritev(to.fd(), pieces.data(), static_cast<int>(count), static_cast<off_t>(offset));
    });
    if (number)
      return fail_errno(number, "write", to.path());
    offset += static_cast<std::uint64_t>(done);
    auto left = static_cast<std::size_t>(done);
    while (!pieces.empty() && left >= pieces.front().iov_len) {
      left -= pieces.front().iov_len;
      pieces = pieces.subspan(1);
    }
    if (left > 0) {
      pieces.front().iov_base = static_cast<char*>(pieces.front().iov_base) + left;
      pieces.front().iov_len -= left;
    }
  }
  return {};
}

void begin_write_out(const file& of, std::uint64_t offset, std::uint64_t length) noexcept {
  std::ignore =
      ::sync_file_range(of.fd(), static_cast<off64_t>(offset), static_cast<off64_t>(length), SYNC_FILE_RANGE_WRITE);
}

result<void> sync(const file& of) {
  return checked(call::sync, "sync", of.path(), [&] { return ::fdatasync(of.fd()); });
}

result<void> sync_folder(const std::filesystem::path& folder) {
  int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0)
    return fail_errno(errno, "open", folder);
  file holder(fd, folder);
  return checked(call::sync_folder, "sync", folder, [&] { return ::fsync(fd); });
}

result<void> link(const std::filesystem::path& from, const std::filesystem::path& to) {
  return checked(call::link, "link", from, [&] { return ::link(from.c_str(), to.c_str()); });
}

result<void> unlink(const std::filesystem::path& path) {
  int number = perform(call::unlink, path, [&] { return ::unlink(path.c_str()); });
  if (number && number != ENOENT)
    return fail_errno(number, "remove", path);
  return {};
}

result<void> allocate(const file& of, std::uint64_t offset, std::uint64_t length) {
  int number = perform(call::allocate, of.path(),
                       [&] { return ::fallocate(of.fd(), 0, static_cast<off_t>(offset), static_cast<off_t>(length)); });
  if (number && number != EOPNOTSUPP)
    return fail_errno(number, "reserve space in", of.path());
  return {};
}

result<void> truncate(const file& of, std::uint64_t length) {
  return checked(call::truncate, "truncate", of.path(),
                 [&] { return ::ftruncate(of.fd(), static_cast<off_t>(length)); });
}

result<void> make_folder(const std::filesystem::path& path) {
  int number = perform(call::folder, path, [&] { return ::mkdir(path.c_str(), 0700); });
  if (number == EEXIST && std::filesystem::is_directory(path))
    return {};
  if (number)
    return fail_errno(number, "make the folder", path);
  auto parent = path.parent_path();
  return sync_folder(parent.empty() ? "." : parent);
}

result<std::size_t> read(const file& from, char* into, std::size_t length, std::uint64_t offset) {
  std::size_t done = 0;
  while (done < length) {
    auto got = ::pread(from.fd(), into + done, length - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      return fail_errno(errno, "read", from.path());
    if (got == 0)
      break;
    done += static_cast<std::size_t>(got);
  }
  return done;
}

result<std::uint64_t> size(const file& of) {
  struct stat s {};
  if (::fstat(of.fd(), &s) != 0)
    return fail_errno(errno, "look at", of.path());
  return static_cast<std::uint64_t>(s.st_size);
}

std::uint64_t free_bytes(const std::filesystem::path& path) noexcept {
  struct statvfs s {};
  if (::statvfs(path.c_str(), &s) != 0)
    return 0;
  return static_cast<std::uint64_t>(s.f_bavail) * s.f_frsize;
}

result<void> require_local_file_system(const std::filesystem::path& path) {
  struct entry {
    std::uint32_t magic;
    const char* name;
  };
  static constexpr std::array<entry, 10> refused{{{0x6969, "NFS"},
                                                  {0x517b, "SMB"},
                                                  {0xff534d42, "CIFS"},
                                                  {0xfe534d42, "SMB2"},
                                                  {0x01021997, "9p"},
                                                  {0x65735546, "FUSE"},
                                                  {0x5346414f, "AFS"},
                                                  {0x00c36400, "Ceph"},
                                                  {0x47504653, "GPFS"},
                                                  {0x0bd00bd0, "Lustre"}}};
  struct statfs s {};
  if (::statfs(path.c_str(), &s) != 0)
    return fail_errno(errno, "look at the file system of", path);
  for (const auto& e : refused)
    if (static_cast<std::uint32_t>(s.f_type) == e.magic)
      return fail(errc::not_permitted,
                  fmt::format("{} is on a {} file system, where locks and syncs do not protect mail: use a local disk",
                              path.string(), e.name));
  return {};
}

} // namespace merpati::storage::io
