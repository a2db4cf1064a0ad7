/*
 * Input event devices: open, name, grab, read.
 *
 * The kernel keeps 64 events of a keyboard for a reader, ten characters, and a scanner types those in 20 to 80 ms: less than a commit to an SD
 * card may hold the event loop. So each device has a thread of its own, which waits in poll(2) and takes events as they come, up to a bound;
 * past it the kernel drops them and says so (SYN_DROPPED). Neither the loop nor Node's pool (four threads, shared with every file) ever
 * waits for a key. The thread ends with the device.
 * Source: linux/input.h; Documentation/input/event-codes.rst; drivers/input/evdev.c (evdev_compute_buffer_size).
 */
#include "native.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/input.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* 1,300 to 2,700 characters: several codes, while a slow disk holds the loop for seconds. */
#define RING_BYTES (16384 * sizeof(struct input_event))
#define CHUNK_BYTES (64 * sizeof(struct input_event))
#define STACK_BYTES (128 * 1024)
/* What is written to `wake`: sums of ROOM never reach STOP. */
#define ROOM UINT64_C(1)
#define STOP (UINT64_C(1) << 32)

static const napi_type_tag EVENTS_TAG = {0x5b4a0b4f6d1e4c1dULL, 0x9a77f3d0b2c84e61ULL};

typedef struct {
  int fd;
  int wake;
  bool has_thread;
  pthread_t thread;
  napi_threadsafe_function tell;
  napi_deferred waiting;
  bool is_waiting;
  bool is_closed;
  /* Of both threads, under `lock`, which neither holds over a system call. */
  pthread_mutex_t lock;
  bool is_armed;
  int error;
  size_t first;
  size_t length;
  /* Given back on close: the object itself stays until it is collected. */
  uint8_t *ring;
} events;

static void keep(events *own, const uint8_t *bytes, size_t length) {
  size_t at = (own->first + own->length) % RING_BYTES;
  size_t head = length < RING_BYTES - at ? length : RING_BYTES - at;
  memcpy(own->ring + at, bytes, head);
  memcpy(own->ring, bytes + head, length - head);
  own->length += length;
}

/* Whoever waits is told: there is something to read, or an error. */
static void unlock_and_tell(events *own) {
  bool is_told = own->is_armed;
  own->is_armed = false;
  pthread_mutex_unlock(&own->lock);
  if (is_told) napi_call_threadsafe_function(own->tell, NULL, napi_tsfn_nonblocking);
}

static void fail(events *own, int error) {
  pthread_mutex_lock(&own->lock);
  own->error = error;
  unlock_and_tell(own);
}

static void *watch(void *data) {
  events *own = data;
  uint8_t chunk[CHUNK_BYTES];
  for (;;) {
    pthread_mutex_lock(&own->lock);
    size_t room = own->error == 0 ? RING_BYTES - own->length : 0;
    pthread_mutex_unlock(&own->lock);
    struct pollfd polled[] = {{.fd = own->wake, .events = POLLIN}, {.fd = room >= CHUNK_BYTES ? own->fd : -1, .events = POLLIN}};
    if (poll(polled, 2, -1) < 0) {
      if (errno == EINTR) continue;
      /* Out of memory: said, so that nobody waits for a thread that is gone. */
      fail(own, errno);
      return NULL;
    }
    if (polled[0].revents != 0) {
      uint64_t sum;
      if (read(own->wake, &sum, sizeof sum) == (ssize_t)sizeof sum && sum >= STOP) return NULL;
    } else if (polled[1].revents != 0) {
      ssize_t length = read(own->fd, chunk, sizeof chunk);
      if (length < 0 && (errno == EAGAIN || errno == EINTR)) continue;
      /* An input device has no end of file; a hung-up pipe has. */
      if (length <= 0) {
        fail(own, length == 0 ? ENODEV : errno);
        continue;
      }
      pthread_mutex_lock(&own->lock);
      keep(own, chunk, (size_t)length);
      unlock_and_tell(own);
    }
  }
}

