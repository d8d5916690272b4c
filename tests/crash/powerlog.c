/* Loaded before the C library, keeps a log of everything that a program does to the files below one folder: which
 * file was made, what was written where, what was made durable and when. From the log power_cut.py rebuilds what a
 * disk could hold after the power failed at any of its moments.
 *
 *   POWERLOG_FOLDER  the folder whose files are watched (absolute, no links in it)
 *   POWERLOG_FILE    where the log goes
 *
 * Records: one kind letter, then little-endian numbers. `id` is the inode number.
 *   O id path         a file or folder was opened (the reader knows from its own tree whether it is new)
 *   D path            a folder was made
 *   W id offset data  written; d instead of W: and durable at once (O_DSYNC, O_SYNC)
 *   T id size         cut or extended to a size
 *   B id token        a sync began;   E id token: it ended well
 *   R from to         renamed;   L from to: linked;   U path: removed
 * One lock orders the records. A write is recorded after it was done and a sync's end after it returned, so the log
 * never claims more than the disk has; a sync covers the writes recorded before its B. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { most_descriptors = 1 << 16, most_pieces = 1024 };

static pthread_mutex_t order = PTHREAD_MUTEX_INITIALIZER;
static int log_fd = -1;
static char folder[PATH_MAX];
static size_t folder_length;
static uint64_t watched[most_descriptors]; /* inode number of an open file below the folder; 0: none */
static uint8_t durable[most_descriptors];  /* opened with O_DSYNC or O_SYNC */
static uint64_t tokens;

#define NEXT(type, name) ((type)dlsym(RTLD_NEXT, #name))

