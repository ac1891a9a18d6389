/* Conversions between the values of JavaScript and those of C. */
#define _GNU_SOURCE
#include "binding.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

void get_arguments(napi_env env, napi_callback_info info, napi_value values[MAX_ARGUMENTS]) {
  size_t count = MAX_ARGUMENTS;
  napi_get_cb_info(env, info, &count, values, NULL, NULL);
}

napi_value from_number(napi_env env, double value) {
  napi_value result;
  napi_create_double(env, value, &result);
  return result;
}

uint32_t to_uint32(napi_env env, napi_value value) {
  uint32_t result = 0;
  napi_get_value_uint32(env, value, &result);
  return result;
}

/* An IPv6 zone is the name of an interface, or else its number. 0 if there is no such interface. */
static unsigned to_scope(const char *zone) {
  char name[IF_NAMESIZE], *end;
  unsigned scope = if_nametoindex(zone);
  if (scope != 0) return scope;
  unsigned long number = strtoul(zone, &end, 10);
  return *end == '\0' && number <= INT32_MAX && if_indextoname((unsigned)number, name) ? (unsigned)number : 0;
}

static const char unix_prefix[] = "unix:";
enum { UNIX_PREFIX = sizeof unix_prefix - 1, UNIX_TEXT = UNIX_PREFIX + sizeof(struct sockaddr_un) + 1 };

static int to_unix_address(const char *path, size_t path_length, struct sockaddr_storage *out, socklen_t *length) {
  struct sockaddr_un *address = (struct sockaddr_un *)out;
  if (path_length == 0 || strlen(path) != path_length) return EINVAL;
  if (path_length >= sizeof address->sun_path) return ENAMETOOLONG;
  address->sun_family = AF_UNIX;
  memcpy(address->sun_path, path, path_length);
  *length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path_length + 1);
  return 0;
}

int to_address(napi_env env, napi_value host, napi_value port, struct sockaddr_storage *out, socklen_t *length) {
  char text[UNIX_TEXT]; /* longer than any IPv6 address with its zone */
  size_t text_length;
  if (napi_get_value_string_utf8(env, host, text, sizeof text, &text_length) != napi_ok) return EINVAL;
  memset(out, 0, sizeof *out);
  if (strncmp(text, unix_prefix, UNIX_PREFIX) == 0)
    return to_unix_address(text + UNIX_PREFIX, text_length - UNIX_PREFIX, out, length);
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

static void set_host_and_port(napi_env env, napi_value array, uint32_t at, const char *text, in_port_t port) {
  napi_value host;
  napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &host);
  napi_set_element(env, array, at, host);
  napi_set_element(env, array, at + 1, from_number(env, port));
}

void set_bound_address(napi_env env, napi_value array, uint32_t at, const struct sockaddr_storage *address) {
  if (address->ss_family != AF_UNIX) return set_address(env, array, at, (const struct sockaddr *)address);
  char text[UNIX_TEXT + 1];
  const char *path = ((const struct sockaddr_un *)address)->sun_path;
  bool is_abstract = path[0] == '\0' && path[1] != '\0';
  snprintf(text, sizeof text, "%s%s%s", unix_prefix, is_abstract ? "@" : "", path + is_abstract);
  set_host_and_port(env, array, at, text, 0);
}

void set_address(napi_env env, napi_value array, uint32_t at, const struct sockaddr *address) {
  if (address->sa_family == AF_UNIX) return set_host_and_port(env, array, at, unix_prefix, 0);
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
  set_host_and_port(env, array, at, text, ntohs(is_v4 ? v4->sin_port : v6->sin6_port));
}
