/*
 * What JavaScript sees of the engine, by Node-API. binding.ts describes these functions and is the only caller, so that
 * arguments are not checked again.
 */
#define _GNU_SOURCE
#include "../engine/engine.h"
#include "binding.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Numbers of an event, as numbersPerEvent of binding.ts; events that are taken at once. */
enum { EVENT_NUMBERS = 7, MAX_EVENTS = 512 };

/* An engine as JavaScript holds it. */
struct handle {
  struct engine *engine; /* NULL once stopped */
  int wake_fd;
};

static struct handle *to_handle(napi_env env, napi_value value) {
  void *handle = NULL;
  napi_get_value_external(env, value, &handle);
  return handle;
}

/* Copies the arguments of a call, the first of which is an engine, and returns that. */
static struct engine *get_engine(napi_env env, napi_callback_info info, napi_value values[MAX_ARGUMENTS]) {
  get_arguments(env, info, values);
  return to_handle(env, values[0])->engine;
}

static void stop_engine(void *data) {
  struct handle *handle = data;
  if (!handle->engine) return;
  /* A thread that hangs may still write to wake_fd. */
  if (engine_stop(handle->engine)) close(handle->wake_fd);
  handle->engine = NULL;
}

static void finalize(napi_env env, void *data, void *hint) {
  (void)hint;
  if (((struct handle *)data)->engine) napi_remove_env_cleanup_hook(env, stop_engine, data);
  stop_engine(data);
  free(data);
}

/* selfTest(): 0, or an errno */
static napi_value self_test(napi_env env, napi_callback_info info) {
  (void)info;
  return from_number(env, engine_self_test());
}

/* start(threads): [engine, wakeFd], or an errno */
static napi_value start(napi_env env, napi_callback_info info) {
  napi_value values[MAX_ARGUMENTS], result, external;
  get_arguments(env, info, values);
  int fds[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) < 0) return from_number(env, errno);
  struct handle *handle = calloc(1, sizeof *handle);
  if (handle) handle->engine = engine_start(to_uint32(env, values[0]), fds[1]);
  if (!handle || !handle->engine) {
    int error = errno;
    free(handle);
    close(fds[0]);
    close(fds[1]);
    return from_number(env, error);
  }
  handle->wake_fd = fds[1];
  /* An environment, as that of a worker, can end without a call of `stop`. */
  napi_add_env_cleanup_hook(env, stop_engine, handle);
  napi_create_external(env, handle, finalize, NULL, &external);
  napi_create_array_with_length(env, 2, &result);
  napi_set_element(env, result, 0, external);
  napi_set_element(env, result, 1, from_number(env, fds[0]));
  return result;
}

/* stop(engine) */
static napi_value stop(napi_env env, napi_callback_info info) {
  napi_value values[MAX_ARGUMENTS];
  get_arguments(env, info, values);
  struct handle *handle = to_handle(env, values[0]);
  if (handle->engine) napi_remove_env_cleanup_hook(env, stop_engine, handle);
  stop_engine(handle);
  return NULL;
}

/* pipeLimit(): the most pipes that an engine may have */
static napi_value pipe_limit(napi_env env, napi_callback_info info) {
  (void)info;
  return from_number(env, engine_pipe_limit());
}

/* check(engine): how many threads hang */
static napi_value check(napi_env env, napi_callback_info info) {
  napi_value values[MAX_ARGUMENTS];
  return from_number(env, engine_check(get_engine(env, info, values)));
}

static struct settings to_settings(napi_env env, napi_value array) {
  struct settings settings;
  void *data;
  napi_get_typedarray_info(env, array, NULL, NULL, &data, NULL, NULL);
  memcpy(&settings, data, sizeof settings);
  return settings;
}

/* The number of a stock; -1 for what is no number. */
static int to_stock(napi_env env, napi_value value) {
  int32_t stock = -1;
  napi_get_value_int32(env, value, &stock);
  return stock;
}

static napi_value from_listener(napi_env env, int error, int listener, const struct sockaddr_storage *bound) {
  napi_value result;
  if (error != 0) return from_number(env, error);
  napi_create_array_with_length(env, 3, &result);
  napi_set_element(env, result, 0, from_number(env, listener));
  set_bound_address(env, result, 1, bound);
  return result;
}

/* listen(engine, host, port, settings: Uint32Array, stock): [listener, host, port], or an errno */
static napi_value do_listen(napi_env env, napi_callback_info info) {
  napi_value values[MAX_ARGUMENTS];
  struct engine *engine = get_engine(env, info, values);
  struct sockaddr_storage address, bound;
  socklen_t length;
  int listener = -1;
  int error = to_address(env, values[1], values[2], &address, &length);
  if (error != 0) return from_number(env, error);
  struct settings settings = to_settings(env, values[3]);
  error = engine_listen(engine, (struct sockaddr *)&address, length, &settings, to_stock(env, values[4]), &listener,
                        &bound);
  return from_listener(env, error, listener, &bound);
}

