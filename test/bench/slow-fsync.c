/* Makes every fsync and fdatasync of a process take FSYNC_EXTRA_US microseconds longer, as a worn SD card would.
   cc -shared -fPIC -O2 slow-fsync.c -o slow-fsync.so -ldl; LD_PRELOAD it. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

static void wait_extra(void) {
  const char *text = getenv("FSYNC_EXTRA_US");
  long us = text ? atol(text) : 0;
  struct timespec wait = {us / 1000000, (us % 1000000) * 1000};
  nanosleep(&wait, NULL);
}

int fsync(int fd) {
  static int (*real)(int);
  if (!real) real = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
  wait_extra();
  return real(fd);
}

int fdatasync(int fd) {
  static int (*real)(int);
  if (!real) real = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
  wait_extra();
  return real(fd);
}
