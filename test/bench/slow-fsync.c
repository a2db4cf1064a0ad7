/* Makes every fsync and fdatasync of a process take FSYNC_EXTRA_US microseconds longer, as a worn SD card would, and counts them in
   the file FSYNC_COUNT_FILE (40 bytes, made before; five native 64-bit numbers: fsyncs of the main thread, of other threads,
   fdatasyncs of the main thread, of other threads, and the nanoseconds that the main thread has spent in both).
   While the file FSYNC_FREEZE_FILE is there, none returns: a disk that froze.
   cc -shared -fPIC -O2 slow-fsync.c -o slow-fsync.so -ldl; LD_PRELOAD it. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { FSYNC = 0, FDATASYNC = 2, SPENT_NS = 4 };

static long extra_us;
static const char *freeze_file;
static uint64_t *counts;

__attribute__((constructor)) static void prepare(void) {
  const char *text = getenv("FSYNC_EXTRA_US");
  const char *path = getenv("FSYNC_COUNT_FILE");
  extra_us = text ? atol(text) : 0;
  freeze_file = getenv("FSYNC_FREEZE_FILE");
  if (!path) return;
  int fd = open(path, O_RDWR | O_CLOEXEC);
  if (fd < 0) return;
  void *at = mmap(NULL, 5 * sizeof *counts, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (at != MAP_FAILED) counts = at;
  close(fd);
}

static uint64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + now.tv_nsec;
}

static int sync_slowly(int kind, int (*real)(int), int fd) {
  int is_other_thread = syscall(SYS_gettid) != getpid();
  uint64_t started_ns = now_ns();
  if (extra_us > 0) {
    struct timespec wait = {extra_us / 1000000, (extra_us % 1000000) * 1000};
    nanosleep(&wait, NULL);
  }
  while (freeze_file && access(freeze_file, F_OK) == 0) nanosleep(&(struct timespec){0, 20000000}, NULL);
  int result = real(fd);
  if (counts) {
    __atomic_fetch_add(&counts[kind + is_other_thread], 1, __ATOMIC_RELAXED);
    if (!is_other_thread) __atomic_fetch_add(&counts[SPENT_NS], now_ns() - started_ns, __ATOMIC_RELAXED);
  }
  return result;
}

int fsync(int fd) {
  static int (*real)(int);
  if (!real) real = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
  return sync_slowly(FSYNC, real, fd);
}

int fdatasync(int fd) {
  static int (*real)(int);
  if (!real) real = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
  return sync_slowly(FDATASYNC, real, fd);
}