/* listenOn(engine, fd, settings: Uint32Array, stock): [listener, host, port], or an errno */
static napi_value listen_on(napi_env env, napi_callback_info info) {
  napi_value values[MAX_ARGUMENTS];
  struct engine *engine = get_engine(env, info, values);
  struct sockaddr_storage bound;
  int listener = -1;
  struct settings settings = to_settings(env, values[2]);
  int error = engine_listen_on(engine, (int)to_uint32(env, values[1]), &settings, to_stock(env, values[3]), &listener,
                               &bound);
  return from_listener(env, error, listener, &bound);
}

/* unlisten(engine, listener) */
static napi_value unlisten(napi_env env, napi_callback_info info) {
  napi_value values[MAX_ARGUMENTS];
  struct engine *engine = get_engine(env, info, values);
  engine_unlisten(engine, (int)to_uint32(env, values[1]));
  return NULL;
}

/* take(engine, out: Float64Array): how many events were written, EVENT_NUMBERS each */
static napi_value take(napi_env env, napi_callback_info info) {
  napi_value values[MAX_ARGUMENTS];
  struct engine *engine = get_engine(env, info, values);
  struct event events[MAX_EVENTS];
  size_t length;
  void *data;
  napi_get_typedarray_info(env, values[1], NULL, &length, &data, NULL, NULL);
  unsigned room = (unsigned)(length / EVENT_NUMBERS);
  unsigned count = engine_take(engine, events, room < MAX_EVENTS ? room : MAX_EVENTS);
  double *out = data;
  for (unsigned index = 0; index < count; index++, out += EVENT_NUMBERS) {
    const struct event *event = &events[index];
    out[0] = event->kind;
    out[1] = event->slot;
    bool of_dial = event->kind == CONNECTED || event->kind == DIAL_FAILED;
    out[2] = event->kind == ENDED ? (double)(event->reason | event->ended_first << 8)
             : of_dial            ? (double)event->address
                                  : (double)event->listener;
    out[3] = event->error;
    out[4] = event->kind == ACCEPTED    ? (double)event->ticket
             : event->kind == CONNECTED ? (double)event->dial_us
                                        : (double)event->bytes[0];
    out[5] = (double)event->bytes[1];
    out[6] = event->kind == ENDED ? (double)event->waited : 0;
  }
  return from_number(env, count);
}

/* Addresses of a dial from [host, port, host, port, …]. Returns how many. `error`: the errno of an invalid one, or 0. */
static uint32_t to_addresses(napi_env env, napi_value list, struct sockaddr_storage addresses[DIAL_ADDRESSES],
                             int *error) {
  uint32_t length = 0, count = 0;
  *error = 0;
  napi_get_array_length(env, list, &length);
  for (; count < DIAL_ADDRESSES && 2 * count + 1 < length; count++) {
    napi_value host, port;
    socklen_t size;
    napi_get_element(env, list, 2 * count, &host);
    napi_get_element(env, list, 2 * count + 1, &port);
    int invalid = to_address(env, host, port, &addresses[count], &size);
    if (invalid == 0) continue;
    *error = invalid;
    addresses[count].ss_family = AF_UNSPEC; /* its dial fails */
  }
  return count;
}

/* dial(engine, slot, addresses: [host, port, host, port, …], timeoutMs): 0, or an errno */
static napi_value dial(napi_env env, napi_callback_info info) {
  napi_value values[MAX_ARGUMENTS];
  struct engine *engine = get_engine(env, info, values);
  struct sockaddr_storage addresses[DIAL_ADDRESSES];
  int error;
  uint32_t count = to_addresses(env, values[2], addresses, &error);
  if (count == 1 && error != 0) return from_number(env, error);
  uint32_t slot = to_uint32(env, values[1]), timeout = to_uint32(env, values[3]);
  return from_number(env, engine_dial(engine, slot, addresses, count, timeout));
}

/* newStock(engine): its number, or -1 */
static napi_value new_stock(napi_env env, napi_callback_info info) {
  napi_value values[MAX_ARGUMENTS];
  return from_number(env, engine_new_stock(get_engine(env, info, values)));
}

