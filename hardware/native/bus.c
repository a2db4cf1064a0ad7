/*
 * I2C buses: a combined transfer (write, repeated start, read), or a word by SMBus where the controller knows no more.
 *
 * Each transfer may wait for a stretched clock or a wedged bus, up to the controller's own time limit (1 s on a Pi), so it runs on Node's
 * pool: one at a time for each open bus.
 * Source: Linux Documentation/i2c/dev-interface.rst, linux/i2c.h, linux/i2c-dev.h.
 */
#include "native.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/i2c-dev.h>
#include <linux/i2c.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* An SMBus block; no sensor here needs more than 3. */
#define MOST_BYTES 32
/* Addresses outside these are the bus's own (UM10204, 3.1.12). */
#define FIRST_ADDRESS 0x08
#define LAST_ADDRESS 0x77

static const napi_type_tag BUS_TAG = {0x0f2c5c1e9be34a07ULL, 0xb86f4c5d77e1129aULL};

typedef struct {
  int fd;
  uint16_t address;
  uint32_t functions;
  bool is_busy;
  bool is_closed;
} bus;

/* One job at a time has a bus, so that its descriptor is never closed under a transfer. */
typedef struct {
  job job;
  bus *bus;
  int fd;
  uint32_t functions;
  uint16_t address;
  uint8_t written[MOST_BYTES];
  uint16_t written_length;
  uint8_t answer[MOST_BYTES];
  uint16_t answer_length;
  bool is_checked;
  char path[LONGEST_PATH_BYTES];
} work;

static void finalize(napi_env env, void *data, void *hint) {
  (void)env;
  (void)hint;
  bus *own = data;
  if (own->fd >= 0) {
    close(own->fd);
    count_closed();
  }
  free(own);
}

