#include "tests/storage/disk_double.hpp"

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

namespace merpati::storage::testing::disk {

namespace {

constexpr std::size_t sector = 512; ///< a power cut tears a write between sectors

/// One inode: what is surely on disk, and what was written since.
struct inode {
  std::string synced;
  std::string now;
  struct piece {
    std::uint64_t offset;
    std::string octets;
  };
  std::vector<piece> pending;
};
using names = std::map<std::string, std::shared_ptr<inode>>;

struct recorder {
  std::mutex lock;
  bool active = false;
  bool ignoring = false;
  std::string folder;
  names current; ///< path below the folder
  names synced;
};

recorder& the() {
  static recorder r;
  return r;
}

std::atomic<std::uint64_t> made{0};
std::atomic<std::uint64_t> fail_at{0};
std::atomic<int> fail_with{0};
constexpr int killed = -1; ///< in fail_with: the process dies

/// Counts the call; true when it is the one that fails.
bool fails() {
  auto n = made.fetch_add(1) + 1;
  if (n != fail_at.load())
    return false;
  if (fail_with.load() == killed)
    ::raise(SIGKILL);
  errno = fail_with.load();
  return true;
}

std::optional<std::string> path_of(int fd) {
  char link[64];
  char target[4096];
  std::snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  auto n = ::readlink(link, target, sizeof target);
  if (n <= 0)
    return std::nullopt;
  return std::string(target, static_cast<std::size_t>(n));
}

/// The inode of a descriptor below the folder that is recorded.
std::shared_ptr<inode> inode_of(recorder& r, int fd) {
  auto path = path_of(fd);
  if (!path || !path->starts_with(r.folder + "/"))
    return nullptr;
  auto& node = r.current[*path];
  if (!node)
    node = std::make_shared<inode>();
  return node;
}

void put(std::string& file, std::uint64_t offset, std::string_view octets) {
  if (file.size() < offset + octets.size())
    file.resize(offset + octets.size());
  std::memcpy(file.data() + offset, octets.data(), octets.size());
}

void written(int fd, std::uint64_t offset, const iovec* pieces, int count, std::size_t length) {
  auto& r = the();
  std::lock_guard guard(r.lock);
  if (!r.active)
    return;
  auto node = inode_of(r, fd);
  if (!node)
    return;
  for (int i = 0; i < count && length > 0; ++i) {
    auto n = std::min(length, pieces[i].iov_len);
    std::string octets(static_cast<const char*>(pieces[i].iov_base), n);
    put(node->now, offset, octets);
    node->pending.push_back({offset, std::move(octets)});
    offset += n;
    length -= n;
  }
  if ((::fcntl(fd, F_GETFL) & O_DSYNC) && !r.ignoring) {
    node->synced = node->now;
    node->pending.clear();
  }
}

void synced(int fd) {
  auto& r = the();
  std::lock_guard guard(r.lock);
  if (!r.active || r.ignoring)
    return;
  struct stat s {};
  if (::fstat(fd, &s) == 0 && S_ISDIR(s.st_mode)) {
    auto path = path_of(fd);
    if (!path)
      return;
    auto inside = [&](const std::string& name) { return std::filesystem::path(name).parent_path() == *path; };
    std::erase_if(r.synced, [&](const auto& entry) { return inside(entry.first); });
    for (const auto& [name, node] : r.current)
      if (inside(name))
        r.synced[name] = node;
  } else if (auto node = inode_of(r, fd)) {
    node->synced = node->now;
    node->pending.clear();
  }
}

void resized(int fd, std::uint64_t length) {
  auto& r = the();
  std::lock_guard guard(r.lock);
  if (!r.active)
    return;
  if (auto node = inode_of(r, fd))
    node->now.resize(length);
}

template <class F>
F real(const char* name) {
  return reinterpret_cast<F>(::dlsym(RTLD_NEXT, name));
}

std::string absolute(const char* path) {
  return std::filesystem::absolute(path).string();
}

} // namespace

void record(const std::filesystem::path& folder) {
  auto& r = the();
  std::lock_guard guard(r.lock);
  r.folder = folder.string();
  r.current.clear();
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file())
      continue;
    auto node = std::make_shared<inode>();
    std::ifstream in(entry.path(), std::ios::binary);
    node->now.assign(std::istreambuf_iterator<char>(in), {});
    node->synced = node->now;
    r.current[entry.path().string()] = node;
  }
  r.synced = r.current;
  r.active = true;
}

void stop() {
  auto& r = the();
  std::lock_guard guard(r.lock);
  r.active = false;
}

void resume() {
  auto& r = the();
  std::lock_guard guard(r.lock);
  r.active = true;
}

void ignore_syncs(bool yes) {
  auto& r = the();
  std::lock_guard guard(r.lock);
  r.ignoring = yes;
}