/* Events are there, or the device is gone; a read will say which. */
static void told(napi_env env, napi_value callback, void *context, void *data) {
  (void)callback;
  (void)data;
  events *own = context;
  if (env == NULL || !own->is_waiting) return;
  own->is_waiting = false;
  napi_resolve_deferred(env, own->waiting, undefined_of(env));
}

static bool signal_watch(events *own, uint64_t value) { return write(own->wake, &value, sizeof value) == (ssize_t)sizeof value; }

/* Ends the thread, which waits nowhere but in poll(2), so that this takes microseconds; then nothing but `fd` is left. */
static void stop_watch(events *own) {
  if (own->has_thread) {
    signal_watch(own, STOP);
    pthread_join(own->thread, NULL);
    own->has_thread = false;
  }
  /* Aborted, so that what was told already does not reach a device that may be freed by then. */
  if (own->tell != NULL) napi_release_threadsafe_function(own->tell, napi_tsfn_abort);
  own->tell = NULL;
  if (own->wake >= 0) close(own->wake);
  own->wake = -1;
  free(own->ring);
  own->ring = NULL;
}

static void close_now(events *own) {
  own->is_closed = true;
  stop_watch(own);
  if (own->fd < 0) return;
  close(own->fd);
  own->fd = -1;
  count_closed();
}

/* Node ends, or the worker thread that opened the device does. */
static void at_exit(void *data) { close_now(data); }

static void forget(events *own) {
  pthread_mutex_destroy(&own->lock);
  free(own);
}

/* Nobody holds the device any more, closed or not. */
static void finalize(napi_env env, void *data, void *hint) {
  (void)hint;
  events *own = data;
  if (!own->is_closed) {
    napi_remove_env_cleanup_hook(env, at_exit, own);
    close_now(own);
  }
  if (own->is_waiting) napi_reject_deferred(env, own->waiting, make_errno(env, "wait", ECANCELED));
  forget(own);
}

static bool start_watch(napi_env env, events *own) {
  napi_value name;
  own->ring = malloc(RING_BYTES);
  own->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (own->ring == NULL || own->wake < 0) return false;
  if (napi_create_string_utf8(env, "vestibule events", NAPI_AUTO_LENGTH, &name) != napi_ok ||
      napi_create_threadsafe_function(env, NULL, NULL, name, 0, 1, NULL, NULL, own, told, &own->tell) != napi_ok)
    return false;
  pthread_attr_t attributes;
  if (pthread_attr_init(&attributes) != 0) return false;
  pthread_attr_setstacksize(&attributes, STACK_BYTES);
  /* Signals are Node's. */
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  own->has_thread = pthread_create(&own->thread, &attributes, watch, own) == 0;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  pthread_attr_destroy(&attributes);
  return own->has_thread;
}

typedef struct {
  job job;
  int fd;
  char path[LONGEST_PATH_BYTES];
} opening;

