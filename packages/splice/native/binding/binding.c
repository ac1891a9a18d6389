/* What JavaScript sees of the engine, by Node-API. Its arguments come from index.ts alone, and are not checked again. */
#define _GNU_SOURCE
#define NAPI_VERSION 8
#include "../engine/engine.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <node_api.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_ARGUMENTS = 6, EVENT_NUMBERS = 6, MOST_EVENTS = 512 };

struct relay {
  struct engine *engine;
  int wake_fd;
};

static unsigned arguments(napi_env env, napi_callback_info info, napi_value *values) {
  size_t count = MOST_ARGUMENTS;
  napi_get_cb_info(env, info, &count, values, NULL, NULL);
  return (unsigned)count;
}

static napi_value number(napi_env env, double value) {
  napi_value result;
  napi_create_double(env, value, &result);
  return result;
}

static uint32_t to_uint32(napi_env env, napi_value value) {
  uint32_t result = 0;
  napi_get_value_uint32(env, value, &result);
  return result;
}

static struct relay *to_relay(napi_env env, napi_value value) {
  void *relay = NULL;
  napi_get_value_external(env, value, &relay);
  return relay;
}

/* An interface by its name or, for want of one, by its number; 0 where there is none. */
static unsigned to_scope(const char *zone) {
  char name[IF_NAMESIZE], *end;
  unsigned scope = if_nametoindex(zone);
  if (scope != 0) return scope;
  unsigned long number = strtoul(zone, &end, 10);
  return *end == '\0' && number <= INT32_MAX && if_indextoname((unsigned)number, name) ? (unsigned)number : 0;
}

/* An IP literal, with a zone where it has one, and a port. 0, or an errno. */
static int to_address(napi_env env, napi_value host, napi_value port, struct sockaddr_storage *out, socklen_t *length) {
  char text[INET6_ADDRSTRLEN + IF_NAMESIZE + 1];
  if (napi_get_value_string_utf8(env, host, text, sizeof text, NULL) != napi_ok) return EINVAL;
  memset(out, 0, sizeof *out);
  struct sockaddr_in *v4 = (struct sockaddr_in *)out;
  struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
  in_port_t wire_port = htons((uint16_t)to_uint32(env, port));
  if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = wire_port;
    *length = sizeof *v4;
    return 0;
  }
  char *zone = strchr(text, '%');
  if (zone) {
    *zone++ = '\0';
    v6->sin6_scope_id = to_scope(zone);
    if (v6->sin6_scope_id == 0) return ENODEV;
  }
  v6->sin6_family = AF_INET6;
  v6->sin6_port = wire_port;
  *length = sizeof *v6;
  return inet_pton(AF_INET6, text, &v6->sin6_addr) == 1 ? 0 : EINVAL;
}

/* [host, port] */
static void set_address(napi_env env, napi_value array, uint32_t at, const struct sockaddr *address) {
  char text[INET6_ADDRSTRLEN + IF_NAMESIZE + 1] = "";
  const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
  const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
  bool is_v4 = address->sa_family == AF_INET;
  if (is_v4) inet_ntop(AF_INET, &v4->sin_addr, text, sizeof text);
  else inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof text);
  char zone[IF_NAMESIZE];
  if (!is_v4 && v6->sin6_scope_id != 0 && if_indextoname(v6->sin6_scope_id, zone)) {
    strcat(text, "%");
    strcat(text, zone);
  }
  napi_value host;
  napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &host);
  napi_set_element(env, array, at, host);
  napi_set_element(env, array, at + 1, number(env, ntohs(is_v4 ? v4->sin_port : v6->sin6_port)));
}

static void stop_relay(void *data) {
  struct relay *relay = data;
  if (!relay->engine) return;
  /* A thread that hangs may still write to it. */
  if (engine_stop(relay->engine)) close(relay->wake_fd);
  relay->engine = NULL;
}

static void finalize(napi_env env, void *data, void *hint) {
  (void)hint;
  if (((struct relay *)data)->engine) napi_remove_env_cleanup_hook(env, stop_relay, data);
  stop_relay(data);
  free(data);
}

