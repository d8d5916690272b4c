// Every system call of storage/ that changes a disk, behind one small door: failures become errors with the path in
// their sentence, and a test can see and refuse each call. LMDB's own calls do not pass here, its commit does.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include <sys/uio.h>

#include "base/result.hpp"

namespace merpati::storage::io {

enum class call : std::uint8_t { open, write, sync, sync_folder, link, unlink, allocate, truncate, folder, commit };

/// Asked before each call. For tests; not owned. Called on the thread that makes the call.
class observer {
public:
  virtual ~observer() = default;
  /// 0: go on; else an errno value that the call fails with instead of being made.
  virtual int before(call what, const std::filesystem::path& where) = 0;
};

/// Only while no shard is in use by another thread. nullptr: nobody watches.
void set_observer(observer* who) noexcept;
/// What the observer answers; 0 without one.
int ask_observer(call what, const std::filesystem::path& where);

/// An errno value as an error: ENOSPC and EDQUOT are disk_full, ENOENT not_found, EEXIST already_exists, others
/// unavailable.
tl::unexpected<error> fail_errno(int number, std::string_view action, const std::filesystem::path& where);

/// An open descriptor and the path it was opened by.
class file {
public:
  file() = default;
  file(int fd, std::filesystem::path path) : fd_(fd), path_(std::move(path)) {}
  file(file&& other) noexcept;
  file& operator=(file&& other) noexcept;
  ~file();
  int fd() const noexcept { return fd_; }
  explicit operator bool() const noexcept { return fd_ >= 0; }
  const std::filesystem::path& path() const noexcept { return path_; }

private:
  int fd_ = -1;
  std::filesystem::path path_;
};

/// open(2) with O_CLOEXEC; new files belong to the owner alone (0600).
result<file> open(const std::filesystem::path& path, int flags);
/// Writes all of `pieces` at `offset` in as few calls as possible. `pieces` is used up.
result<void> write(const file& to, std::span<iovec> pieces, std::uint64_t offset);
/// Asks the kernel to begin writing these octets to disk; what goes wrong shows at the sync that has to follow.
void begin_write_out(const file& of, std::uint64_t offset, std::uint64_t length) noexcept;
/// fdatasync.
result<void> sync(const file& of);
/// fsync of a folder, so that names made in it stay.
result<void> sync_folder(const std::filesystem::path& folder);
result<void> link(const std::filesystem::path& from, const std::filesystem::path& to);
/// A file that is not there is no failure.
result<void> unlink(const std::filesystem::path& path);
/// Reserves disk space and makes the file that long. Does nothing where the file system cannot.
result<void> allocate(const file& of, std::uint64_t offset, std::uint64_t length);
result<void> truncate(const file& of, std::uint64_t length);
/// Makes a folder for the owner alone (0700) and syncs its parent; one that is there is no failure.
result<void> make_folder(const std::filesystem::path& path);
/// Reads `length` octets or up to the end of the file; returns how many.
result<std::size_t> read(const file& from, char* into, std::size_t length, std::uint64_t offset);
result<std::uint64_t> size(const file& of);

/// Free disk space for us at `path`; 0 when it can't be asked.
std::uint64_t free_bytes(const std::filesystem::path& path) noexcept;
/// Refuses file systems where locks, mmap or fsync do not mean what they say (NFS, CIFS, 9p, FUSE, ...).
result<void> require_local_file_system(const std::filesystem::path& path);

} // namespace merpati::storage::io
