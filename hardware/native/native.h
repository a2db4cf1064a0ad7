/*
 * What the two halves of the addon share: errors with a system code, work off the event loop, and objects that own a descriptor.
 *
 * Only Node-API, version 8: one build serves every Node from 12.22 on. Only Linux.
 */
#ifndef VESTIBULE_NATIVE_H
#define VESTIBULE_NATIVE_H

#define _GNU_SOURCE
#include <node_api.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Room for a path of /dev/input/by-id with a long serial number in it. */
#define LONGEST_PATH_BYTES 1024
/* More than a kiosk has ports. */
#define MOST_OPEN 64

/*
 * System calls that may wait, made on a thread of Node's pool, and the promise that tells how they ended. A job keeps the object it
 * works on alive. Bounded by its makers: one a descriptor.
 */
typedef struct job job;
struct job {
  napi_async_work work;
  napi_deferred deferred;
  napi_ref keep;
  /* On a pool thread: system calls only. Sets `error` to an errno, and `call` to what failed. */
  void (*run)(job *job);
  /* On the event loop's thread, also after an error, before the promise settles. Returns the answer; NULL is undefined. */
  napi_value (*finish)(napi_env env, job *job);
  void *owner;
  const char *call;
  int error;
};

/* Starts `job`, which must be the head of a malloc'ed block, and takes it over. Returns its promise; NULL with an exception pending. */
napi_value start_job(napi_env env, job *job, napi_value keep);

/* Closes `fd`, one that was counted, and tells when it is released; -1 is released already. Nothing else may use it from now on. */
napi_value start_close(napi_env env, int fd, napi_value keep);

/* Throws, or makes, an Error whose `code` is the errno's name and whose message is "<call>: <code>". No path is in it: paths hold serial numbers. */
napi_value throw_errno(napi_env env, const char *call, int error);
napi_value make_errno(napi_env env, const char *call, int error);
napi_value throw_type(napi_env env, const char *message);

/* Reads up to `most` arguments; those not given are undefined. */
bool take_arguments(napi_env env, napi_callback_info info, size_t most, napi_value *values);
/* Copies a path, refusing an empty one, one too long, and one with a NUL in it. */
bool take_path(napi_env env, napi_value value, char *path);
bool take_integer(napi_env env, napi_value value, int64_t least, int64_t most, int64_t *integer);

/* An object that stands for a `struct` of ours, known again by its tag; `finalize` runs when it is collected, at the latest when Node ends. */
napi_value make_object(napi_env env, void *owner, const napi_type_tag *tag, napi_finalize finalize);
/* Throws a TypeError and returns NULL when `value` is none that `make_object` made with this tag. */
void *take_object(napi_env env, napi_value value, const napi_type_tag *tag);

napi_value bytes_of(napi_env env, const void *bytes, size_t length);
napi_value undefined_of(napi_env env);

/* Counts one more open descriptor of this process. False, and nothing counted, when there are MOST_OPEN. */
bool count_open(void);
void count_closed(void);

bool export_function(napi_env env, napi_value exports, const char *name, napi_callback function);
bool export_events(napi_env env, napi_value exports);
bool export_bus(napi_env env, napi_value exports);

#endif