static void run_open(job *job) {
  opening *own = (opening *)job;
  do own->fd = open(own->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
  while (own->fd < 0 && errno == EINTR);
  if (own->fd < 0) job->error = errno;
}

static napi_value finish_open(napi_env env, job *job) {
  opening *own = (opening *)job;
  if (job->error != 0) {
    if (own->fd >= 0) close(own->fd);
    count_closed();
    return NULL;
  }
  events *made = calloc(1, sizeof *made);
  if (made == NULL) {
    close(own->fd);
    count_closed();
  } else {
    made->fd = own->fd;
    made->wake = -1;
    pthread_mutex_init(&made->lock, NULL);
    napi_value object = start_watch(env, made) ? make_object(env, made, &EVENTS_TAG, finalize) : NULL;
    if (object != NULL && napi_add_env_cleanup_hook(env, at_exit, made) == napi_ok) return object;
    close_now(made);
    /* Once wrapped it is the collector's to free. */
    if (object == NULL) forget(made);
  }
  job->error = ENOMEM;
  return NULL;
}

/* openEvents(path): Promise<device>. */
static napi_value open_events(napi_env env, napi_callback_info info) {
  napi_value path;
  if (!take_arguments(env, info, 1, &path)) return NULL;
  opening *own = calloc(1, sizeof *own);
  if (own == NULL) return throw_errno(env, "open", ENOMEM);
  own->job = (job){.run = run_open, .finish = finish_open, .call = "open"};
  own->fd = -1;
  if (!take_path(env, path, own->path)) {
    free(own);
    return NULL;
  }
  if (!count_open()) {
    free(own);
    return throw_errno(env, "open", EMFILE);
  }
  napi_value promise = start_job(env, &own->job, NULL);
  if (promise == NULL) count_closed();
  return promise;
}

/* The open device in the first argument; NULL with an exception pending. */
static events *opened(napi_env env, napi_value value, const char *call) {
  events *own = take_object(env, value, &EVENTS_TAG);
  if (own == NULL) return NULL;
  if (own->is_closed) {
    throw_errno(env, call, EBADF);
    return NULL;
  }
  return own;
}

static void set_number(napi_env env, napi_value object, const char *name, uint32_t number) {
  napi_value value;
  if (napi_create_uint32(env, number, &value) == napi_ok) napi_set_named_property(env, object, name, value);
}

/* The kernel waits for a device's lock until a signal comes, and does not go on by itself (evdev_ioctl_handler). */
static int ask(int fd, unsigned long request, void *argument) {
  int answer;
  do answer = ioctl(fd, request, argument);
  while (answer < 0 && errno == EINTR);
  return answer;
}

/* describeEvents(device): { bus, vendor, product, version, name, types, keys }. */
static napi_value describe_events(napi_env env, napi_callback_info info) {
  napi_value device, name, object;
  if (!take_arguments(env, info, 1, &device)) return NULL;
  events *own = opened(env, device, "describe");
  if (own == NULL) return NULL;
  struct input_id id;
  char text[256] = "";
  uint8_t types[(EV_MAX + 8) / 8] = {0};
  uint8_t keys[(KEY_MAX + 8) / 8] = {0};
  if (ask(own->fd, EVIOCGID, &id) < 0) return throw_errno(env, "describe", errno);
  if (ask(own->fd, EVIOCGBIT(0, sizeof types), types) < 0) return throw_errno(env, "describe", errno);
  if (ask(own->fd, EVIOCGBIT(EV_KEY, sizeof keys), keys) < 0) return throw_errno(env, "describe", errno);
  /* A device may have no name. */
  if (ask(own->fd, EVIOCGNAME(sizeof text - 1), text) < 0) text[0] = '\0';
  napi_value types_value = bytes_of(env, types, sizeof types);
  napi_value keys_value = bytes_of(env, keys, sizeof keys);
  if (types_value == NULL || keys_value == NULL || napi_create_object(env, &object) != napi_ok ||
      napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &name) != napi_ok)
    return throw_errno(env, "describe", ENOMEM);
  set_number(env, object, "bus", id.bustype);
  set_number(env, object, "vendor", id.vendor);
  set_number(env, object, "product", id.product);
  set_number(env, object, "version", id.version);
  napi_set_named_property(env, object, "name", name);
  napi_set_named_property(env, object, "types", types_value);
  napi_set_named_property(env, object, "keys", keys_value);
  return object;
}

/* grabEvents(device, isGrabbed): nobody else, the console included, gets its events. EBUSY when somebody else has them. */
static napi_value grab_events(napi_env env, napi_callback_info info) {
  napi_value values[2];
  bool is_grabbed;
  if (!take_arguments(env, info, 2, values)) return NULL;
  events *own = opened(env, values[0], "grab");
  if (own == NULL) return NULL;
  if (napi_get_value_bool(env, values[1], &is_grabbed) != napi_ok) return throw_type(env, "grab: expected true or false");
  /* Anything but NULL grabs. */
  if (ask(own->fd, EVIOCGRAB, is_grabbed ? &is_grabbed : NULL) < 0) return throw_errno(env, "grab", errno);
  return NULL;
}

