#include "native.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Names, because numbers differ between machines; those not here are told as numbers. */
static const struct {
  int error;
  const char *name;
} ERRNO_NAMES[] = {
    {EACCES, "EACCES"},     {EAGAIN, "EAGAIN"},       {EBADF, "EBADF"},     {EBADMSG, "EBADMSG"},     {EBUSY, "EBUSY"},
    {ECANCELED, "ECANCELED"}, {EINVAL, "EINVAL"},     {EIO, "EIO"},         {EISDIR, "EISDIR"},       {ELOOP, "ELOOP"},
    {EMFILE, "EMFILE"},     {ENAMETOOLONG, "ENAMETOOLONG"}, {ENFILE, "ENFILE"}, {ENODEV, "ENODEV"},   {ENOENT, "ENOENT"},
    {ENOMEM, "ENOMEM"},     {ENOTDIR, "ENOTDIR"},     {ENOTTY, "ENOTTY"},   {ENXIO, "ENXIO"},         {EOPNOTSUPP, "EOPNOTSUPP"},
    {EPERM, "EPERM"},       {EPROTO, "EPROTO"},       {EREMOTEIO, "EREMOTEIO"}, {ETIMEDOUT, "ETIMEDOUT"},
};

napi_value undefined_of(napi_env env) {
  napi_value value = NULL;
  napi_get_undefined(env, &value);
  return value;
}

napi_value make_errno(napi_env env, const char *call, int error) {
  char code[16];
  snprintf(code, sizeof code, "E%d", error);
  for (size_t at = 0; at < sizeof ERRNO_NAMES / sizeof *ERRNO_NAMES; at++)
    if (ERRNO_NAMES[at].error == error) snprintf(code, sizeof code, "%s", ERRNO_NAMES[at].name);
  char message[64];
  snprintf(message, sizeof message, "%s: %s", call, code);
  napi_value code_value, message_value, made = NULL;
  if (napi_create_string_utf8(env, code, NAPI_AUTO_LENGTH, &code_value) != napi_ok ||
      napi_create_string_utf8(env, message, NAPI_AUTO_LENGTH, &message_value) != napi_ok ||
      napi_create_error(env, code_value, message_value, &made) != napi_ok)
    return undefined_of(env);
  return made;
}

napi_value throw_errno(napi_env env, const char *call, int error) {
  napi_throw(env, make_errno(env, call, error));
  return NULL;
}

napi_value throw_type(napi_env env, const char *message) {
  napi_throw_type_error(env, NULL, message);
  return NULL;
}

bool take_arguments(napi_env env, napi_callback_info info, size_t most, napi_value *values) {
  size_t given = most;
  return napi_get_cb_info(env, info, &given, values, NULL, NULL) == napi_ok;
}

bool take_path(napi_env env, napi_value value, char *path) {
  size_t length = 0;
  if (napi_get_value_string_utf8(env, value, NULL, 0, &length) != napi_ok) return throw_type(env, "path: expected a string");
  if (length == 0 || length >= LONGEST_PATH_BYTES) return throw_errno(env, "open", ENAMETOOLONG);
  napi_get_value_string_utf8(env, value, path, LONGEST_PATH_BYTES, &length);
  if (strlen(path) != length) return throw_type(env, "path: expected no NUL");
  return true;
}

bool take_integer(napi_env env, napi_value value, int64_t least, int64_t most, int64_t *integer) {
  double number;
  if (napi_get_value_double(env, value, &number) != napi_ok || !(number >= (double)least && number <= (double)most) ||
      number != (double)(int64_t)number)
    return throw_type(env, "number: expected a whole one within its range");
  *integer = (int64_t)number;
  return true;
}

napi_value make_object(napi_env env, void *owner, const napi_type_tag *tag, napi_finalize finalize) {
  napi_value object;
  if (napi_create_object(env, &object) != napi_ok || napi_type_tag_object(env, object, tag) != napi_ok ||
      napi_wrap(env, object, owner, finalize, NULL, NULL) != napi_ok)
    return NULL;
  return object;
}

void *take_object(napi_env env, napi_value value, const napi_type_tag *tag) {
  bool is_ours = false;
  void *owner = NULL;
  napi_valuetype type;
  if (napi_typeof(env, value, &type) != napi_ok || type != napi_object ||
      napi_check_object_type_tag(env, value, tag, &is_ours) != napi_ok || !is_ours || napi_unwrap(env, value, &owner) != napi_ok)
    return throw_type(env, "device: expected what opening it gave");
  return owner;
}