__attribute__((constructor)) static void start(void) {
  const char *where = getenv("POWERLOG_FOLDER"), *file = getenv("POWERLOG_FILE");
  if (!where || !file || strlen(where) >= sizeof folder)
    return;
  strcpy(folder, where);
  folder_length = strlen(folder);
  log_fd = (int)syscall(SYS_openat, AT_FDCWD, file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

/* One record: the head, then pieces, then nothing may come between (the caller holds `order`). */
static void record(const void* head, size_t head_length, const struct iovec* pieces, int count, size_t length) {
  struct iovec all[most_pieces + 1];
  all[0].iov_base = (void*)head, all[0].iov_len = head_length;
  int used = 1;
  for (int i = 0; i < count && length > 0 && used <= most_pieces; ++i) {
    size_t take = pieces[i].iov_len < length ? pieces[i].iov_len : length;
    all[used].iov_base = pieces[i].iov_base, all[used].iov_len = take;
    ++used, length -= take;
  }
  struct iovec* rest = all;
  while (used > 0) {
    ssize_t done = syscall(SYS_writev, log_fd, rest, used);
    if (done < 0)
      abort(); /* a log with a hole would accuse an innocent program */
    while (used > 0 && (size_t)done >= rest->iov_len)
      done -= (ssize_t)rest->iov_len, ++rest, --used;
    if (used > 0)
      rest->iov_base = (char*)rest->iov_base + done, rest->iov_len -= (size_t)done;
  }
}

struct __attribute__((packed)) head {
  char kind;
  uint64_t first, second;
  uint32_t length;
};

static void record_numbers(char kind, uint64_t first, uint64_t second) {
  struct head h = {kind, first, second, 0};
  record(&h, sizeof h, NULL, 0, 0);
}

static void record_text(char kind, uint64_t first, const char* text, size_t length) {
  struct head h = {kind, first, 0, (uint32_t)length};
  struct iovec piece = {(void*)text, length};
  record(&h, sizeof h, &piece, 1, length);
}

/* The absolute path below the watched folder, or 0. */
static int path_below(int at, const char* path, char out[PATH_MAX]) {
  if (log_fd < 0 || !path)
    return 0;
  char base[PATH_MAX] = "";
  if (path[0] != '/') {
    if (at == AT_FDCWD) {
      if (!getcwd(base, sizeof base))
        return 0;
    } else {
      char link[64];
      snprintf(link, sizeof link, "/proc/self/fd/%d", at);
      ssize_t n = readlink(link, base, sizeof base - 1);
      if (n <= 0)
        return 0;
      base[n] = 0;
    }
  }
  int n = path[0] == '/' ? snprintf(out, PATH_MAX, "%s", path) : snprintf(out, PATH_MAX, "%s/%s", base, path);
  return n > 0 && n < PATH_MAX && strncmp(out, folder, folder_length) == 0
         && (out[folder_length] == '/' || out[folder_length] == 0);
}

static int usable(int fd) {
  return log_fd >= 0 && fd >= 0 && fd < most_descriptors && watched[fd] != 0;
}

static void opened(int fd, int at, const char* path, int flags) {
  char full[PATH_MAX];
  struct stat about;
  if (fd < 0 || fd >= most_descriptors)
    return;
  watched[fd] = 0;
  if (!path_below(at, path, full) || fstat(fd, &about) != 0)
    return;
  pthread_mutex_lock(&order);
  watched[fd] = about.st_ino;
  durable[fd] = (flags & (O_DSYNC | O_SYNC)) != 0;
  record_text('O', about.st_ino, full, strlen(full));
  if ((flags & O_TRUNC) && (flags & O_ACCMODE) != O_RDONLY)
    record_numbers('T', about.st_ino, 0);
  pthread_mutex_unlock(&order);
}

#define OPEN_MODE(flags)                                                                                               \
  mode_t mode = 0;                                                                                                     \
  if ((flags) & (O_CREAT | __O_TMPFILE)) {                                                                             \
    va_list rest;                                                                                                      \
    va_start(rest, flags);                                                                                             \
    mode = va_arg(rest, mode_t);                                                                                       \
    va_end(rest);                                                                                                      \
  }
#define DEFINE_OPEN(name)                                                                                              \
  int name(const char* path, int flags, ...) {                                                                         \
    OPEN_MODE(flags)                                                                                                   \
    int fd = NEXT(int (*)(const char*, int, ...), name)(path, flags, mode);                                            \
    opened(fd, AT_FDCWD, path, flags);                                                                                 \
    return fd;                                                                                                         \
  }
#define DEFINE_OPENAT(name)                                                                                            \
  int name(int at, const char* path, int flags, ...) {                                                                 \
    OPEN_MODE(flags)                                                                                                   \
    int fd = NEXT(int (*)(int, const char*, int, ...), name)(at, path, flags, mode);                                   \
    opened(fd, at, path, flags);                                                                                       \
    return fd;                                                                                                         \
  }
DEFINE_OPEN(open)
DEFINE_OPEN(open64)
DEFINE_OPENAT(openat)
DEFINE_OPENAT(openat64)

int close(int fd) {
  if (fd >= 0 && fd < most_descriptors)
    watched[fd] = 0;
  return NEXT(int (*)(int), close)(fd);
}

static void copied(int from, int to) {
  if (to >= 0 && to < most_descriptors && from >= 0 && from < most_descriptors)
    watched[to] = watched[from], durable[to] = durable[from];
}
int dup(int fd) {
  int made = NEXT(int (*)(int), dup)(fd);
  copied(fd, made);
  return made;
}

static void wrote(int fd, uint64_t offset, const struct iovec* pieces, int count, ssize_t length) {
  if (length <= 0)
    return;
  struct head h = {durable[fd] ? 'd' : 'W', watched[fd], offset, (uint32_t)length};
  record(&h, sizeof h, pieces, count, (size_t)length);
}

/* A write and its record are one step: two writes to the same place are in the log as they are in the file. */
#define RECORDED_WRITE(fd, call, where, pieces, count)                                                                 \
  do {                                                                                                                 \
    pthread_mutex_lock(&order);                                                                                        \
    uint64_t at = (uint64_t)(where);                                                                                   \
    ssize_t done = (call);                                                                                             \
    int saved = errno;                                                                                                 \
    wrote(fd, at, pieces, count, done);                                                                                \
    pthread_mutex_unlock(&order);                                                                                      \
    errno = saved;                                                                                                     \
    return done;                                                                                                       \
  } while (0)

/* Where write() will put its octets. */
static uint64_t position(int fd) {
  struct stat about;
  if ((fcntl(fd, F_GETFL) & O_APPEND) && fstat(fd, &about) == 0)
    return (uint64_t)about.st_size;
  return (uint64_t)lseek(fd, 0, SEEK_CUR);
}

ssize_t write(int fd, const void* data, size_t length) {
  ssize_t (*next)(int, const void*, size_t) = NEXT(ssize_t(*)(int, const void*, size_t), write);
  if (!usable(fd))
    return next(fd, data, length);
  struct iovec piece = {(void*)data, length};
  RECORDED_WRITE(fd, next(fd, data, length), position(fd), &piece, 1);
}

ssize_t writev(int fd, const struct iovec* pieces, int count) {
  ssize_t (*next)(int, const struct iovec*, int) = NEXT(ssize_t(*)(int, const struct iovec*, int), writev);
  if (!usable(fd))
    return next(fd, pieces, count);
  RECORDED_WRITE(fd, next(fd, pieces, count), position(fd), pieces, count);
}

#define DEFINE_PWRITE(name, offset_type)                                                                               \
  ssize_t name(int fd, const void* data, size_t length, offset_type offset) {                                          \
    ssize_t (*next)(int, const void*, size_t, offset_type) =                                                           \
        NEXT(ssize_t(*)(int, const void*, size_t, offset_type), name);                                                 \
    if (!usable(fd))                                                                                                   \
      return next(fd, data, length, offset);                                                                           \
    struct iovec piece = {(void*)data, length};                                                                        \
    RECORDED_WRITE(fd, next(fd, data, length, offset), offset, &piece, 1);                                             \
  }
DEFINE_PWRITE(pwrite, off_t)
DEFINE_PWRITE(pwrite64, off64_t)

#define DEFINE_PWRITEV(name, offset_type)                                                                              \
  ssize_t name(int fd, const struct iovec* pieces, int count, offset_type offset) {                                    \
    ssize_t (*next)(int, const struct iovec*, int, offset_type) =                                                      \
        NEXT(ssize_t(*)(int, const struct iovec*, int, offset_type), name);                                            \
    if (!usable(fd))                                                                                                   \
      return next(fd, pieces, count, offset);                                                                          \
    RECORDED_WRITE(fd, next(fd, pieces, count, offset), offset, pieces, count);                                        \
  }
DEFINE_PWRITEV(pwritev, off_t)
DEFINE_PWRITEV(pwritev64, off64_t)

#define DEFINE_PWRITEV2(name, offset_type)                                                                             \
  ssize_t name(int fd, const struct iovec* pieces, int count, offset_type offset, int flags) {                         \
    ssize_t (*next)(int, const struct iovec*, int, offset_type, int) =                                                 \
        NEXT(ssize_t(*)(int, const struct iovec*, int, offset_type, int), name);                                       \
    if (!usable(fd))                                                                                                   \
      return next(fd, pieces, count, offset, flags);                                                                   \
    RECORDED_WRITE(fd, next(fd, pieces, count, offset, flags), offset < 0 ? (off64_t)position(fd) : offset, pieces,    \
                   count);                                                                                             \
  }
DEFINE_PWRITEV2(pwritev2, off_t)
DEFINE_PWRITEV2(pwritev64v2, off64_t)

#define DEFINE_SYNC(name)                                                                                              \
  int name(int fd) {                                                                                                   \
    int (*next)(int) = NEXT(int (*)(int), name);                                                                       \
    if (!usable(fd))                                                                                                   \
      return next(fd);                                                                                                 \
    pthread_mutex_lock(&order);                                                                                        \
    uint64_t id = watched[fd], token = ++tokens;                                                                       \
    record_numbers('B', id, token);                                                                                    \
    pthread_mutex_unlock(&order);                                                                                      \
    int status = next(fd);                                                                                             \
    int saved = errno;                                                                                                 \
    pthread_mutex_lock(&order);                                                                                        \
    if (status == 0)                                                                                                   \
      record_numbers('E', id, token);                                                                                  \
    pthread_mutex_unlock(&order);                                                                                      \
    errno = saved;                                                                                                     \
    return status;                                                                                                     \
  }
DEFINE_SYNC(fsync)
DEFINE_SYNC(fdatasync)

static void sized(int fd) {
  struct stat about;
  if (usable(fd) && fstat(fd, &about) == 0) {
    pthread_mutex_lock(&order);
    record_numbers('T', watched[fd], (uint64_t)about.st_size);
    pthread_mutex_unlock(&order);
  }
}
#define DEFINE_SIZING(name, parameters, arguments)                                                                     \
  int name parameters {                                                                                                \
    int status = NEXT(int(*) parameters, name) arguments;                                                              \
    int saved = errno;                                                                                                 \
    if (status == 0)                                                                                                   \
      sized(fd);                                                                                                       \
    errno = saved;                                                                                                     \
    return status;                                                                                                     \
  }
DEFINE_SIZING(ftruncate, (int fd, off_t size), (fd, size))
DEFINE_SIZING(ftruncate64, (int fd, off64_t size), (fd, size))
DEFINE_SIZING(fallocate, (int fd, int mode, off_t offset, off_t length), (fd, mode, offset, length))
DEFINE_SIZING(fallocate64, (int fd, int mode, off64_t offset, off64_t length), (fd, mode, offset, length))
DEFINE_SIZING(posix_fallocate, (int fd, off_t offset, off_t length), (fd, offset, length))
DEFINE_SIZING(posix_fallocate64, (int fd, off64_t offset, off64_t length), (fd, offset, length))

static void record_pair(char kind, const char* from, const char* to) {
  char both[2 * PATH_MAX];
  size_t first = strlen(from), second = strlen(to);
  memcpy(both, from, first), memcpy(both + first, to, second);
  record_text(kind, first, both, first + second);
}
#define RECORDED_NAME(condition, call, entry)                                                                          \
  do {                                                                                                                 \
    if (!(condition))                                                                                                  \
      return call;                                                                                                     \
    pthread_mutex_lock(&order);                                                                                        \
    int status = call;                                                                                                 \
    int saved = errno;                                                                                                 \
    if (status == 0)                                                                                                   \
      entry;                                                                                                           \
    pthread_mutex_unlock(&order);                                                                                      \
    errno = saved;                                                                                                     \
    return status;                                                                                                     \
  } while (0)

int renameat2(int from_at, const char* from, int to_at, const char* to, unsigned int flags) {
  char a[PATH_MAX], b[PATH_MAX];
  RECORDED_NAME(
      path_below(from_at, from, a) && path_below(to_at, to, b),
      NEXT(int (*)(int, const char*, int, const char*, unsigned int), renameat2)(from_at, from, to_at, to, flags),
      record_pair('R', a, b));
}
int renameat(int from_at, const char* from, int to_at, const char* to) {
  char a[PATH_MAX], b[PATH_MAX];
  RECORDED_NAME(path_below(from_at, from, a) && path_below(to_at, to, b),
                NEXT(int (*)(int, const char*, int, const char*), renameat)(from_at, from, to_at, to),
                record_pair('R', a, b));
}
int rename(const char* from, const char* to) {
  char a[PATH_MAX], b[PATH_MAX];
  RECORDED_NAME(path_below(AT_FDCWD, from, a) && path_below(AT_FDCWD, to, b),
                NEXT(int (*)(const char*, const char*), rename)(from, to), record_pair('R', a, b));
}
int linkat(int from_at, const char* from, int to_at, const char* to, int flags) {
  char a[PATH_MAX], b[PATH_MAX];
  RECORDED_NAME(path_below(from_at, from, a) && path_below(to_at, to, b),
                NEXT(int (*)(int, const char*, int, const char*, int), linkat)(from_at, from, to_at, to, flags),
                record_pair('L', a, b));
}
int link(const char* from, const char* to) {
  char a[PATH_MAX], b[PATH_MAX];
  RECORDED_NAME(path_below(AT_FDCWD, from, a) && path_below(AT_FDCWD, to, b),
                NEXT(int (*)(const char*, const char*), link)(from, to), record_pair('L', a, b));
}
int unlink(const char* path) {
  char a[PATH_MAX];
  RECORDED_NAME(path_below(AT_FDCWD, path, a), NEXT(int (*)(const char*), unlink)(path),
                record_text('U', 0, a, strlen(a)));
}
int unlinkat(int at, const char* path, int flags) {
  char a[PATH_MAX];
  RECORDED_NAME(path_below(at, path, a), NEXT(int (*)(int, const char*, int), unlinkat)(at, path, flags),
                record_text('U', 0, a, strlen(a)));
}
int remove(const char* path) {
  char a[PATH_MAX];
  RECORDED_NAME(path_below(AT_FDCWD, path, a), NEXT(int (*)(const char*), remove)(path),
                record_text('U', 0, a, strlen(a)));
}
int rmdir(const char* path) {
  char a[PATH_MAX];
  RECORDED_NAME(path_below(AT_FDCWD, path, a), NEXT(int (*)(const char*), rmdir)(path),
                record_text('U', 0, a, strlen(a)));
}
int mkdir(const char* path, mode_t mode) {
  char a[PATH_MAX];
  RECORDED_NAME(path_below(AT_FDCWD, path, a), NEXT(int (*)(const char*, mode_t), mkdir)(path, mode),
                record_text('D', 0, a, strlen(a)));
}
int mkdirat(int at, const char* path, mode_t mode) {
  char a[PATH_MAX];
  RECORDED_NAME(path_below(at, path, a), NEXT(int (*)(int, const char*, mode_t), mkdirat)(at, path, mode),
                record_text('D', 0, a, strlen(a)));
}
