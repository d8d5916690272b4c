/* Loaded before the C library, makes a program believe that its data is on disk when it is not: every call that
 * makes data durable succeeds at once and does nothing. A power-cut test that still passes with this proves nothing. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

int fsync(int fd) {
  (void)fd;
  return 0;
}
int fdatasync(int fd) {
  (void)fd;
  return 0;
}
int msync(void* address, size_t length, int flags) {
  (void)address, (void)length, (void)flags;
  return 0;
}
int sync_file_range(int fd, off64_t offset, off64_t count, unsigned int flags) {
  (void)fd, (void)offset, (void)count, (void)flags;
  return 0;
}
int syncfs(int fd) {
  (void)fd;
  return 0;
}
void sync(void) {}

/* LMDB writes its meta pages through a descriptor opened with O_DSYNC. */
#define WITHOUT_SYNC(flags) ((flags) & ~(O_SYNC | O_DSYNC))
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
    int (*next)(const char*, int, ...) = (int (*)(const char*, int, ...))dlsym(RTLD_NEXT, #name);                      \
    return next(path, WITHOUT_SYNC(flags), mode);                                                                      \
  }
#define DEFINE_OPENAT(name)                                                                                            \
  int name(int folder, const char* path, int flags, ...) {                                                             \
    OPEN_MODE(flags)                                                                                                   \
    int (*next)(int, const char*, int, ...) = (int (*)(int, const char*, int, ...))dlsym(RTLD_NEXT, #name);            \
    return next(folder, path, WITHOUT_SYNC(flags), mode);                                                              \
  }

DEFINE_OPEN(open)
DEFINE_OPEN(open64)
DEFINE_OPENAT(openat)
DEFINE_OPENAT(openat64)

/* RWF_DSYNC and RWF_SYNC of pwritev2 would make single writes durable. */
ssize_t pwritev2(int fd, const struct iovec* pieces, int count, off_t offset, int flags) {
  ssize_t (*next)(int, const struct iovec*, int, off_t, int) =
      (ssize_t(*)(int, const struct iovec*, int, off_t, int))dlsym(RTLD_NEXT, "pwritev2");
  return next(fd, pieces, count, offset, flags & ~(0x2 | 0x4));
}