/* start(threads): [relay, wakeFd], or an errno */
static napi_value start(napi_env env, napi_callback_info info) {
  napi_value values[MOST_ARGUMENTS], result, external;
  arguments(env, info, values);
  int fds[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) < 0) return number(env, errno);
  struct relay *relay = calloc(1, sizeof *relay);
  if (relay) relay->engine = engine_start(to_uint32(env, values[0]), fds[1]);
  if (!relay || !relay->engine) {
    int error = errno;
    free(relay);
    close(fds[0]);
    close(fds[1]);
    return number(env, error);
  }
  relay->wake_fd = fds[1];
  /* An environment (a worker, say) can end without a word. */
  napi_add_env_cleanup_hook(env, stop_relay, relay);
  napi_create_external(env, relay, finalize, NULL, &external);
  napi_create_array_with_length(env, 2, &result);
  napi_set_element(env, result, 0, external);
  napi_set_element(env, result, 1, number(env, fds[0]));
  return result;
}

/* selfTest(): 0, or an errno */
static napi_value self_test(napi_env env, napi_callback_info info) {
  (void)info;
  return number(env, engine_self_test());
}

/* stop(relay) */
static napi_value stop(napi_env env, napi_callback_info info) {
  napi_value values[MOST_ARGUMENTS];
  arguments(env, info, values);
  struct relay *relay = to_relay(env, values[0]);
  if (relay->engine) napi_remove_env_cleanup_hook(env, stop_relay, relay);
  stop_relay(relay);
  return NULL;
}

/* pipeLimit(threads): how many pipes there may be */
static napi_value pipe_limit(napi_env env, napi_callback_info info) {
  napi_value values[MOST_ARGUMENTS];
  arguments(env, info, values);
  return number(env, engine_pipe_limit(to_uint32(env, values[0])));
}

/* check(relay): how many threads hang; to be called once a second */
static napi_value check(napi_env env, napi_callback_info info) {
  napi_value values[MOST_ARGUMENTS];
  arguments(env, info, values);
  return number(env, engine_check(to_relay(env, values[0])->engine));
}

/* listen(relay, host, port, settings: Uint32Array): [listener, host, port], or an errno */
static napi_value do_listen(napi_env env, napi_callback_info info) {
  napi_value values[MOST_ARGUMENTS], result;
  arguments(env, info, values);
  struct sockaddr_storage address, bound;
  socklen_t length;
  struct settings settings;
  void *data;
  int listener;
  int error = to_address(env, values[1], values[2], &address, &length);
  if (error != 0) return number(env, error);
  napi_get_typedarray_info(env, values[3], NULL, NULL, &data, NULL, NULL);
  memcpy(&settings, data, sizeof settings);
  error = engine_listen(to_relay(env, values[0])->engine, (struct sockaddr *)&address, length, &settings,
                            &listener, &bound);
  if (error != 0) return number(env, error);
  napi_create_array_with_length(env, 3, &result);
  napi_set_element(env, result, 0, number(env, listener));
  set_address(env, result, 1, (struct sockaddr *)&bound);
  return result;
}

/* unlisten(relay, listener) */
static napi_value unlisten(napi_env env, napi_callback_info info) {
  napi_value values[MOST_ARGUMENTS];
  arguments(env, info, values);
  engine_unlisten(to_relay(env, values[0])->engine, (int)to_uint32(env, values[1]));
  return NULL;
}

/* take(relay, out: Float64Array): how many events were written, six numbers each */
static napi_value take(napi_env env, napi_callback_info info) {
  napi_value values[MOST_ARGUMENTS];
  arguments(env, info, values);
  struct event events[MOST_EVENTS];
  size_t length;
  void *data;
  napi_get_typedarray_info(env, values[1], NULL, &length, &data, NULL, NULL);
  unsigned room = (unsigned)(length / EVENT_NUMBERS);
  unsigned count = engine_take(to_relay(env, values[0])->engine, events, room < MOST_EVENTS ? room : MOST_EVENTS);
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
    out[4] = (double)event->bytes[0];
    out[5] = (double)event->bytes[1];
  }
  return number(env, count);
}

/* dial(relay, slot, host, port, timeoutMs): 0, or an errno */
static napi_value dial(napi_env env, napi_callback_info info) {
  napi_value values[MOST_ARGUMENTS];
  arguments(env, info, values);
  struct sockaddr_storage address;
  socklen_t length;
  int error = to_address(env, values[2], values[3], &address, &length);
  if (error != 0) return number(env, error);
  engine_dial(to_relay(env, values[0])->engine, to_uint32(env, values[1]), (struct sockaddr *)&address, length,
              to_uint32(env, values[4]));
  return number(env, 0);
}