static void run_open(job *job) {
  work *own = (work *)job;
  unsigned long functions = 0;
  do own->fd = open(own->path, O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  while (own->fd < 0 && errno == EINTR);
  if (own->fd < 0) {
    job->error = errno;
  } else if (ioctl(own->fd, I2C_FUNCS, &functions) < 0) {
    job->error = errno;
    job->call = "functions";
  } else if (ioctl(own->fd, I2C_SLAVE, (unsigned long)own->address) < 0) {
    /* EBUSY: a driver of the kernel's has this sensor. */
    job->error = errno;
    job->call = "address";
  }
  own->functions = (uint32_t)functions;
}

static napi_value finish_open(napi_env env, job *job) {
  work *own = (work *)job;
  bus *made = job->error == 0 ? calloc(1, sizeof *made) : NULL;
  if (made != NULL) {
    *made = (bus){.fd = own->fd, .address = own->address, .functions = own->functions};
    napi_value object = make_object(env, made, &BUS_TAG, finalize);
    if (object != NULL) return object;
    free(made);
  }
  if (job->error == 0) job->error = ENOMEM;
  if (own->fd >= 0) close(own->fd);
  count_closed();
  return NULL;
}

static work *new_work(napi_env env, void (*run)(job *), napi_value (*finish)(napi_env, job *), const char *call) {
  work *made = calloc(1, sizeof *made);
  if (made == NULL) {
    throw_errno(env, call, ENOMEM);
    return NULL;
  }
  made->job = (job){.run = run, .finish = finish, .call = call};
  made->fd = -1;
  return made;
}

/* openBus(path, address): Promise<bus>. */
static napi_value open_bus(napi_env env, napi_callback_info info) {
  napi_value values[2];
  int64_t address;
  if (!take_arguments(env, info, 2, values)) return NULL;
  work *own = new_work(env, run_open, finish_open, "open");
  if (own == NULL) return NULL;
  if (!take_path(env, values[0], own->path) || !take_integer(env, values[1], FIRST_ADDRESS, LAST_ADDRESS, &address)) {
    free(own);
    return NULL;
  }
  own->address = (uint16_t)address;
  if (!count_open()) {
    free(own);
    return throw_errno(env, "open", EMFILE);
  }
  napi_value promise = start_job(env, &own->job, NULL);
  if (promise == NULL) count_closed();
  return promise;
}

/* functionsOfBus(bus): the controller's I2C_FUNC_ bits. */
static napi_value functions_of_bus(napi_env env, napi_callback_info info) {
  napi_value value, number;
  if (!take_arguments(env, info, 1, &value)) return NULL;
  bus *own = take_object(env, value, &BUS_TAG);
  if (own == NULL || napi_create_uint32(env, own->functions, &number) != napi_ok) return NULL;
  return number;
}

static void run_transfer(job *job) {
  work *own = (work *)job;
  struct i2c_msg messages[2];
  uint32_t count = 0;
  if (own->written_length > 0)
    messages[count++] = (struct i2c_msg){.addr = own->address, .len = own->written_length, .buf = own->written};
  if (own->answer_length > 0)
    messages[count++] = (struct i2c_msg){.addr = own->address, .flags = I2C_M_RD, .len = own->answer_length, .buf = own->answer};
  struct i2c_rdwr_ioctl_data transfer = {.msgs = messages, .nmsgs = count};
  int done = ioctl(own->fd, I2C_RDWR, &transfer);
  if (done < 0) job->error = errno;
  else if ((uint32_t)done != count) job->error = EIO;
}

static void run_word(job *job) {
  work *own = (work *)job;
  union i2c_smbus_data word;
  struct i2c_smbus_ioctl_data transfer = {
      .read_write = I2C_SMBUS_READ, .command = own->written[0], .size = I2C_SMBUS_WORD_DATA, .data = &word};
  if (ioctl(own->fd, I2C_PEC, own->is_checked ? 1UL : 0UL) < 0 || ioctl(own->fd, I2C_SMBUS, &transfer) < 0) {
    job->error = errno;
    return;
  }
  own->answer[0] = (uint8_t)(word.word & 0xff);
  own->answer[1] = (uint8_t)(word.word >> 8);
  own->answer_length = 2;
}

static napi_value finish_transfer(napi_env env, job *job) {
  work *own = (work *)job;
  own->bus->is_busy = false;
  if (job->error != 0) return NULL;
  napi_value bytes = bytes_of(env, own->answer, own->answer_length);
  if (bytes == NULL) job->error = ENOMEM;
  return bytes;
}

/* Takes the bus for `job`, or frees it and throws: EBADF when closed, EBUSY when another job has it. */
static bool take_bus(napi_env env, napi_value value, work *job) {
  bus *own = take_object(env, value, &BUS_TAG);
  if (own != NULL && (own->is_closed || own->is_busy)) {
    throw_errno(env, job->job.call, own->is_closed ? EBADF : EBUSY);
    own = NULL;
  }
  if (own == NULL) {
    free(job);
    return false;
  }
  job->bus = own;
  job->fd = own->fd;
  job->address = own->address;
  return true;
}

static napi_value start_work(napi_env env, napi_value value, work *job) {
  bus *own = job->bus;
  own->is_busy = true;
  napi_value promise = start_job(env, &job->job, value);
  if (promise == NULL) own->is_busy = false;
  return promise;
}

/* transferOnBus(bus, bytes, answerBytes): Promise<Uint8Array>. Writes, then reads after a repeated start; either may be nothing, not both. */
static napi_value transfer_on_bus(napi_env env, napi_callback_info info) {
  napi_value values[3];
  int64_t answer_length;
  napi_typedarray_type type;
  size_t length = 0;
  void *bytes = NULL;
  if (!take_arguments(env, info, 3, values)) return NULL;
  if (napi_get_typedarray_info(env, values[1], &type, &length, &bytes, NULL, NULL) != napi_ok || type != napi_uint8_array ||
      length > MOST_BYTES)
    return throw_type(env, "bytes: expected a Uint8Array of at most 32");
  if (!take_integer(env, values[2], 0, MOST_BYTES, &answer_length)) return NULL;
  if (length == 0 && answer_length == 0) return throw_type(env, "transfer: expected something to write or to read");
  work *own = new_work(env, run_transfer, finish_transfer, "transfer");
  if (own == NULL) return NULL;
  if (length > 0) memcpy(own->written, bytes, length);
  own->written_length = (uint16_t)length;
  own->answer_length = (uint16_t)answer_length;
  return take_bus(env, values[0], own) ? start_work(env, values[0], own) : NULL;
}

/* readWordOnBus(bus, command, isChecked): Promise<Uint8Array>, low byte, high byte. Checked: EBADMSG when the PEC is wrong, if the controller does PEC. */
static napi_value read_word_on_bus(napi_env env, napi_callback_info info) {
  napi_value values[3];
  int64_t command;
  bool is_checked;
  if (!take_arguments(env, info, 3, values) || !take_integer(env, values[1], 0, 0xff, &command)) return NULL;
  if (napi_get_value_bool(env, values[2], &is_checked) != napi_ok) return throw_type(env, "word: expected true or false");
  work *own = new_work(env, run_word, finish_transfer, "word");
  if (own == NULL) return NULL;
  own->written[0] = (uint8_t)command;
  own->is_checked = is_checked;
  return take_bus(env, values[0], own) ? start_work(env, values[0], own) : NULL;
}

/* closeBus(bus): Promise<void>. EBUSY while a transfer is under way: it ends by itself, wait for it. Closing twice is no error. */
static napi_value close_bus(napi_env env, napi_callback_info info) {
  napi_value value;
  if (!take_arguments(env, info, 1, &value)) return NULL;
  bus *own = take_object(env, value, &BUS_TAG);
  if (own == NULL) return NULL;
  if (own->is_busy) return throw_errno(env, "close", EBUSY);
  int fd = own->fd;
  own->is_closed = true;
  own->fd = -1;
  return start_close(env, fd, value);
}

bool export_bus(napi_env env, napi_value exports) {
  return export_function(env, exports, "openBus", open_bus) && export_function(env, exports, "functionsOfBus", functions_of_bus) &&
         export_function(env, exports, "transferOnBus", transfer_on_bus) &&
         export_function(env, exports, "readWordOnBus", read_word_on_bus) && export_function(env, exports, "closeBus", close_bus);
}