/* stock(engine, stock, addresses as those of dial, timeoutMs, copies): how many were added */
static napi_value do_stock(napi_env env, napi_callback_info info) {
  napi_value values[MAX_ARGUMENTS];
  struct engine *engine = get_engine(env, info, values);
  struct sockaddr_storage addresses[DIAL_ADDRESSES];
  int error; /* dials of such addresses fail */
  uint32_t count = to_addresses(env, values[2], addresses, &error);
  int stock = (int)to_uint32(env, values[1]);
  return from_number(env, engine_stock(engine, stock, addresses, count, to_uint32(env, values[3]),
                                       to_uint32(env, values[4])));
}

/* takeStocked(engine, stock): the ticket of the oldest dial, or -1 */
static napi_value take_stocked(napi_env env, napi_callback_info info) {
  napi_value values[MAX_ARGUMENTS];
  struct engine *engine = get_engine(env, info, values);
  return from_number(env, (double)engine_take_stocked(engine, (int)to_uint32(env, values[1])));
}

/* unstock(engine, stock): how many dials were taken back */
static napi_value unstock(napi_env env, napi_callback_info info) {
  napi_value values[MAX_ARGUMENTS];
  struct engine *engine = get_engine(env, info, values);
  return from_number(env, engine_unstock(engine, (int)to_uint32(env, values[1])));
}

/* cancelDial(engine, slot) */
static napi_value cancel_dial(napi_env env, napi_callback_info info) {
  napi_value values[MAX_ARGUMENTS];
  struct engine *engine = get_engine(env, info, values);
  engine_cancel_dial(engine, to_uint32(env, values[1]));
  return NULL;
}

/* close(engine, slot) */
static napi_value do_close(napi_env env, napi_callback_info info) {
  napi_value values[MAX_ARGUMENTS];
  struct engine *engine = get_engine(env, info, values);
  engine_close(engine, to_uint32(env, values[1]));
  return NULL;
}

/* abort(engine, slot) */
static napi_value do_abort(napi_env env, napi_callback_info info) {
  napi_value values[MAX_ARGUMENTS];
  struct engine *engine = get_engine(env, info, values);
  engine_abort(engine, to_uint32(env, values[1]));
  return NULL;
}

/* bytes(engine, slot, side): read from that side so far */
static napi_value bytes(napi_env env, napi_callback_info info) {
  napi_value values[MAX_ARGUMENTS];
  struct engine *engine = get_engine(env, info, values);
  uint64_t counts[2];
  engine_bytes(engine, to_uint32(env, values[1]), counts);
  return from_number(env, (double)counts[to_uint32(env, values[2])]);
}

/* waiting(engine, slot): for how long the client has been waiting, in milliseconds, or -1 */
static napi_value waiting(napi_env env, napi_callback_info info) {
  napi_value values[MAX_ARGUMENTS];
  struct engine *engine = get_engine(env, info, values);
  return from_number(env, (double)engine_waiting(engine, to_uint32(env, values[1])));
}

/* answered(engine, slot): how long ago the backend last sent a byte, in milliseconds, or -1 */
static napi_value answered(napi_env env, napi_callback_info info) {
  napi_value values[MAX_ARGUMENTS];
  struct engine *engine = get_engine(env, info, values);
  return from_number(env, (double)engine_answered(engine, to_uint32(env, values[1])));
}

/* peer(engine, slot): [host, port] */
static napi_value peer(napi_env env, napi_callback_info info) {
  napi_value values[MAX_ARGUMENTS], result;
  struct engine *engine = get_engine(env, info, values);
  napi_create_array_with_length(env, 2, &result);
  set_address(env, result, 0, engine_peer(engine, to_uint32(env, values[1])));
  return result;
}

NAPI_MODULE_INIT() {
  const struct {
    const char *name;
    napi_callback call;
  } functions[] = {
      {"selfTest", self_test}, {"start", start},        {"stop", stop},     {"pipeLimit", pipe_limit},
      {"check", check},        {"listen", do_listen},   {"take", take},     {"unlisten", unlisten},
      {"dial", dial},          {"peer", peer},          {"cancelDial", cancel_dial},
      {"bytes", bytes},        {"close", do_close},     {"abort", do_abort},
      {"waiting", waiting},    {"answered", answered},  {"newStock", new_stock},
      {"stock", do_stock},     {"unstock", unstock},    {"takeStocked", take_stocked},
      {"exitNow", exit_now},   {"notify", notify},      {"listenOn", listen_on},
  };
  for (size_t index = 0; index < sizeof functions / sizeof *functions; index++) {
    napi_value function;
    napi_create_function(env, functions[index].name, NAPI_AUTO_LENGTH, functions[index].call, NULL, &function);
    napi_set_named_property(env, exports, functions[index].name, function);
  }
  return exports;
}