/* dialAny(relay, slot, addresses: [host, port, host, port, …], timeoutMs) */
static napi_value dial_any(napi_env env, napi_callback_info info) {
  napi_value values[MOST_ARGUMENTS];
  arguments(env, info, values);
  struct sockaddr_storage addresses[DIAL_ADDRESSES];
  uint32_t length = 0, count = 0;
  napi_get_array_length(env, values[2], &length);
  for (; count < DIAL_ADDRESSES && 2 * count + 1 < length; count++) {
    napi_value host, port;
    socklen_t size;
    napi_get_element(env, values[2], 2 * count, &host);
    napi_get_element(env, values[2], 2 * count + 1, &port);
    /* No socket can be made for what is of no family. */
    if (to_address(env, host, port, &addresses[count], &size) != 0) addresses[count].ss_family = AF_UNSPEC;
  }
  engine_dial_any(to_relay(env, values[0])->engine, to_uint32(env, values[1]), addresses, count,
                  to_uint32(env, values[3]));
  return NULL;
}

static napi_value cancel_dial(napi_env env, napi_callback_info info) {
  napi_value values[MOST_ARGUMENTS];
  arguments(env, info, values);
  engine_cancel_dial(to_relay(env, values[0])->engine, to_uint32(env, values[1]));
  return NULL;
}

static napi_value do_close(napi_env env, napi_callback_info info) {
  napi_value values[MOST_ARGUMENTS];
  arguments(env, info, values);
  engine_close(to_relay(env, values[0])->engine, to_uint32(env, values[1]));
  return NULL;
}

static napi_value do_kill(napi_env env, napi_callback_info info) {
  napi_value values[MOST_ARGUMENTS];
  arguments(env, info, values);
  engine_abort(to_relay(env, values[0])->engine, to_uint32(env, values[1]));
  return NULL;
}

/* bytes(relay, slot, side): read from that side so far */
static napi_value bytes(napi_env env, napi_callback_info info) {
  napi_value values[MOST_ARGUMENTS];
  arguments(env, info, values);
  uint64_t counts[2];
  engine_bytes(to_relay(env, values[0])->engine, to_uint32(env, values[1]), counts);
  return number(env, (double)counts[to_uint32(env, values[2])]);
}

/* peer(relay, slot): [host, port] */
static napi_value peer(napi_env env, napi_callback_info info) {
  napi_value values[MOST_ARGUMENTS], result;
  arguments(env, info, values);
  napi_create_array_with_length(env, 2, &result);
  set_address(env, result, 0, engine_peer(to_relay(env, values[0])->engine, to_uint32(env, values[1])));
  return result;
}

/* exitNow(code) */
static napi_value exit_now(napi_env env, napi_callback_info info) {
  napi_value values[MOST_ARGUMENTS];
  arguments(env, info, values);
  _exit((int)to_uint32(env, values[0]));
}

/* notify(socket, state): 0, or an errno */
static napi_value notify(napi_env env, napi_callback_info info) {
  napi_value values[MOST_ARGUMENTS];
  arguments(env, info, values);
  char path[256], state[1024];
  size_t path_length = 0, state_length = 0;
  if (napi_get_value_string_utf8(env, values[0], path, sizeof path, &path_length) != napi_ok ||
      napi_get_value_string_utf8(env, values[1], state, sizeof state, &state_length) != napi_ok)
    return number(env, EINVAL);
  return number(env, notify_service(path, path_length, state, state_length));
}

NAPI_MODULE_INIT() {
  const struct {
    const char *name;
    napi_callback call;
  } functions[] = {
      {"selfTest", self_test}, {"start", start},   {"stop", stop},   {"listen", do_listen},
      {"unlisten", unlisten},  {"take", take},     {"dial", dial},   {"cancelDial", cancel_dial},
      {"close", do_close},     {"kill", do_kill},  {"bytes", bytes}, {"peer", peer},
      {"notify", notify},     {"check", check},        {"pipeLimit", pipe_limit}, {"exitNow", exit_now},
      {"dialAny", dial_any},
  };
  for (size_t index = 0; index < sizeof functions / sizeof *functions; index++) {
    napi_value function;
    napi_create_function(env, functions[index].name, NAPI_AUTO_LENGTH, functions[index].call, NULL, &function);
    napi_set_named_property(env, exports, functions[index].name, function);
  }
  return exports;
}