void power_cut_image(const std::filesystem::path& to, std::mt19937_64& random) {
  auto& r = the();
  std::map<const inode*, std::string> content;
  std::vector<std::pair<std::filesystem::path, const inode*>> files;
  auto keep = [&](const std::string& name, const inode& node) {
    files.emplace_back(to / std::filesystem::path(name).lexically_relative(r.folder), &node);
    auto [at, fresh] = content.try_emplace(&node, node.synced);
    if (!fresh)
      return;
    for (const auto& piece : node.pending)
      for (std::size_t begin = 0; begin < piece.octets.size(); begin += sector)
        if (random() % 2)
          put(at->second, piece.offset + begin, std::string_view(piece.octets).substr(begin, sector));
  };
  {
    std::lock_guard guard(r.lock);
    for (const auto& [name, node] : r.synced) {
      auto now = r.current.find(name);
      bool removed = now == r.current.end() || now->second != node;
      if (!removed || random() % 2)
        keep(name, *node);
    }
    for (const auto& [name, node] : r.current) {
      auto before = r.synced.find(name);
      if ((before == r.synced.end() || before->second != node) && random() % 2)
        keep(name, *node);
    }
  }
  for (const auto& [path, node] : files) { // these writes pass through the calls below, which take the lock
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << content.at(node);
  }
}

void fail_call(std::uint64_t n, int number) {
  made = 0;
  fail_with = number;
  fail_at = n;
}

void kill_at_call(std::uint64_t n) {
  fail_call(n, killed);
}

std::uint64_t calls() {
  return made;
}

} // namespace merpati::storage::testing::disk

namespace disk = merpati::storage::testing::disk;

// The C library's own names, found before it by the dynamic linker; liblmdb calls these.
extern "C" {

ssize_t pwrite(int fd, const void* octets, size_t length, off_t offset) {
  if (disk::fails())
    return -1;
  static auto next = disk::real<ssize_t (*)(int, const void*, size_t, off_t)>("pwrite");
  auto done = next(fd, octets, length, offset);
  if (done > 0) {
    iovec piece{const_cast<void*>(octets), length};
    disk::written(fd, static_cast<std::uint64_t>(offset), &piece, 1, static_cast<std::size_t>(done));
  }
  return done;
}

ssize_t pwritev(int fd, const struct iovec* pieces, int count, off_t offset) {
  if (disk::fails())
    return -1;
  static auto next = disk::real<ssize_t (*)(int, const struct iovec*, int, off_t)>("pwritev");
  auto done = next(fd, pieces, count, offset);
  if (done > 0)
    disk::written(fd, static_cast<std::uint64_t>(offset), pieces, count, static_cast<std::size_t>(done));
  return done;
}

ssize_t writev(int fd, const struct iovec* pieces, int count) {
  static auto next = disk::real<ssize_t (*)(int, const struct iovec*, int)>("writev");
  auto offset = ::lseek(fd, 0, SEEK_CUR);
  if (offset < 0) // not a file: none of ours
    return next(fd, pieces, count);
  if (disk::fails())
    return -1;
  auto done = next(fd, pieces, count);
  if (done > 0)
    disk::written(fd, static_cast<std::uint64_t>(offset), pieces, count, static_cast<std::size_t>(done));
  return done;
}

int fdatasync(int fd) {
  if (disk::fails())
    return -1;
  static auto next = disk::real<int (*)(int)>("fdatasync");
  int done = next(fd);
  if (done == 0)
    disk::synced(fd);
  return done;
}

int fsync(int fd) {
  if (disk::fails())
    return -1;
  static auto next = disk::real<int (*)(int)>("fsync");
  int done = next(fd);
  if (done == 0)
    disk::synced(fd);
  return done;
}

int ftruncate(int fd, off_t length) noexcept {
  if (disk::fails())
    return -1;
  static auto next = disk::real<int (*)(int, off_t)>("ftruncate");
  int done = next(fd, length);
  if (done == 0)
    disk::resized(fd, static_cast<std::uint64_t>(length));
  return done;
}

int fallocate(int fd, int mode, off_t offset, off_t length) {
  if (disk::fails())
    return -1;
  static auto next = disk::real<int (*)(int, int, off_t, off_t)>("fallocate");
  int done = next(fd, mode, offset, length);
  if (done == 0)
    disk::resized(fd, static_cast<std::uint64_t>(offset + length));
  return done;
}

int link(const char* from, const char* to) noexcept {
  if (disk::fails())
    return -1;
  static auto next = disk::real<int (*)(const char*, const char*)>("link");
  int done = next(from, to);
  auto& r = disk::the();
  std::lock_guard guard(r.lock);
  if (done == 0 && r.active)
    r.current[disk::absolute(to)] = r.current[disk::absolute(from)];
  return done;
}

int unlink(const char* path) noexcept {
  if (disk::fails())
    return -1;
  static auto next = disk::real<int (*)(const char*)>("unlink");
  int done = next(path);
  auto& r = disk::the();
  std::lock_guard guard(r.lock);
  if (done == 0 && r.active)
    r.current.erase(disk::absolute(path));
  return done;
}

} // extern "C"
