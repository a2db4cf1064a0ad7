/* A scanner for kiosk.bench.ts. Codes come on standard input, a line each; a millisecond later, when whoever sent them sleeps again and leaves the
   processor to the kiosk, each is written to descriptor 3, and 10 ms after the last one the times of those writes (CLOCK_MONOTONIC,
   nanoseconds, a line each) go to standard output. A program of the bench itself that writes and goes on running is in the kiosk's way.
   cc -O2 scanner.c -o scanner */
#include <inttypes.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LONGEST_BYTES = 1 << 16, MOST_TIMES = 256, SETTLE_MS = 1, TELL_AFTER_MS = 10 };

static int64_t times[MOST_TIMES];
static int told;

static int write_line(const char *line, size_t length) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  times[told++] = now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
  return write(3, line, length) == (ssize_t)length;
}

static void tell(void) {
  for (int index = 0; index < told; index++) printf("%" PRId64 "\n", times[index]);
  fflush(stdout);
  told = 0;
}

int main(void) {
  static char bytes[LONGEST_BYTES];
  struct pollfd in = {.fd = 0, .events = POLLIN};
  for (;;) {
    if (poll(&in, 1, told > 0 ? TELL_AFTER_MS : -1) == 0) {
      tell();
      continue;
    }
    const struct timespec settle = {.tv_nsec = SETTLE_MS * 1000000L};
    nanosleep(&settle, NULL);
    const ssize_t length = read(0, bytes, sizeof bytes);
    if (length <= 0) return 0;
    char *line = bytes;
    for (char *end; (end = memchr(line, '\r', (size_t)(bytes + length - line))); line = end + 1) {
      if (!write_line(line, (size_t)(end + 1 - line))) return 1;
      if (told == MOST_TIMES) tell();
    }
  }
}