/* keysDown(device): a bit for each key that is down now. */
static napi_value keys_down(napi_env env, napi_callback_info info) {
  napi_value device;
  if (!take_arguments(env, info, 1, &device)) return NULL;
  events *own = opened(env, device, "keys");
  if (own == NULL) return NULL;
  uint8_t keys[(KEY_MAX + 8) / 8] = {0};
  if (ask(own->fd, EVIOCGKEY(sizeof keys), keys) < 0) return throw_errno(env, "keys", errno);
  napi_value bytes = bytes_of(env, keys, sizeof keys);
  return bytes == NULL ? throw_errno(env, "keys", ENOMEM) : bytes;
}

/*
 * readEvents(device): events as the kernel gave them, at most CHUNK_BYTES; undefined when there are none. ENODEV when unplugged, after what
 * came before. Never waits.
 */
static napi_value read_events(napi_env env, napi_callback_info info) {
  napi_value device;
  if (!take_arguments(env, info, 1, &device)) return NULL;
  events *own = opened(env, device, "read");
  if (own == NULL) return NULL;
  uint8_t chunk[CHUNK_BYTES];
  pthread_mutex_lock(&own->lock);
  size_t length = own->length < sizeof chunk ? own->length : sizeof chunk;
  size_t head = length < RING_BYTES - own->first ? length : RING_BYTES - own->first;
  memcpy(chunk, own->ring + own->first, head);
  memcpy(chunk + head, own->ring, length - head);
  bool was_full = RING_BYTES - own->length < CHUNK_BYTES;
  own->first = (own->first + length) % RING_BYTES;
  own->length -= length;
  int error = own->error;
  pthread_mutex_unlock(&own->lock);
  if (was_full) signal_watch(own, ROOM);
  if (length == 0) return error == 0 ? NULL : throw_errno(env, "read", error);
  napi_value bytes = bytes_of(env, chunk, length);
  return bytes == NULL ? throw_errno(env, "read", ENOMEM) : bytes;
}

/* waitForEvents(device): Promise<void>, when a read will give something or throw. EBUSY while another waits; ECANCELED on close. */
static napi_value wait_for_events(napi_env env, napi_callback_info info) {
  napi_value device, promise;
  napi_deferred deferred;
  if (!take_arguments(env, info, 1, &device)) return NULL;
  events *own = opened(env, device, "wait");
  if (own == NULL) return NULL;
  if (own->is_waiting) return throw_errno(env, "wait", EBUSY);
  if (napi_create_promise(env, &deferred, &promise) != napi_ok) return throw_errno(env, "wait", ENOMEM);
  pthread_mutex_lock(&own->lock);
  bool is_ready = own->length > 0 || own->error != 0;
  own->is_armed = !is_ready;
  pthread_mutex_unlock(&own->lock);
  own->is_waiting = !is_ready;
  own->waiting = deferred;
  if (is_ready) napi_resolve_deferred(env, deferred, undefined_of(env));
  return promise;
}

/* closeEvents(device): Promise<void>, when the device is released. Closing twice is no error. */
static napi_value close_events(napi_env env, napi_callback_info info) {
  napi_value device;
  if (!take_arguments(env, info, 1, &device)) return NULL;
  events *own = take_object(env, device, &EVENTS_TAG);
  if (own == NULL) return NULL;
  if (!own->is_closed) {
    own->is_closed = true;
    napi_remove_env_cleanup_hook(env, at_exit, own);
    stop_watch(own);
    if (own->is_waiting) {
      own->is_waiting = false;
      napi_reject_deferred(env, own->waiting, make_errno(env, "wait", ECANCELED));
    }
  }
  int fd = own->fd;
  own->fd = -1;
  return start_close(env, fd, device);
}

bool export_events(napi_env env, napi_value exports) {
  return export_function(env, exports, "openEvents", open_events) && export_function(env, exports, "describeEvents", describe_events) &&
         export_function(env, exports, "grabEvents", grab_events) && export_function(env, exports, "keysDown", keys_down) &&
         export_function(env, exports, "readEvents", read_events) && export_function(env, exports, "waitForEvents", wait_for_events) &&
         export_function(env, exports, "closeEvents", close_events);
}