napi_value bytes_of(napi_env env, const void *bytes, size_t length) {
  void *copy = NULL;
  napi_value buffer, array;
  if (napi_create_arraybuffer(env, length, &copy, &buffer) != napi_ok ||
      napi_create_typedarray(env, napi_uint8_array, length, buffer, 0, &array) != napi_ok)
    return NULL;
  if (length > 0) memcpy(copy, bytes, length);
  return array;
}

static void run_job(napi_env env, void *data) {
  (void)env;
  job *job = data;
  job->run(job);
}

static void end_job(napi_env env, napi_status status, void *data) {
  job *job = data;
  if (status == napi_cancelled && job->error == 0) job->error = ECANCELED;
  napi_value answer = job->finish(env, job);
  /* An exception here (out of memory, or Node is ending) has nobody to catch it: the promise tells. */
  bool is_pending = false;
  if (napi_is_exception_pending(env, &is_pending) == napi_ok && is_pending) {
    napi_value thrown;
    if (napi_get_and_clear_last_exception(env, &thrown) == napi_ok) napi_reject_deferred(env, job->deferred, thrown);
  } else if (job->error != 0) {
    napi_reject_deferred(env, job->deferred, make_errno(env, job->call, job->error));
  } else {
    napi_resolve_deferred(env, job->deferred, answer == NULL ? undefined_of(env) : answer);
  }
  if (job->keep != NULL) napi_delete_reference(env, job->keep);
  napi_delete_async_work(env, job->work);
  free(job);
}

napi_value start_job(napi_env env, job *job, napi_value keep) {
  napi_value promise, name;
  if (napi_create_string_utf8(env, "vestibule", NAPI_AUTO_LENGTH, &name) == napi_ok &&
      (keep == NULL || napi_create_reference(env, keep, 1, &job->keep) == napi_ok)) {
    if (napi_create_async_work(env, NULL, name, run_job, end_job, job, &job->work) == napi_ok) {
      if (napi_create_promise(env, &job->deferred, &promise) == napi_ok) {
        if (napi_queue_async_work(env, job->work) == napi_ok) return promise;
        napi_reject_deferred(env, job->deferred, make_errno(env, "queue", ENOMEM));
      }
      napi_delete_async_work(env, job->work);
    }
    if (job->keep != NULL) napi_delete_reference(env, job->keep);
  }
  free(job);
  return throw_errno(env, "queue", ENOMEM);
}

typedef struct {
  job job;
  int fd;
} closing;

/* close(2) of an input device waits for the bus behind it: tens of milliseconds on USB. It releases the descriptor even where it fails. */
static void run_close(job *job) {
  closing *own = (closing *)job;
  if (own->fd >= 0) close(own->fd);
}

static napi_value finish_close(napi_env env, job *job) {
  (void)env;
  if (((closing *)job)->fd >= 0) count_closed();
  return NULL;
}

napi_value start_close(napi_env env, int fd, napi_value keep) {
  closing *made = calloc(1, sizeof *made);
  napi_value promise = NULL;
  if (made == NULL) {
    throw_errno(env, "close", ENOMEM);
  } else {
    *made = (closing){.job = {.run = run_close, .finish = finish_close, .call = "close"}, .fd = fd};
    promise = start_job(env, &made->job, keep);
  }
  /* It is closed all the same, here and now. */
  if (promise == NULL && fd >= 0) {
    close(fd);
    count_closed();
  }
  return promise;
}

/* Of the process, whichever of its threads opened: a bound that a leak would meet. */
static atomic_int open_count;

bool count_open(void) {
  if (atomic_fetch_add(&open_count, 1) < MOST_OPEN) return true;
  atomic_fetch_sub(&open_count, 1);
  return false;
}

void count_closed(void) { atomic_fetch_sub(&open_count, 1); }

bool export_function(napi_env env, napi_value exports, const char *name, napi_callback function) {
  napi_value value;
  return napi_create_function(env, name, NAPI_AUTO_LENGTH, function, NULL, &value) == napi_ok &&
         napi_set_named_property(env, exports, name, value) == napi_ok;
}

NAPI_MODULE_INIT() {
  if (!export_events(env, exports) || !export_bus(env, exports)) return throw_errno(env, "load", ENOMEM);
  return exports;
}
